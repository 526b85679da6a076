"""The wall clock of this layer: it moves an engine's epoch on, so that a guest that does not return is interrupted."""

from __future__ import annotations

import math
import os
import threading
import weakref

import wasmtime

from meshsim.wasm.tally import Tally

TICK_S = 0.01
"""Seconds between two ticks."""


class Watchdog:
    """Ticks for an engine, from the first deadline on until nobody holds the engine any more.

    The thread does not keep Python from ending, and it is started again in a process that was forked.
    """

    def __init__(self, engine: wasmtime.Engine) -> None:
        self._engine = weakref.ref(engine)
        self._thread: threading.Thread | None = None
        self._process = 0
        #: How many ticks there have been: a deadline that was set after the last of them need not be set again.
        self.beats = Tally()

    @property
    def asleep(self) -> bool:
        """Whether no tick will come: before the first deadline, and in a process that was forked since."""
        return self._process != os.getpid()

    def ticks(self, seconds: float) -> int:
        """How many ticks ahead a deadline is that is at least ``seconds`` ahead; from now on they are coming."""
        if self._thread is None or not self._thread.is_alive():
            arguments = self._engine, weakref.ref(self)
            self._thread = threading.Thread(target=_tick, args=arguments, name="meshsim-watchdog", daemon=True)
            self._thread.start()
            self._process = os.getpid()
        return math.ceil(seconds / TICK_S) + 2


def _tick(reference: weakref.ref[wasmtime.Engine], watchdog: weakref.ref[Watchdog]) -> None:
    pause = threading.Event()
    while (engine := reference()) is not None:
        engine.increment_epoch()
        if (counter := watchdog()) is not None:
            counter.beats.count += 1
        del engine, counter
        pause.wait(TICK_S)
