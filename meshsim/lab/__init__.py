"""For notebooks: bundled scenarios, a run watched closely, pictures and tables of it, and the ``%%wat`` cell magic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "checks": ["check"],
        "display": ["show_loading", "show_path", "show_requests", "show_sequence", "show_trace"],
        "observe": ["Observation", "observe"],
        "scenarios": ["Scenario", "scenario"],
        "wat": ["WatModule", "compile_wat"],
    },
)


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Make ``%%wat`` known; IPython calls this for ``%load_ext meshsim.lab``."""
    from meshsim.lab.wat import register

    register(shell)
