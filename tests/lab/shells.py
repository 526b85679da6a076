"""IPython in this process: what a notebook's kernel is made of, without a kernel."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from contextlib import contextmanager

from IPython.core.displayhook import DisplayHook
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config


class _Quiet(DisplayHook):
    def quiet(self) -> bool:
        return True


@contextmanager
def ipython() -> Iterator[InteractiveShell]:
    """Make a shell of its own; it keeps no history, and what it shows of a last value is dropped."""
    shell = InteractiveShell(config=Config(HistoryManager={"enabled": False}), user_ns={}, displayhook_class=_Quiet)
    try:
        yield shell
    finally:
        shell.atexit_operations()
        atexit.unregister(shell.atexit_operations)
