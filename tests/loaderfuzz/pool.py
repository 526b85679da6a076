"""Mutants are judged in other processes: one that dies, or that does not end, is a finding with a name.

The kernel ends a process whose mutant takes too long, so that a guest which never comes back to Python is seen too. The
alarm is set mutant by mutant, in the process itself: on a busy machine a slow start of the process is no hang.
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import resource
import signal
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from tests.loaderfuzz.judge import JUDGES, Judge, Verdict

HANG_S = 60
"""Seconds after which a mutant counts as one that hangs; most take a hundredth of one."""

MEMORY_BYTES = 1 << 30
"""No process may ever have held more."""

BATCH = 50
"""Mutants that a process is given at a time."""

LAST_WORDS = frozenset({"crashed", "hung", "greedy"})
"""Verdicts after which a process is not used any more."""

Work = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of the mutant of a kind and seed."""

    kind: str
    seed: int
    verdict: Verdict


def _serve(pipe: Connection, judges: Mapping[str, Judge]) -> None:
    """Judge batches until there is none; say of each mutant what came of it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()
    faulthandler.register(signal.SIGALRM, chain=True)  # says where it hangs, then lets the alarm end the process
    while batch := pipe.recv():
        for kind, seed in batch:
            signal.alarm(HANG_S)
            verdict = judges[kind](seed)
            signal.alarm(0)
            held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
            if held > MEMORY_BYTES and not verdict.failed:
                verdict = Verdict("greedy", f"{held >> 20} MiB were held")
            pipe.send(verdict)
            if held > MEMORY_BYTES:
                return


class _Worker:
    """One process, what it has been given and has not said anything of yet."""

    def __init__(self, judges: Mapping[str, Judge]) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, judges), daemon=True)
        self._process.start()
        theirs.close()
        self.pending: deque[Work] = deque()

    def give(self, batch: Sequence[Work]) -> None:
        self.pending.extend(batch)
        self.pipe.send(list(batch))

    def hear(self) -> Outcome:
        """What comes next out of the process: a verdict, or its end."""
        try:
            verdict: Verdict = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            verdict = _last_word(self._process.exitcode)
        return Outcome(*self.pending.popleft(), verdict)

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self.pipe.close()


def _last_word(exitcode: int | None) -> Verdict:
    """What a process that ended unasked says of the mutant it was at."""
    if exitcode == -signal.SIGALRM:
        return Verdict("hung", f"no answer in {HANG_S} s")
    return Verdict("crashed", f"the process ended with {exitcode}")


def judge_all(work: Sequence[Work], jobs: int, judges: Mapping[str, Judge] = JUDGES) -> Iterator[Outcome]:
    """Judge everything, in no order."""
    left = deque(work)
    workers: list[_Worker] = []
    try:
        while left or workers:
            while left and len(workers) < jobs:
                workers.append(_Worker(judges))
                workers[-1].give(_batch(left))
            ready: list[Any] = wait([worker.pipe for worker in workers])
            for worker in [each for each in workers if each.pipe in ready]:
                outcome = worker.hear()
                yield outcome
                if outcome.verdict.word in LAST_WORDS:
                    left.extendleft(reversed(worker.pending))
                elif worker.pending:
                    continue
                elif left:
                    worker.give(_batch(left))
                    continue
                worker.end()
                workers.remove(worker)
    finally:
        for worker in workers:
            worker.end()


def _batch(left: deque[Work]) -> list[Work]:
    return [left.popleft() for _ in range(min(BATCH, len(left)))]
