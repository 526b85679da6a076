"""A test bench for authors of filters: a pytest plugin, and what its fixture hands out.

Nothing here loads the simulator until a test asks for the fixture ``wasm_filter``: names are lazy, and stand in
``__init__.pyi``.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
