"""What modules import, and which of it the host offers: what is refused, and in which words."""

from __future__ import annotations

from collections.abc import Sequence

from meshsim.abi.constants import AbiVersion
from meshsim.abi.dialect import Dialect, stands_in
from meshsim.abi.signatures import HostFunction, offered
from meshsim.wasm import FuncType, Import

#: Kinds of imports that no host function stands for: the VM makes them.
_MADE_BY_VM = ("memory", "table")

_TYPE_WORDS = {"i": "i32", "I": "i64", "f": "f32", "F": "f64", "v": "v128", "r": "funcref", "x": "externref"}


def refusal(imports: Sequence[Import], version: AbiVersion, dialect: Dialect) -> str | None:
    """Why the host cannot link a module, in Envoy's words; None when it can."""
    available = offered(version)
    for wanted in imports:
        if wanted.kind in _MADE_BY_VM:
            continue
        function = available.get((wanted.module, wanted.name))
        if function is None and stands_in(dialect, wanted.module, wanted.type):
            continue
        if function is None or wanted.type is None:
            return f"Failed to load Wasm module due to a missing import: {wanted.module}.{wanted.name}"
        if function.type != wanted.type:
            return _mismatch(function, wanted.type)
    kinds = [wanted.kind for wanted in imports]
    if any(kinds.count(kind) > 1 for kind in _MADE_BY_VM):  # Envoy keeps one of each, and forgets the first
        return "Failed to create new Wasm instance"
    return None


def unimplemented(imports: Sequence[Import], version: AbiVersion, dialect: Dialect) -> tuple[str, ...]:
    """Name the imports that the host has not, and that are stood in for."""
    available = offered(version)
    return tuple(
        wanted.name
        for wanted in imports
        if (wanted.module, wanted.name) not in available and stands_in(dialect, wanted.module, wanted.type)
    )


def _mismatch(offer: HostFunction, wanted: FuncType) -> str:
    return (
        "Failed to load Wasm module due to an import type mismatch: "
        f"{offer.module}.{offer.name}, want: {type_words(wanted)}, but host exports: {type_words(offer.type)}"
    )


def type_words(type_: FuncType) -> str:
    """Write a type as Envoy does.

    Examples
    --------
    >>> type_words(FuncType("iI", ""))
    'i32 i64 -> void'
    """
    params, results = (" ".join(_TYPE_WORDS[letter] for letter in side) for side in (type_.params, type_.results))
    return f"{params or 'void'} -> {results or 'void'}"
