"""Names of instructions by opcode (core specification, 5.4), and which of them are stepped through.

An opcode is one byte, or a prefix byte with the number behind it: 0xFC0A.
"""

from __future__ import annotations


def _from(first: int, names: str) -> dict[int, str]:
    """Names of opcodes that follow each other."""
    return dict(enumerate(names.split(), first))


NUMERIC: dict[int, str] = {
    **_from(0x45, "i32.eqz i32.eq i32.ne i32.lt_s i32.lt_u i32.gt_s i32.gt_u i32.le_s i32.le_u i32.ge_s i32.ge_u"),
    **_from(0x50, "i64.eqz i64.eq i64.ne i64.lt_s i64.lt_u i64.gt_s i64.gt_u i64.le_s i64.le_u i64.ge_s i64.ge_u"),
    **_from(0x5B, "f32.eq f32.ne f32.lt f32.gt f32.le f32.ge f64.eq f64.ne f64.lt f64.gt f64.le f64.ge"),
    **_from(0x67, "i32.clz i32.ctz i32.popcnt i32.add i32.sub i32.mul i32.div_s i32.div_u i32.rem_s i32.rem_u"),
    **_from(0x71, "i32.and i32.or i32.xor i32.shl i32.shr_s i32.shr_u i32.rotl i32.rotr"),
    **_from(0x79, "i64.clz i64.ctz i64.popcnt i64.add i64.sub i64.mul i64.div_s i64.div_u i64.rem_s i64.rem_u"),
    **_from(0x83, "i64.and i64.or i64.xor i64.shl i64.shr_s i64.shr_u i64.rotl i64.rotr"),
    **_from(0x8B, "f32.abs f32.neg f32.ceil f32.floor f32.trunc f32.nearest f32.sqrt"),
    **_from(0x92, "f32.add f32.sub f32.mul f32.div f32.min f32.max f32.copysign"),
    **_from(0x99, "f64.abs f64.neg f64.ceil f64.floor f64.trunc f64.nearest f64.sqrt"),
    **_from(0xA0, "f64.add f64.sub f64.mul f64.div f64.min f64.max f64.copysign"),
    **_from(0xA7, "i32.wrap_i64 i32.trunc_f32_s i32.trunc_f32_u i32.trunc_f64_s i32.trunc_f64_u"),
    **_from(0xAC, "i64.extend_i32_s i64.extend_i32_u"),
    **_from(0xAE, "i64.trunc_f32_s i64.trunc_f32_u i64.trunc_f64_s i64.trunc_f64_u"),
    **_from(0xB2, "f32.convert_i32_s f32.convert_i32_u f32.convert_i64_s f32.convert_i64_u f32.demote_f64"),
    **_from(0xB7, "f64.convert_i32_s f64.convert_i32_u f64.convert_i64_s f64.convert_i64_u f64.promote_f32"),
    **_from(0xBC, "i32.reinterpret_f32 i64.reinterpret_f64 f32.reinterpret_i32 f64.reinterpret_i64"),
    **_from(0xC0, "i32.extend8_s i32.extend16_s i64.extend8_s i64.extend16_s i64.extend32_s"),
    **_from(0xFC00, "i32.trunc_sat_f32_s i32.trunc_sat_f32_u i32.trunc_sat_f64_s i32.trunc_sat_f64_u"),
    **_from(0xFC04, "i64.trunc_sat_f32_s i64.trunc_sat_f32_u i64.trunc_sat_f64_s i64.trunc_sat_f64_u"),
}
"""Instructions that take values from the stack and give one, and look at nothing else."""

LOADS: dict[int, str] = {
    **_from(0x28, "i32.load i64.load f32.load f64.load i32.load8_s i32.load8_u i32.load16_s i32.load16_u"),
    **_from(0x30, "i64.load8_s i64.load8_u i64.load16_s i64.load16_u i64.load32_s i64.load32_u"),
}
STORES: dict[int, str] = _from(
    0x36, "i32.store i64.store f32.store f64.store i32.store8 i32.store16 i64.store8 i64.store16 i64.store32"
)

STEPPABLE: dict[int, tuple[str, str]] = {
    0x00: ("unreachable", ""), 0x01: ("nop", ""), 0x02: ("block", "b"), 0x03: ("loop", "b"), 0x04: ("if", "b"),
    0x05: ("else", ""), 0x0B: ("end", ""), 0x0C: ("br", "n"), 0x0D: ("br_if", "n"), 0x0E: ("br_table", "j"),
    0x0F: ("return", ""), 0x10: ("call", "n"), 0x11: ("call_indirect", "nn"), 0x1A: ("drop", ""), 0x1B: ("select", ""),
    0x20: ("local.get", "n"), 0x21: ("local.set", "n"), 0x22: ("local.tee", "n"), 0x23: ("global.get", "n"),
    0x24: ("global.set", "n"), 0x3F: ("memory.size", "0"), 0x40: ("memory.grow", "0"),
    0x41: ("i32.const", "i"), 0x42: ("i64.const", "I"), 0x43: ("f32.const", "f"), 0x44: ("f64.const", "F"),
    0xFC0A: ("memory.copy", "00"), 0xFC0B: ("memory.fill", "0"),
    **{opcode: (name, "m") for opcode, name in (LOADS | STORES).items()},
    **{opcode: (name, "") for opcode, name in NUMERIC.items()},
}  # fmt: skip
"""Opcode -> name and immediates: ``n`` an index, ``m`` where in memory, ``b`` type of a block, ``j`` table of labels,
``0`` the index of a memory, a value's letter a constant."""

OTHERS: dict[int, str] = {
    0x12: "return_call", 0x13: "return_call_indirect", 0x14: "call_ref", 0x15: "return_call_ref", 0x08: "throw",
    0x0A: "throw_ref", 0x1F: "try_table", 0x1C: "select (with types)", 0x25: "table.get", 0x26: "table.set",
    0xD0: "ref.null", 0xD1: "ref.is_null", 0xD2: "ref.func",
    0xFC08: "memory.init", 0xFC09: "data.drop", 0xFC0C: "table.init", 0xFC0D: "elem.drop", 0xFC0E: "table.copy",
    0xFC0F: "table.grow", 0xFC10: "table.size", 0xFC11: "table.fill",
    **_from(0xFD00, "v128.load v128.load8x8_s v128.load8x8_u v128.load16x4_s v128.load16x4_u v128.load32x2_s"),
    **_from(0xFD06, "v128.load32x2_u v128.load8_splat v128.load16_splat v128.load32_splat v128.load64_splat"),
    **_from(0xFD0B, "v128.store v128.const i8x16.shuffle i8x16.swizzle i8x16.splat i16x8.splat i32x4.splat"),
    **_from(0xFD12, "i64x2.splat f32x4.splat f64x2.splat"),
}  # fmt: skip
"""Names of some that are not stepped through; see :func:`name_of`."""

FAMILIES = {0xFB: "gc", 0xFC: "misc", 0xFD: "v128", 0xFE: "atomic"}
"""Prefix byte -> what the opcodes behind it are about."""

ELSE, END = 0x05, 0x0B
OPENING = frozenset({0x02, 0x03, 0x04, 0x06, 0x1F})
"""What an ``end`` belongs to: block, loop, if, and the blocks of exceptions, old and new."""


def name_of(opcode: int) -> str:
    """Return the name of an instruction; some that are not stepped through only have a number.

    Examples
    --------
    >>> name_of(0x6A), name_of(0xFD00), name_of(0xFD51)
    ('i32.add', 'v128.load', 'v128 instruction 81')
    """
    if opcode in STEPPABLE:
        return STEPPABLE[opcode][0]
    if opcode in OTHERS:
        return OTHERS[opcode]
    return f"{FAMILIES[opcode >> 8]} instruction {opcode & 0xFF}" if opcode > 0xFF else f"instruction {opcode:#04x}"
