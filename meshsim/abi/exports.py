"""What the host takes of a module's exports: how the module starts, its allocator, its callbacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from meshsim.abi.constants import AbiVersion, FailState
from meshsim.abi.imports import type_words
from meshsim.abi.signatures import ALLOCATOR_TYPE, ALLOCATORS, callbacks, func_type
from meshsim.wasm import FuncType

_VOID = func_type(">")


class Start(NamedTuple):
    """A function that a module's toolchain may want to run first, and its arguments."""

    name: str
    type: FuncType
    arguments: tuple[int, ...] = ()


#: How a module starts: as a reactor, or as a command.
_START_SEQUENCES: tuple[tuple[Start, ...], ...] = (
    (
        Start("_initialize", _VOID),
        Start("main", func_type("ii>i"), (0, 0)),
        Start("__main_void", func_type(">i")),
    ),
    (Start("_start", _VOID),),
)


@dataclass(frozen=True, slots=True)
class Exports:
    """What was found.

    Attributes
    ----------
    start : tuple of Start
        What is run first, in order: ``_initialize`` and then a main function, or else ``_start``.
    allocator : str
        Name of what gives memory; empty without one.
    callbacks : tuple of str
        The callbacks that are there, with the right types.
    complaints : tuple
        What Envoy says of the rest, in the order in which it comes upon it; each fails the VM.
    """

    start: tuple[Start, ...]
    allocator: str
    callbacks: tuple[str, ...]
    complaints: tuple[tuple[FailState, str], ...]


class _Search:
    """Looks for functions; one with another type is complained of, as V8's look-up does, and the search goes on."""

    def __init__(self, functions: Mapping[str, FuncType]) -> None:
        self._functions = functions
        self.complaints: list[tuple[FailState, str]] = []

    def has(self, name: str, type_: FuncType) -> bool:
        """Whether a function is there, with the right type."""
        offered = self._functions.get(name)
        if offered is None or offered == type_:
            return offered is not None
        said = (
            f"Bad function signature for: {name}, want: {type_words(type_)}, "
            f"but the module exports: {type_words(offered)}"
        )
        self.complaints.append((FailState.UNABLE_TO_INITIALIZE_CODE, said))
        return False

    def start(self) -> tuple[Start, ...]:
        """Look for the functions that run first."""
        for sequence in _START_SEQUENCES:
            found = [start for start in sequence if self.has(start.name, start.type)]
            if found and found[0] is sequence[0]:
                return tuple(found[:2])
        return ()

    def allocator(self) -> str:
        """Look for what gives memory."""
        for name in ALLOCATORS:
            if self.has(name, ALLOCATOR_TYPE):
                return name
        self.complaints.append((FailState.MISSING_FUNCTION, "Wasm VM failed Wasm module is missing malloc function."))
        return ""


def look_up(functions: Mapping[str, FuncType], version: AbiVersion) -> Exports:
    """Look for everything that a host of an ABI version looks for, in Envoy's order."""
    search = _Search(functions)
    start, allocator = search.start(), search.allocator()
    found = tuple(callback.name for callback in callbacks(version).values() if search.has(callback.name, callback.type))
    return Exports(start, allocator, found, tuple(search.complaints))
