"""What each numeric instruction computes (core specification, 4.3), on bits.

A value is the int that its bits make: i32 and f32 of 32 bits, i64 and f64 of 64 bits, unsigned. So a NaN keeps its
payload, and -0.0 its sign. Arithmetic that gives a NaN gives the canonical one: the specification leaves the choice to
the machine, and engines that are asked to be deterministic choose this one.
"""

from __future__ import annotations

import math
import operator
import struct
from collections.abc import Callable
from dataclasses import dataclass

from meshsim.errors import GuestTrap
from meshsim.wasm.opcodes import NUMERIC

WIDTHS = {"i": 32, "I": 64, "f": 32, "F": 64}
"""Letter of a type -> its bits."""

_FORMATS = {"f": ("<f", "<I"), "F": ("<d", "<Q")}
_CANONICAL_NAN = {"f": 0x7FC00000, "F": 0x7FF8000000000000}
_TYPES = {"i32": "i", "i64": "I", "f32": "f", "f64": "F"}


@dataclass(frozen=True, slots=True)
class Operation:
    """A numeric instruction: types of what it takes and gives, as letters, and what it computes."""

    name: str
    params: str
    result: str
    compute: Callable[..., int]


def to_float(bits: int, letter: str) -> float:
    """Return the number that bits stand for; ``letter`` is ``f`` or ``F``.

    Examples
    --------
    >>> to_float(0x3F800000, "f")
    1.0
    """
    number, whole = _FORMATS[letter]
    value: float = struct.unpack(number, struct.pack(whole, bits))[0]
    return value


def to_bits(value: float, letter: str) -> int:
    """Return the bits of a number, rounded to the type; any NaN becomes the canonical one.

    Examples
    --------
    >>> hex(to_bits(1e300, "f"))
    '0x7f800000'
    """
    if value != value:
        return _CANONICAL_NAN[letter]
    number, whole = _FORMATS[letter]
    try:
        packed = struct.pack(number, value)
    except OverflowError:  # too large for an f32
        packed = struct.pack(number, math.copysign(math.inf, value))
    bits: int = struct.unpack(whole, packed)[0]
    return bits


def signed(bits: int, width: int) -> int:
    """Return bits as a two's complement number.

    Examples
    --------
    >>> signed(0xFFFFFFFF, 32)
    -1
    """
    return bits - (1 << width) if bits >> (width - 1) else bits


# --- integers --------------------------------------------------------------------------------------------------------


def _divide(width: int, is_signed: bool) -> Callable[[int, int], int]:
    def divide(a: int, b: int) -> int:
        if b == 0:
            raise GuestTrap("integer_division_by_zero", "integer divide by zero")
        if not is_signed:
            return a // b
        a, b = signed(a, width), signed(b, width)
        quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        if quotient >> (width - 1) == 1:
            raise GuestTrap("integer_overflow", "integer overflow")
        return quotient

    return divide


def _remainder(width: int, is_signed: bool) -> Callable[[int, int], int]:
    def remainder(a: int, b: int) -> int:
        if b == 0:
            raise GuestTrap("integer_division_by_zero", "integer divide by zero")
        if not is_signed:
            return a % b
        a, b = signed(a, width), signed(b, width)
        return abs(a) % abs(b) * (-1 if a < 0 else 1)

    return remainder


def _integer(name: str, width: int) -> dict[str, tuple[int, Callable[..., int]]]:
    """Operations of an integer type: name -> how many operands, what is computed (cut to the width by the caller)."""

    def s(a: int) -> int:
        return signed(a, width)

    def rotl(a: int, b: int) -> int:
        b %= width
        return a << b | a >> (width - b)

    comparisons: dict[str, Callable[[int, int], bool]] = {
        "lt": operator.lt, "gt": operator.gt, "le": operator.le, "ge": operator.ge,
    }  # fmt: skip
    operations: dict[str, tuple[int, Callable[..., int]]] = {
        "eqz": (1, lambda a: int(a == 0)),
        "eq": (2, lambda a, b: int(a == b)),
        "ne": (2, lambda a, b: int(a != b)),
        "clz": (1, lambda a: width - a.bit_length()),
        "ctz": (1, lambda a: (a & -a).bit_length() - 1 if a else width),
        "popcnt": (1, int.bit_count),
        "add": (2, operator.add),
        "sub": (2, operator.sub),
        "mul": (2, operator.mul),
        "div_s": (2, _divide(width, True)),
        "div_u": (2, _divide(width, False)),
        "rem_s": (2, _remainder(width, True)),
        "rem_u": (2, _remainder(width, False)),
        "and": (2, operator.and_),
        "or": (2, operator.or_),
        "xor": (2, operator.xor),
        "shl": (2, lambda a, b: a << b % width),
        "shr_s": (2, lambda a, b: s(a) >> b % width),
        "shr_u": (2, lambda a, b: a >> b % width),
        "rotl": (2, rotl),
        "rotr": (2, lambda a, b: rotl(a, -b)),
    }
    for word, compare in comparisons.items():
        operations[f"{word}_s"] = (2, lambda a, b, compare=compare: int(compare(s(a), s(b))))
        operations[f"{word}_u"] = (2, lambda a, b, compare=compare: int(compare(a, b)))
    for narrow in (8, 16, 32):
        operations[f"extend{narrow}_s"] = (1, lambda a, n=narrow: signed(a & ((1 << n) - 1), n))
    return operations


# --- floats ----------------------------------------------------------------------------------------------------------


def _quotient(a: float, b: float) -> float:
    if b:
        return a / b
    return math.nan if a == 0 or a != a else math.copysign(math.inf, a) * math.copysign(1, b)


def _whole(rounded: Callable[[float], int]) -> Callable[[float], float]:
    """Rounding to a whole number that keeps infinities and the sign of zero."""

    def of(a: float) -> float:
        return math.copysign(float(rounded(a)), a) if math.isfinite(a) else a

    return of


def _least(a: float, b: float) -> float:
    if a != a or b != b:
        return math.nan
    return math.copysign(0.0, min(math.copysign(1, a), math.copysign(1, b))) if a == b == 0 else min(a, b)


def _float() -> dict[str, tuple[int, Callable[..., float]]]:
    """Operations of both float types, on numbers."""
    return {
        "ceil": (1, _whole(math.ceil)),
        "floor": (1, _whole(math.floor)),
        "trunc": (1, _whole(math.trunc)),
        "nearest": (1, _whole(round)),
        "sqrt": (1, lambda a: math.sqrt(a) if a >= 0 else a if a == 0 else math.nan),
        "add": (2, operator.add),
        "sub": (2, operator.sub),
        "mul": (2, operator.mul),
        "div": (2, _quotient),
        "min": (2, _least),
        "max": (2, lambda a, b: -_least(-a, -b)),
    }


_TESTS = frozenset({"eqz", "eq", "ne", "lt", "gt", "le", "ge"})
_FLOAT_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "gt": operator.gt, "le": operator.le, "ge": operator.ge,
}  # fmt: skip


# --- conversions -----------------------------------------------------------------------------------------------------


def _to_integer(source: str, width: int, is_signed: bool, saturate: bool) -> Callable[[int], int]:
    low = -(1 << (width - 1)) if is_signed else 0
    high = (1 << (width - int(is_signed))) - 1

    def convert(bits: int) -> int:
        value = to_float(bits, source)
        if value != value:
            if saturate:
                return 0
            raise GuestTrap("bad_conversion_to_integer", "invalid conversion to integer")
        whole = math.trunc(value) if math.isfinite(value) else (high + 1 if value > 0 else low - 1)
        if not low <= whole <= high and not saturate:
            raise GuestTrap("integer_overflow", "integer overflow")
        return min(max(whole, low), high)

    return convert


def _from_integer(target: str, width: int, is_signed: bool) -> Callable[[int], int]:
    def convert(bits: int) -> int:
        number = signed(bits, width) if is_signed else bits
        return to_bits(_odd(number) if target == "f" else float(number), target)

    return convert


def _odd(number: int) -> float:
    """A number of at most 64 bits in 53; a last bit for what is cut off makes rounding it again to 24 right."""
    size = abs(number)
    cut = max(0, size.bit_length() - 53)
    kept = size >> cut | int(size & ((1 << cut) - 1) != 0)
    return math.copysign(math.ldexp(float(kept), cut), number)


# --- the table


def _operation(name: str) -> Operation:
    kind, _, word = name.partition(".")
    letter = _TYPES[kind]
    if (found := _conversion(name, letter, word)) is not None:
        return found
    return (_integer_operation if letter in "iI" else _float_operation)(name, letter, word)


def _integer_operation(name: str, letter: str, word: str) -> Operation:
    width = WIDTHS[letter]
    count, compute = _integer(letter, width)[word]
    mask = (1 << width) - 1
    result = "i" if word.rstrip("_su") in _TESTS else letter
    return Operation(name, letter * count, result, lambda *bits: compute(*bits) & mask)


def _float_operation(name: str, letter: str, word: str) -> Operation:
    sign = 1 << (WIDTHS[letter] - 1)
    bitwise: dict[str, tuple[int, Callable[..., int]]] = {
        "abs": (1, lambda a: a & ~sign),
        "neg": (1, lambda a: a ^ sign),
        "copysign": (2, lambda a, b: a & ~sign | b & sign),
    }
    if word in bitwise:
        count, compute = bitwise[word]
        return Operation(name, letter * count, letter, compute)
    if word in _FLOAT_COMPARISONS:
        holds = _FLOAT_COMPARISONS[word]
        return Operation(name, letter * 2, "i", lambda a, b: int(holds(to_float(a, letter), to_float(b, letter))))
    count, calculate = _float()[word]
    return Operation(
        name, letter * count, letter, lambda *bits: to_bits(calculate(*(to_float(b, letter) for b in bits)), letter)
    )


def _conversion(name: str, letter: str, word: str) -> Operation | None:
    verb, _, rest = word.partition("_")
    source = next((_TYPES[part] for part in rest.split("_") if part in _TYPES), None)
    if source is None:
        return None
    is_signed, mask = rest.endswith("_s"), (1 << WIDTHS[letter]) - 1
    width = WIDTHS[source]
    compute: Callable[[int], int]
    if verb == "trunc":
        compute = _to_integer(source, WIDTHS[letter], is_signed, "sat" in rest)
        return Operation(name, source, letter, lambda bits: compute(bits) & mask)
    if verb == "convert":
        return Operation(name, source, letter, _from_integer(letter, width, is_signed))
    if verb in ("demote", "promote"):
        return Operation(name, source, letter, lambda bits: to_bits(to_float(bits, source), letter))
    if verb == "extend" and is_signed:
        return Operation(name, source, letter, lambda bits: signed(bits, width) & mask)
    return Operation(name, source, letter, lambda bits: bits & mask)  # wrap, extend_u, reinterpret


OPERATIONS: dict[int, Operation] = {opcode: _operation(name) for opcode, name in NUMERIC.items()}
"""Opcode -> numeric instruction."""
