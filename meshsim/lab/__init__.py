"""For notebooks: bundled scenarios, a run watched closely, pictures and tables of it, and the ``%%wat`` cell magic."""

from __future__ import annotations

from typing import Any

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def load_ipython_extension(shell: Any) -> None:
    """Make ``%%wat`` known; IPython calls this for ``%load_ext meshsim.lab``."""
    from meshsim.lab.wat import register

    register(shell)
