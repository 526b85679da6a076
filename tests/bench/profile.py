"""Where time goes: ``python -m tests.bench.profile [FIGURE]``, with shares by layer and by function.

Sampled, and not profiled call by call, because a profiler's own cost falls on small functions: every few milliseconds
of processor time (as the system allows) a signal asks for the stack. A function's own time is that of the samples in
which it is innermost; code of the guest, of the engine and of Python's built-in functions counts for the function that
called it. A layer's share counts for the innermost function of meshsim, whatever of Python's library that has called.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from time import process_time
from types import FrameType

from rich.console import Console
from rich.table import Table

import meshsim as ms

SAMPLE_EVERY_S = 0.001
SECONDS = 10.0
FUNCTIONS = 25
WIDTH = 120  # where the table does not go to a terminal
DEFAULT = "envoy-two-hops-requests"

SHARES = ("vm", "host calls", "stream model", "records", "bench")

#: Folder or file of the package -> share; the longest that fits counts.
LAYERS = {
    "wasm/": "vm",
    "abi/": "host calls",
    "abi/events.py": "records",
    "sim/": "stream model",
    "sim/record.py": "records",
    "sim/table.py": "records",
    "sim/histogram.py": "records",
    "cost/": "stream model",
    "envoy/": "stream model",
    "envoy/hops.py": "records",
}

#: Functions of other layers that only make records.
RECORDING = {"ThreadHost.emit", "ThreadHost.report", "VmThread.log", "_traced.<locals>.host_call"}

PACKAGE = f"{Path(ms.__file__).parent}/"
REPOSITORY = f"{Path(__file__).resolve().parents[2]}/"

Function = tuple[str, str, int]
"""File, qualified name, first line."""


@cache
def share_of_code(filename: str, qualified_name: str) -> str | None:
    """Which share a function belongs to; None outside of the package."""
    if not filename.startswith(PACKAGE):
        return None
    if qualified_name in RECORDING:
        return "records"
    path = filename.removeprefix(PACKAGE)
    fitting = [prefix for prefix in LAYERS if path.startswith(prefix)]
    return LAYERS[max(fitting, key=len)] if fitting else None


def share_of(stack: tuple[Function, ...]) -> str:
    """Which share the innermost function of meshsim belongs to; a stack has its innermost function first."""
    shares = (share_of_code(filename, name) for filename, name, _ in stack)
    return next((share for share in shares if share is not None), "bench")


def place(filename: str) -> str:
    """Give a file's name as people know it: within the repository, or the library's module."""
    return filename.removeprefix(REPOSITORY) if filename.startswith(REPOSITORY) else Path(filename).name


@dataclass(slots=True)
class Profile:
    """Samples by stack."""

    stacks: Counter[tuple[Function, ...]] = field(default_factory=Counter)

    @property
    def samples(self) -> int:
        """How many there are."""
        return self.stacks.total()

    def shares(self) -> dict[str, float]:
        """Give each layer's part of the time."""
        counts: Counter[str] = Counter()
        for stack, count in self.stacks.items():
            counts[share_of(stack)] += count
        return {name: counts[name] / self.samples if self.samples else 0.0 for name in SHARES}

    def functions(self) -> dict[Function, tuple[int, int]]:
        """Give the samples of each function: by itself, and with what it called; the largest first."""
        own = Counter({stack[0]: 0 for stack in self.stacks if stack})
        whole: Counter[Function] = Counter()
        for stack, count in self.stacks.items():
            own.update({stack[0]: count} if stack else {})
            whole.update(dict.fromkeys(stack, count))
        return {function: (count, whole[function]) for function, count in own.most_common()}

    def collapsed(self) -> Iterator[str]:
        """Give a line for each stack, outermost function first, as flame graphs are made of (speedscope reads it)."""
        for stack, count in self.stacks.items():
            frames = (f"{name} ({place(filename)}:{line})" for filename, name, line in reversed(stack))
            yield f"{';'.join(frames)} {count}"


def stack_of(frame: FrameType | None) -> tuple[Function, ...]:
    """Give the functions that are being called, the innermost first."""
    stack = []
    while frame is not None:
        code = frame.f_code
        stack.append((code.co_filename, code.co_qualname, code.co_firstlineno))
        frame = frame.f_back
    return tuple(stack)


@contextmanager
def sampling() -> Iterator[Profile]:
    """Take samples while the ``with`` lasts."""
    profile = Profile()

    def sample(_signal: int, frame: FrameType | None) -> None:
        profile.stacks[stack_of(frame)] += 1

    before = signal.signal(signal.SIGPROF, sample)
    signal.setitimer(signal.ITIMER_PROF, SAMPLE_EVERY_S, SAMPLE_EVERY_S)
    try:
        yield profile
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def shares_table(shares: Mapping[str, float]) -> Table:
    """Show the layers."""
    table = Table("layer")
    table.add_column("share", justify="right")
    for name, share in shares.items():
        table.add_row(name, f"{share:.1%}")
    return table


def functions_table(profile: Profile, count: int = FUNCTIONS) -> Table:
    """Show the functions that take most by themselves."""
    table = Table()
    for heading in ("own", "with calls"):
        table.add_column(heading, justify="right")
    for heading in ("function", "where"):
        table.add_column(heading, overflow="fold")
    for (filename, name, line), (own, whole) in list(profile.functions().items())[:count]:
        where = f"{place(filename)}:{line}"
        table.add_row(f"{own / profile.samples:.1%}", f"{whole / profile.samples:.1%}", name, where)
    return table


def main() -> int:
    """Profile a figure; 2 when there is no such one."""
    from tests.bench.__main__ import register_all  # those with figures import this module
    from tests.bench.figures import REGISTRY

    parser = argparse.ArgumentParser(prog="python -m tests.bench.profile", description=__doc__)
    parser.add_argument("figure", nargs="?", default=DEFAULT, help=f"by default {DEFAULT}")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of processor time, at least")
    parser.add_argument("--stacks", type=Path, metavar="FILE", help="write collapsed stacks, which speedscope opens")
    arguments = parser.parse_args()
    register_all()
    workloads = {name: each.workload for name, each in REGISTRY.items() if each.workload is not None}
    if arguments.figure not in workloads:
        parser.error(f"no figure {arguments.figure!r} to profile; there are: {', '.join(workloads)}")
    work = workloads[arguments.figure]()
    with sampling() as profile:
        end = process_time() + arguments.seconds
        while process_time() < end:
            work()
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    console.print(f"[bold]{arguments.figure}[/]: {profile.samples} samples by layer, and by function's own time")
    console.print(shares_table(profile.shares()), functions_table(profile), sep="\n")
    if arguments.stacks:
        arguments.stacks.write_text("".join(f"{line}\n" for line in profile.collapsed()), encoding="utf-8")
        console.print(f"{arguments.stacks}: open it with https://www.speedscope.app")
    return 0


if __name__ == "__main__":
    sys.exit(main())
