"""Guests that make host calls one after the other, written as data.

A call is a tuple: the host function's name, then its arguments. A text or bytes stand for two numbers, their address
and size in the guest's memory; :class:`Load` for what stands in a cell by then; a number for itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import wasmtime

from meshsim.abi.constants import AbiVersion
from meshsim.abi.signatures import HOST_FUNCTIONS, HostFunction, callbacks

#: Cells that host functions write to, and addresses that are none.
OUT, SIZE, NUMBER = 16, 20, 24
OUTSIDE = 0xFFFF_FFF0

_DATA, _HEAP = 64, 65_536
_TYPES = {"i": "i32", "I": "i64", "f": "f32", "F": "f64"}
_FUNCTIONS = {function.name: function for function in HOST_FUNCTIONS if function.module != "wasi_unstable"}


@dataclass(frozen=True, slots=True)
class Load:
    """The number in a cell of the guest's memory, when the call is made."""

    cell: int


Argument = int | str | bytes | Load
Call = tuple[str | Argument, ...]


def guest(
    calls: Mapping[str, Sequence[Call]],
    *,
    results: Mapping[str, int] | None = None,
    traps: Sequence[str] = (),
    allocator: Sequence[Call] = (),
    version: str = "0_2_1",
    more: str = "",
) -> bytes:
    """Return a module whose callbacks make the given calls.

    ``results`` is what callbacks return (1, but 0 from those of streams), ``traps`` names those that end by a trap,
    ``allocator`` is what the allocator calls, ``more`` is text of the module's own.
    """
    writer = _Writer()
    functions = [
        writer.callback(name, version, calls.get(name, ()), (results or {}).get(name), trap=name in traps)
        for name in dict.fromkeys([*calls, *(results or {}), *traps])
    ]
    inside = "".join(writer.call(call) for call in allocator)
    return bytes(wasmtime.wat2wasm(writer.module(functions, inside, version, more)))


class _Writer:
    def __init__(self) -> None:
        self._imports: dict[str, HostFunction] = {}
        self._data = bytearray()

    def callback(self, name: str, version: str, calls: Sequence[Call], result: int | None, *, trap: bool) -> str:
        type_ = callbacks(AbiVersion(version))[name].type
        parameters = "".join(f" (param {_TYPES[letter]})" for letter in type_.params)
        body = "".join(map(self.call, calls)) + (" (unreachable)" if trap else "")
        if not type_.results:
            return f'(func (export "{name}"){parameters}{body})'
        value = result if result is not None else int(len(type_.params) == 2 and "trailers" not in name)
        return f'(func (export "{name}"){parameters} (result i32){body} (i32.const {value}))'

    def call(self, call: Call) -> str:
        function = self._imports[str(call[0])] = _FUNCTIONS[str(call[0])]
        words = [word for argument in call[1:] for word in self._words(argument)]
        assert len(words) == len(function.type.params), call
        typed = [
            word if isinstance(word, str) else f"({_TYPES[letter]}.const {word})"
            for word, letter in zip(words, function.type.params, strict=True)
        ]
        text = f"(call ${function.name} {' '.join(typed)})"
        return f"\n    (drop {text})" if function.type.results else f"\n    {text}"

    def _words(self, argument: Argument) -> list[int | str]:
        if isinstance(argument, Load):
            return [f"(i32.load (i32.const {argument.cell}))"]
        if isinstance(argument, int):
            return [argument]
        data = argument.encode() if isinstance(argument, str) else argument
        self._data += data
        return [_DATA + len(self._data) - len(data), len(data)]

    def module(self, functions: list[str], allocator: str, version: str, more: str) -> str:
        assert _DATA + len(self._data) < _HEAP
        imports = [
            f'(import "{function.module}" "{function.name}" (func ${function.name}'
            f"{''.join(f' (param {_TYPES[letter]})' for letter in function.type.params)}"
            f"{''.join(f' (result {_TYPES[letter]})' for letter in function.type.results)}))"
            for function in self._imports.values()
        ]
        escaped = "".join(f"\\{byte:02x}" for byte in self._data)
        return (
            "\n  ".join(
                [
                    "(module",
                    *imports,
                    '(memory (export "memory") 4)',
                    f'(data (i32.const {_DATA}) "{escaped}")',
                    f"(global $free (mut i32) (i32.const {_HEAP}))",
                    f'(func (export "proxy_abi_version_{version}"))',
                    f'(func (export "malloc") (param $size i32) (result i32){allocator}',
                    "  (global.set $free (i32.add (global.get $free) (local.get $size)))",
                    "  (i32.sub (global.get $free) (local.get $size)))",
                    *functions,
                    more,
                ]
            )
            + ")"
        )
