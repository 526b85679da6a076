"""Packages that only some foreign functions need: imported when one is reached."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from meshsim.errors import MeshsimError

#: The distribution that has a top-level module, and meshsim's extra that brings it.
_DISTRIBUTIONS = {
    "cel": ("common-expression-language", "cel"),
    "cryptography": ("cryptography", "crypto"),
    "zlib_ng": ("zlib-ng", "zlib"),
}


def package(module: str, what: str) -> ModuleType:
    """Import a module of an extra.

    Raises
    ------
    MeshsimError
        When it is not installed: ``what`` names what needs it.
    """
    try:
        return import_module(module)
    except ImportError:
        distribution, extra = _DISTRIBUTIONS[module.partition(".")[0]]
        raise MeshsimError(
            f"the package {distribution} is not installed", where=what, remedy=f"pip install 'meshsim[{extra}]'"
        ) from None
