"""Strands: call stacks that can wait in the middle and let others go on.

A generator waits only where its own body says ``yield``; what it calls cannot wait for it. A strand waits anywhere
below, also with frames on its stack that are not Python's: a guest that is in the middle of a host call, say.

Theory of operation. Each strand runs on an operating-system thread of its own, because native code keeps its state
on the stack and in the thread. The threads never run side by side: :meth:`Strand.resume` hands over to the strand
and blocks until that waits, ends or raises, and hands back. So exactly one of them runs at any time, what runs when
is decided by calls alone, and a run with strands is as repeatable as one without. A hand-over takes some 10 us.

A waiting strand is ended by :meth:`Strand.close`, or when nobody refers to it: :class:`StrandClosed` is raised where
it waits, and its frames are left in order. What these frames refer to is kept until then; so a strand whose own
frames refer to it (by way of its owner, say) has to be closed.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Callable
from typing import Any

STACK_BYTES = 16 << 20
"""Room for a guest's stack and the host's frames below it. It is address space: memory is taken as it is used."""


class StrandClosed(BaseException):
    """Raised where a strand waits when it is closed; it passes by handlers of errors, as ``GeneratorExit`` does."""


class Strand:
    """A call of ``fn`` on a stack of its own.

    Parameters
    ----------
    fn : callable
        Called with the value of the first :meth:`resume`.
    stack_bytes : int
        Size of its stack.

    Examples
    --------
    >>> def ask(name):
    ...     answer = Strand.wait(f"{name}, how many?")
    ...     return f"{answer} it is"
    >>> strand = Strand(ask)
    >>> strand.resume("Ann")
    'Ann, how many?'
    >>> strand.resume(3)
    '3 it is'
    >>> strand.done
    True
    """

    __slots__ = ("__weakref__", "_baton", "_close", "_fn", "_stack_bytes")

    def __init__(self, fn: Callable[[Any], Any], *, stack_bytes: int = STACK_BYTES) -> None:
        self._baton = _Baton()
        self._fn: Callable[[Any], Any] | None = fn
        self._stack_bytes = stack_bytes
        self._close: weakref.finalize[..., Strand] | None = None

    @staticmethod
    def current() -> Strand:
        """Return the strand that runs now.

        Raises
        ------
        RuntimeError
            Outside of all strands.
        """
        reference: weakref.ref[Strand] | None = getattr(_here, "strand", None)
        strand = reference() if reference else None
        if strand is None:
            raise RuntimeError("no strand runs here")
        return strand

    @staticmethod
    def wait(value: Any = None) -> Any:
        """Hand ``value`` to who resumed the strand that runs now; return what it is resumed with.

        Raises
        ------
        StrandClosed
            When the strand is closed meanwhile, or has been.
        RuntimeError
            Outside of all strands.
        """
        baton: _Baton | None = getattr(_here, "baton", None)
        if baton is None:
            raise RuntimeError("no strand runs here")
        return baton.wait(value)

    @property
    def done(self) -> bool:
        """Whether it has returned, raised or been closed."""
        return self._baton.done

    def resume(self, value: Any = None) -> Any:
        """Let it go on until it waits or ends; return what it waited with, or its result.

        Parameters
        ----------
        value : object
            What its :meth:`wait` returns; at the first time, the argument of ``fn``.

        Raises
        ------
        RuntimeError
            When it is done, or is running already.
        BaseException
            Whatever ends it, the very object.
        """
        baton = self._baton
        if baton.done:
            raise RuntimeError("this strand is done")
        if baton.running:
            raise RuntimeError("this strand is running already")
        baton.value = value
        if self._fn is not None:
            self._start(self._fn)
        return baton.run()

    def close(self) -> None:
        """End it where it waits, its clean-up included; nothing happens when it is done.

        Raises
        ------
        RuntimeError
            When it is running.
        BaseException
            What its clean-up raises.
        """
        if self._baton.running:
            raise RuntimeError("a running strand cannot be closed")
        self._fn = None
        if self._close is not None:
            self._close.detach()
        self._baton.close()

    def _start(self, fn: Callable[[Any], Any]) -> None:
        self._fn = None
        thread = threading.Thread(
            target=_main, args=(self._baton, weakref.ref(self), fn), name="meshsim-strand", daemon=True
        )
        with _starting:
            before = threading.stack_size(self._stack_bytes)
            try:
                thread.start()
            finally:
                threading.stack_size(before)
        self._baton.started = True
        self._close = weakref.finalize(self, _drop, self._baton)
        # At Python's end the thread stands still like all others; nobody needs its clean-up then.
        self._close.atexit = False


class _Baton:
    """What the two sides share: who may run, and what is handed over. It does not refer to the strand."""

    __slots__ = ("_back", "_go", "closing", "done", "error", "running", "started", "value")

    def __init__(self) -> None:
        self._go, self._back = threading.Lock(), threading.Lock()
        self._go.acquire()
        self._back.acquire()
        self.value: Any = None
        self.error: BaseException | None = None
        self.started = self.running = self.closing = self.done = False

    # -- on the side of who resumes ---

    def run(self) -> Any:
        """Let the strand run until it hands back."""
        self.running = True
        self._go.release()
        interrupted: BaseException | None = None
        while self.running:
            try:
                self._back.acquire()
            except BaseException as signal:  # Ctrl-C has to wait: the two must not run at once
                interrupted = signal
        failure, self.error = interrupted or self.error, None
        value, self.value = self.value, None
        if failure is None:
            return value
        try:
            raise failure
        finally:
            del failure, interrupted  # their tracebacks refer to this frame

    def close(self) -> None:
        """Make the strand leave its frames."""
        self.closing = True
        while self.started and not self.done:
            self.run()
        self.done = True

    # -- on the side of the strand ---

    def enter(self) -> Any:
        """Block until it is the strand's turn; return what it is resumed with."""
        self._go.acquire()
        if self.closing:
            raise StrandClosed
        value, self.value = self.value, None
        return value

    def wait(self, value: Any) -> Any:
        """Hand back, and block until the next turn."""
        if self.closing:
            raise StrandClosed
        self.value = value
        self.leave()
        return self.enter()

    def leave(self) -> None:
        """Hand back."""
        self.running = False
        if self._back.locked():  # else the other side was interrupted, and sees by the flag that it may go on
            self._back.release()


_here = threading.local()
_starting = threading.Lock()


def _main(baton: _Baton, strand: weakref.ref[Strand], fn: Callable[[Any], Any]) -> None:
    """Run a strand's call on its thread."""
    _here.strand, _here.baton = strand, baton
    try:
        baton.value = fn(baton.enter())
    except StrandClosed:
        pass
    except BaseException as error:
        baton.error = error
    finally:
        del fn
        baton.done = True
        baton.leave()


def _drop(baton: _Baton) -> None:
    """End a strand that nobody refers to any more; errors of its clean-up have nobody to go to."""
    with contextlib.suppress(BaseException):
        baton.close()


def run_each(task: Callable[[], object] | None) -> None:
    """Run tasks in one strand, which waits in between for the next and keeps nothing of the last meanwhile.

    Not in a compiled module: there a variable is let go when it gets its next value.
    """
    while task:
        task()
        task = None
        task = Strand.wait()
