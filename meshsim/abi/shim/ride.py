"""Rides: callbacks of a stream context that are shown what is known beforehand, all in one crossing.

A ride goes on from callback to callback as long as each leaves of its piece what was expected. Who takes it learns how
many did, and finds everything behind the last of them as if it had been called by itself. When a module asks for
something that only Python has, whoever rides has to *dismount* first: to come up with the very piece that the module
is being shown, which lies in the shim's memory so far.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from meshsim.abi.shim.blocks import MapRules
from meshsim.abi.shim.drivers import Driver
from meshsim.abi.shim.layout import LAYOUT, NUMBERS
from meshsim.abi.signatures import GUEST_SLOTS

RIDE = "ride"
"""Name of the driver of all rides."""

_STEP = struct.Struct("<10I")
#: Pieces lie so far apart: they are compared eight bytes at a time, a little behind their ends too.
_APART = 16


@dataclass(frozen=True, slots=True)
class RideStep:
    """One callback of a ride.

    Attributes
    ----------
    callback : str
        Its name.
    kind : int
        A :class:`~meshsim.abi.constants.HeaderMapType`, or for a body 16 + its
        :class:`~meshsim.abi.constants.BufferType`.
    content : bytes
        What it is shown: a block (:mod:`meshsim.abi.shim.blocks`), or bytes.
    told : int
        How many headers, or bytes, it is told of.
    end : bool
        Whether nothing follows.
    expected : bytes or None
        The block that it is expected to leave; None for the same content.
    rules : MapRules or None
        The map's.
    """

    callback: str
    kind: int
    content: bytes
    told: int
    end: bool
    expected: bytes | None
    rules: MapRules | None


@dataclass(frozen=True, slots=True)
class Ride:
    """A ride in one VM's memory.

    ``own``, ``carried`` and ``dated`` say where marks stand; texts of the same length replace them before a ride.
    ``creates`` says whether the context is created first, ``charged`` how many of its callbacks the module has.
    """

    address: int
    length: int
    driver: Driver
    creates: bool
    charged: int
    own: Sequence[slice]
    carried: Sequence[slice]
    dated: Sequence[slice]


class Rider(Protocol):
    """Who takes a ride."""

    def dismount(self, over: int) -> Any:
        """Give the map or body that a callback is shown, before which ``over`` have run; None when that is nothing."""


class Rides:
    """Where rides are kept in one shim's memory.

    Parameters
    ----------
    memory : memoryview
        The shim's.
    rules : callable
        Gives the address of a kind of map's rules.
    exports : callable
        Whether the module has a callback.
    """

    def __init__(self, memory: memoryview, rules: Callable[[MapRules], int], exports: Callable[[str], bool]) -> None:
        self._memory = memory
        self._rules = rules
        self._exports = exports
        self._free = LAYOUT["RIDES"]

    def make(self, steps: Sequence[RideStep], marks: tuple[bytes, bytes, bytes], *, creates: bool) -> Ride | None:
        """Write a ride; None when there is no room for it.

        Parameters
        ----------
        steps : sequence of RideStep
            At least one.
        marks : (bytes, bytes, bytes)
            What stands for texts that are different each time.
        creates : bool
            Whether the context is created first.
        """
        begin, free = self._free, self._free + LAYOUT["RIDE_STEPS"] + LAYOUT["RIDE_STEP_SIZE"] * len(steps)
        pieces: list[tuple[int, bytes]] = [(begin, struct.pack("<2I", len(steps), creates))]
        places: list[list[slice]] = [[] for _ in marks]
        for i, step in enumerate(steps):
            at = [0, 0]
            for which, content in enumerate((step.content, step.expected)):
                if content is not None:
                    free = at[which] = (free + _APART) & -_APART
                    pieces.append((free, content))
                    for place, mark in zip(places, marks, strict=True):
                        place += [slice(free + found, free + found + len(mark)) for found in _all(content, mark)]
                    free += len(content)
            where = begin + LAYOUT["RIDE_STEPS"] + LAYOUT["RIDE_STEP_SIZE"] * i
            pieces.append((where, self._step(step, *at)))
        if (free := free + _APART) > LAYOUT["RIDES_END"]:
            return None
        for at_, data in pieces:
            self._memory[at_ : at_ + len(data)] = data
        self._free = free
        callbacks = (*(("proxy_on_context_create",) if creates else ()), *(step.callback for step in steps))
        charged = sum(map(self._exports, callbacks))
        return Ride(begin, len(steps), Driver(RIDE, callbacks), creates, charged, *places)

    def _step(self, step: RideStep, content: int, expected: int) -> bytes:
        rules = self._rules(step.rules) if step.rules else 0
        flags = NUMBERS["HOST_IS_AUTHORITY"] if step.rules and step.rules.host_is_authority else 0
        slot, size = GUEST_SLOTS[step.callback], len(step.expected or b"")
        return _STEP.pack(
            slot, step.kind, content, len(step.content), step.told, step.end, expected, size, rules, flags
        )


def _all(text: bytes, mark: bytes) -> list[int]:
    """Where a mark stands in a text."""
    return [match.start() for match in re.finditer(re.escape(mark), text)]
