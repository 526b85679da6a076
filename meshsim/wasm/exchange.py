"""Functions that a guest imports, reached through a table instead of being linked to it.

Theory of operation
-------------------
A module is linked once, for the life of its instance. To have a say afterwards, a guest is given *relays*: small Wasm
functions, one an import, each of which calls what lies in its *slot* of a table. The table may be filled anew at any
time, with Python functions or with Wasm. At first a slot holds a function of the relay module that hands the number
of the slot and all arguments to the one host function of the VM, :class:`Exchange`; it looks the number up and calls
Python. So a VM costs one C callback however many functions its module imports, a Python function is made when it is
first called, and what the engine knows of a host function (a type, an address) is not made a thousand times.

A guest must not notice. Its backtraces leave out the modules that are named here, and its fuel does not hold what
the relays burn: that is a constant a call, known here exactly. Wasmtime charges 1 for entering a function and for
each operator, save ``block``, ``loop``, ``else``, ``end``, ``return``, ``nop``, ``drop`` and ``unreachable``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from meshsim.wasm.marshal import SlotViews, slots_format
from meshsim.wasm.tally import Tally
from meshsim.wasm.types import VALUE_NAMES, FuncType, Import

HOST_MODULE = "meshsim"
"""The module name of what relays and their like import."""

RELAY_NAME = "meshsim:relay"

OWN_MODULES = frozenset({RELAY_NAME, "meshsim:shim"})
"""Names (of the name section) of modules that stand between guest and host; no backtrace shows them."""

MAX_PARAMS = 12
"""The longest list of parameters that an exchange takes: that of ``proxy_grpc_call``."""

EXCHANGE_TYPE = FuncType("i" + "I" * MAX_PARAMS, "i")
"""Of the one host function: a slot, then the arguments, all as i64."""

DIRECT = 1 << 12
"""Added to a slot by those who call the exchange without a relay, and account for their own fuel."""

Call = Callable[..., int | None]


@dataclass(frozen=True, slots=True)
class Board:
    """Which slot of the table each function has, and who makes the function for a slot.

    Parameters
    ----------
    slots : mapping of (str, str) to int
        Module and name -> slot.
    size : int
        Length of the table.
    """

    slots: Mapping[tuple[str, str], int]
    size: int


def relay_fuel(type_: FuncType) -> int:
    """What a relay burns: entry, arguments, the slot's number, the call.

    Examples
    --------
    >>> relay_fuel(FuncType("iii", "i"))
    6
    """
    return 3 + len(type_.params)


def _forward_fuel(type_: FuncType) -> int:
    """What handing over to the exchange burns: entry, slot, arguments widened and filled up, the call."""
    return 3 + MAX_PARAMS + type_.params.count("i")


class Exchange(dict[int, tuple[Call, struct.Struct, int]]):
    """The one host function of a VM: it finds the function of a slot and calls it.

    Parameters
    ----------
    types : mapping of int to FuncType
        Of the functions, by slot.
    bind : callable
        Gives the Python function of a slot, when it is first called.
    """

    def __init__(self, types: Mapping[int, FuncType], bind: Callable[[int], Call]) -> None:
        super().__init__()
        self._types = types
        self._bind = bind
        #: What relays have burnt so far on the way here.
        self.burnt = Tally()

    def __missing__(self, number: int) -> tuple[Call, struct.Struct, int]:
        slot = number % DIRECT
        type_ = self._types[slot]
        fuel = 0 if number >= DIRECT else relay_fuel(type_) + _forward_fuel(type_)
        entry = self[number] = self._bind(slot), slots_format(type_.params), fuel
        return entry

    def answer(self, number: int, params: str, call: Call) -> None:
        """Answer a number that is no slot with ``call``; who calls it accounts for the fuel."""
        self[number] = call, slots_format(params), 0

    def callback(self, views: SlotViews) -> Callable[[int, int, int, int], int]:
        """The Python side of the host function; ``views`` are those of the store, with room for its arguments."""
        burnt = self.burnt

        def exchange(_env: int, _caller: int, at: int, _count: int) -> int:
            view = views[at]
            call, arguments, fuel = self[view[0]]
            burnt.count += fuel
            result = call(*arguments.unpack_from(view, 16))
            if result is not None:
                view[0] = result & 0xFFFFFFFF
            return 0

        return exchange


def relay_text(functions: Mapping[int, FuncType], size: int) -> str:
    """The relay module's text: for each slot a function, exported in order, and last the table."""
    parts = [f'(module ${RELAY_NAME} (import "{HOST_MODULE}" "call" (func $host {_signature(EXCHANGE_TYPE)}))']
    for slot, type_ in functions.items():
        parts.append(_relay(slot, type_))
    parts.append(f'(table (export "table") {size} {size} funcref)')
    parts += [f"(elem (i32.const {slot}) func $forward{slot})" for slot in functions]
    return "\n".join((*parts, ")"))


def _relay(slot: int, type_: FuncType) -> str:
    signature = _signature(type_)
    arguments = " ".join(f"(local.get {i})" for i in range(len(type_.params)))
    wide = " ".join(
        f"(i64.extend_i32_u (local.get {i}))" if letter == "i" else f"(local.get {i})"
        for i, letter in enumerate(type_.params)
    )
    rest = " ".join(["(i64.const 0)"] * (MAX_PARAMS - len(type_.params)))
    forward = f"$host (i32.const {slot}) {wide} {rest}"
    body = f"(return_call {forward})" if type_.results else f"(drop (call {forward}))"
    return f"""(type $type{slot} (func {signature}))
(func (export "{slot}") (type $type{slot}) (return_call_indirect (type $type{slot}) {arguments} (i32.const {slot})))
(func $forward{slot} (type $type{slot}) {body})"""


def _signature(type_: FuncType) -> str:
    params = " ".join(VALUE_NAMES[letter] for letter in type_.params)
    results = " ".join(VALUE_NAMES[letter] for letter in type_.results)
    return f"(param {params}) (result {results})"


def slots_of(imports: tuple[Import, ...], board: Board) -> dict[int, FuncType]:
    """Slot -> type of the functions that a module imports, each once."""
    found: dict[int, FuncType] = {}
    for wanted in imports:
        if wanted.type is not None:
            found[board.slots[wanted.module, wanted.name]] = wanted.type
    return found
