"""What each seed must do: its kind of guest, its ABI version, and its share of the cells.

The cells of a phase stand in a fixed order, and guests of a kind take them in turn. So no run leaves a cell to chance:
of a whole multiple of the period, every cell gets nearly the same number of calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import cycle, islice
from typing import TypeVar

from meshsim.abi.constants import AbiVersion
from meshsim.abi.signatures import ALLOCATING, WASI_MODULES
from tests.fuzz.calls import classes_of
from tests.fuzz.cells import cells, shuffled, versions_of
from tests.fuzz.programs import Call

T = TypeVar("T")

#: Kinds of guests, over and over.
PATTERN = ("network", "http_call", "queue", "dns", "grpc", *("http",) * 15)
_OLD, _MIDDLE, _NEW = AbiVersion.V0_1_0, AbiVersion.V0_2_0, AbiVersion.V0_2_1
VERSIONS = (_OLD, _MIDDLE, _NEW, _NEW, _NEW, _OLD, _NEW, _NEW, _NEW, _NEW)


def _rank(pattern: Sequence[T], number: int) -> tuple[T, int]:
    """What stands at a place of a pattern that repeats, and how often it stood there before."""
    rounds, place = divmod(number, len(pattern))
    return pattern[place], rounds * pattern.count(pattern[place]) + pattern[:place].count(pattern[place])


@dataclass(frozen=True, slots=True)
class Plan:
    """What a seed is to do. ``index`` counts the seeds of its kind, ``turn`` those of kind and version."""

    seed: int
    kind: str
    index: int
    version: AbiVersion
    turn: int

    @classmethod
    def of(cls, seed: int) -> Plan:
        kind, index = _rank(PATTERN, seed)
        version, turn = _rank(VERSIONS, index)
        return cls(seed, kind, index, version, turn)

    @property
    def wasi(self) -> str:
        """The name by which the guest imports WASI."""
        return WASI_MODULES[self.index % 2]

    def share(self, phase: str, count: int) -> list[Call]:
        """So many calls of a phase: in the first version half of them are those that only it has."""
        if self.version is not _OLD:
            return _turn(_calls(phase, self.version), self.turn, count)
        own = _turn(_calls(phase, _OLD, only=True), self.turn, count // 2)
        return own + _turn(_calls(phase, _OLD), self.turn, count - len(own))

    def any_calls(self, phase: str) -> list[Call]:
        """Every call that a guest of this version can make in a phase."""
        return _calls(phase, self.version) + (_calls(phase, _OLD, only=True) if self.version is _OLD else [])

    def forbidden_in_allocator(self) -> Call | None:
        """A call that traps while the guest gives memory, for a guest of its own; two seeds of three have one."""
        return None if self.index % 3 == 2 else _turn(_forbidden(), self.index - self.index // 3, 1)[0]


def _turn(calls: list[Call], turn: int, count: int) -> list[Call]:
    start = turn * count % len(calls) if calls else 0
    return list(islice(cycle(calls), start, start + count)) if calls else []


@cache
def _of_phase(phase: str) -> list[Call]:
    calls = [(function, class_) for function, where, class_ in cells(classes_of) if where == phase]
    if phase == "allocate":
        calls = [call for call in calls if call[0].partition(".")[2] in ALLOCATING]
    return shuffled(phase, calls)


@cache
def _forbidden() -> list[Call]:
    """What the newest version offers and the allocator may not use."""
    return [
        (function, class_)
        for function, where, class_ in cells(classes_of)
        if where == "allocate" and function.partition(".")[2] not in ALLOCATING
    ]


@cache
def _calls(phase: str, version: AbiVersion, *, only: bool = False) -> list[Call]:
    """A phase's calls that a version offers; with ``only`` those that no other version does, else the others."""
    wanted = []
    for call in _of_phase(phase):
        versions = versions_of(call[0])
        if version in versions and (versions == frozenset({_OLD})) is only:
            wanted.append(call)
    return wanted
