"""Envoy's WebAssembly data plane, simulated: real Proxy-Wasm modules in virtual time.

``import meshsim as ms`` gives one flat namespace. Its table of contents is ``__init__.pyi``; a name loads its
module, and what that module needs, when it is first used.
"""

from __future__ import annotations

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
