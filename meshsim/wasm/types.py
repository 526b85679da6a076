"""The words of this layer: function types, imports, exports, limits, what a host offers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from meshsim.errors import LinkError

PAGE_BYTES = 65536
"""Bytes of one page of linear memory (core specification, 4.2.8)."""

VALUE_NAMES = {
    "i": "i32", "I": "i64", "f": "f32", "F": "f64", "v": "v128", "r": "funcref", "x": "externref", "?": "ref",
}  # fmt: skip
"""Letter of a value type -> its name in the text format; ``?`` is any other reference type."""

VALUE_FEATURES = {
    0x7B: "simd", 0x70: "reference-types", 0x6F: "reference-types", 0x63: "function-references",
    0x64: "function-references", 0x69: "exceptions", 0x74: "exceptions",
    **dict.fromkeys((0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x71, 0x72, 0x73), "gc"),
    0x68: "stack-switching", 0x75: "stack-switching",
}  # fmt: skip
"""First byte of a value type -> the feature beyond WebAssembly 1.0 that it belongs to."""


@dataclass(frozen=True, slots=True)
class FuncType:
    """The type of a function, one letter a value.

    Parameters
    ----------
    params, results : str
        ``i`` i32, ``I`` i64, ``f`` f32, ``F`` f64, ``v`` v128, ``r`` funcref, ``x`` externref, ``?`` any other
        reference type.

    Examples
    --------
    >>> print(FuncType("iiI", "i"))
    (i32, i32, i64) -> i32
    >>> print(FuncType("", ""))
    () -> ()
    """

    params: str
    results: str

    def __str__(self) -> str:
        params = ", ".join(VALUE_NAMES[letter] for letter in self.params)
        results = ", ".join(VALUE_NAMES[letter] for letter in self.results)
        return f"({params}) -> {results if len(self.results) == 1 else f'({results})'}"


@dataclass(frozen=True, slots=True)
class Import:
    """What a module asks of its host.

    ``kind`` is ``func``, ``table``, ``memory``, ``global`` or ``tag``. ``type`` is there for functions only,
    ``element``, the letter of what it holds, for tables only.
    """

    module: str
    name: str
    kind: str
    type: FuncType | None = None
    element: str | None = None

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True, slots=True)
class Export:
    """What a module shows to its host; ``kind`` and ``type`` as in :class:`Import`."""

    name: str
    kind: str
    type: FuncType | None = None


@dataclass(frozen=True, slots=True)
class MemoryLimits:
    """The declared size of a linear memory.

    ``minimum`` and ``maximum`` count pages of 64 KiB (None: as far as the host lets it grow). ``shared``: may be
    seen by several threads. ``wide``: addresses have 64 bits (memory64). ``own_pages``: it names a size of its pages.
    """

    minimum: int
    maximum: int | None = None
    shared: bool = False
    wide: bool = False
    own_pages: bool = False


@dataclass(frozen=True, slots=True)
class CustomSection:
    """A custom section: its name, and where its content lies in the module (bytes)."""

    name: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a guest may go.

    Parameters
    ----------
    memory_bytes : int
        A linear memory cannot grow beyond this; ``memory.grow`` then answers -1. The default is that of
        Proxy-Wasm hosts, 1 GiB.
    fuel_per_call : int, optional
        Wasm operators that one call from outside may burn, with all that it calls; then it ends with a
        :class:`~meshsim.errors.GuestTrap` of code ``out_of_fuel``. Deterministic.
    deadline_s : float, optional
        Wall-clock seconds that one call from outside may take; then it ends with
        :class:`~meshsim.errors.DeadlineExceeded`. A safety net: nothing that is simulated may depend on it.
    kept_bytes_per_call : int
        What one call from outside may make its host keep or copy, about: log lines, headers, messages, its trace. Then
        it ends with an error. The default is ours; Proxy-Wasm hosts have none.
    kept_bytes : int
        What the records of all calls may take, about.
    """

    memory_bytes: int = 1 << 30
    fuel_per_call: int | None = None
    deadline_s: float | None = None
    kept_bytes_per_call: int = 32 << 20
    kept_bytes: int = 1 << 30


@dataclass(frozen=True, slots=True)
class HostImport:
    """A function that the host offers to a module.

    ``fn`` gets i32 and i64 arguments as unsigned ints, f32 and f64 as floats. It returns the result as a signed or
    unsigned int, or a float; None when the type has no result. An exception that it raises ends the guest's call
    and comes out of :meth:`Vm.function <meshsim.wasm.vm.Vm.function>`'s callable unchanged.
    """

    type: FuncType
    fn: Callable[..., int | float | None]


class UnresolvedImport(LinkError):
    """An import that the host does not offer, or offers with another type.

    Attributes
    ----------
    module, name, kind : str
        The import, as in :class:`Import`.
    wanted : FuncType or None
        The type in the module; None when the import is no function.
    offered : FuncType or None
        The host's type; None when the host has nothing of that name and kind.
    """

    def __init__(self, wanted: Import, offered: FuncType | None = None) -> None:
        asked = f" {wanted.type}" if wanted.type else ""
        answer = f"the host's is {offered}" if offered else "the host has none"
        super().__init__(f"import of {wanted.kind} {wanted}{asked}: {answer}")
        self.module = wanted.module
        self.name = wanted.name
        self.kind = wanted.kind
        self.wanted = wanted.type
        self.offered = offered
