"""The wall clock of this layer: it moves an engine's epoch on, so that a guest that does not return is interrupted."""

from __future__ import annotations

import math
import threading
import weakref

import wasmtime

TICK_S = 0.01
"""Seconds between two ticks."""


class Watchdog:
    """Ticks for an engine, from the first deadline on until nobody holds the engine any more.

    The thread does not keep Python from ending, and it is started again in a process that was forked.
    """

    def __init__(self, engine: wasmtime.Engine) -> None:
        self._engine = weakref.ref(engine)
        self._thread: threading.Thread | None = None

    def ticks(self, seconds: float) -> int:
        """How many ticks ahead a deadline is that is at least ``seconds`` ahead; from now on they are coming."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=_tick, args=(self._engine,), name="meshsim-watchdog", daemon=True)
            self._thread.start()
        return math.ceil(seconds / TICK_S) + 1


def _tick(reference: weakref.ref[wasmtime.Engine]) -> None:
    pause = threading.Event()
    while (engine := reference()) is not None:
        engine.increment_epoch()
        del engine
        pause.wait(TICK_S)
