"""The programs that browser tests need, and what to do where one is missing."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

from meshsim.errors import ReferenceUnavailable

#: Names of Chromium's launcher; the variable ``MESHSIM_BROWSER`` comes first.
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_MODULES = ("playwright", "axe_playwright_python", "jupyterlab", "notebook", "voila")


def find_browser() -> Path:
    """Return Chromium's path.

    Raises
    ------
    ReferenceUnavailable
        It is not installed, or something of the extra ``test-browser`` is not.
    """
    absent = [name for name in _MODULES if find_spec(name) is None]
    if absent:
        raise ReferenceUnavailable(f"not installed: {', '.join(absent)}", remedy="pip install 'meshsim[test-browser]'")
    chosen = os.environ.get("MESHSIM_BROWSER")
    found = next(filter(None, map(shutil.which, (chosen,) if chosen else _NAMES)), None)
    if found is None:
        raise ReferenceUnavailable("no Chromium here", remedy="apt-get install chromium, or set MESHSIM_BROWSER")
    return Path(found)
