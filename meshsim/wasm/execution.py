"""Instructions that are not numeric (core specification, 4.4): each gives the frame after it.

``machine`` is what the functions of a module share; a frame of None means that the outermost call is over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from meshsim.errors import GuestTrap
from meshsim.wasm.disasm import Instruction, NotSteppable
from meshsim.wasm.frames import Change, Frame, Label, Value, value_of
from meshsim.wasm.initial import Global
from meshsim.wasm.numerics import WIDTHS
from meshsim.wasm.opcodes import LOADS, STORES
from meshsim.wasm.types import PAGE_BYTES, FuncType

if TYPE_CHECKING:
    from meshsim.wasm.machine import Machine

Execute = Callable[["Machine", Frame, Instruction], Frame | None]


def _next(frame: Frame, stack: Sequence[Value]) -> Frame:
    return replace(frame, place=frame.place + 1, stack=tuple(stack))


def _unreachable(machine: Machine, frame: Frame, instruction: Instruction) -> Frame | None:
    raise GuestTrap("unreachable", "wasm `unreachable` instruction executed")


def _block(machine: Machine, frame: Frame, instruction: Instruction) -> Frame:
    type_ = _block_type(instruction)
    label = Label(frame.code.ends[frame.place] + 1, len(type_.results), len(frame.stack) - len(type_.params))
    return replace(frame, place=frame.place + 1, labels=(*frame.labels, label))


def _loop(machine: Machine, frame: Frame, instruction: Instruction) -> Frame:
    params = len(_block_type(instruction).params)
    label = Label(frame.place, params, len(frame.stack) - params)  # a branch goes to the loop itself
    return replace(frame, place=frame.place + 1, labels=(*frame.labels, label))


def _if(machine: Machine, frame: Frame, instruction: Instruction) -> Frame:
    *stack, condition = frame.stack
    rest = replace(frame, stack=tuple(stack))
    if condition.bits:
        return _block(machine, rest, instruction)
    if frame.place in frame.code.elses:
        return replace(_block(machine, rest, instruction), place=frame.code.elses[frame.place] + 1)
    return replace(rest, place=frame.code.ends[frame.place] + 1)


def _block_type(instruction: Instruction) -> FuncType:
    assert instruction.block is not None
    if set("?vrx") & set(instruction.block.params + instruction.block.results):
        raise NotSteppable("blocks with references or vectors")
    return instruction.block


def _else(machine: Machine, frame: Frame, instruction: Instruction) -> Frame:
    return replace(frame, place=frame.code.ends[frame.place])


def _end(machine: Machine, frame: Frame, instruction: Instruction) -> Frame | None:
    if not frame.labels:
        return machine.returned(frame)
    return replace(frame, place=frame.place + 1, labels=frame.labels[:-1])


def _br(machine: Machine, frame: Frame, instruction: Instruction) -> Frame | None:
    return machine.branched(frame, instruction.immediates[0])


def _br_if(machine: Machine, frame: Frame, instruction: Instruction) -> Frame | None:
    *stack, condition = frame.stack
    if condition.bits:
        return machine.branched(replace(frame, stack=tuple(stack)), instruction.immediates[0])
    return _next(frame, stack)


def _br_table(machine: Machine, frame: Frame, instruction: Instruction) -> Frame | None:
    *stack, index = frame.stack
    *labels, otherwise = instruction.immediates
    label = labels[index.bits] if index.bits < len(labels) else otherwise
    return machine.branched(replace(frame, stack=tuple(stack)), label)


def _return(machine: Machine, frame: Frame, instruction: Instruction) -> Frame | None:
    return machine.returned(frame)


def _call(machine: Machine, frame: Frame, instruction: Instruction) -> Frame:
    return machine.called(frame, instruction.immediates[0])


def _call_indirect(machine: Machine, frame: Frame, instruction: Instruction) -> Frame:
    *stack, index = frame.stack
    type_, number = instruction.immediates
    table = machine.tables[number]
    if index.bits >= len(table):
        raise GuestTrap("table_out_of_bounds", "undefined element: out of bounds table access")
    function = table[index.bits]
    if function is None:
        raise GuestTrap("indirect_call_to_null", "uninitialized element")
    sections = machine.facts.sections
    if sections.types[sections.functions[function]] != sections.types[type_]:
        raise GuestTrap("bad_signature", "indirect call type mismatch")
    return machine.called(replace(frame, stack=tuple(stack)), function)


def _drop(machine: Machine, frame: Frame, instruction: Instruction) -> Frame:
    return _next(frame, frame.stack[:-1])


def _select(machine: Machine, frame: Frame, instruction: Instruction) -> Frame:
    *stack, first, second, condition = frame.stack
    return _next(frame, [*stack, first if condition.bits else second])


def _local_get(machine: Machine, frame: Frame, instruction: Instruction) -> Frame:
    return _next(frame, [*frame.stack, frame.locals[instruction.immediates[0]]])


def _local_tee(machine: Machine, frame: Frame, instruction: Instruction) -> Frame:
    place = instruction.immediates[0]
    locals_ = (*frame.locals[:place], frame.stack[-1], *frame.locals[place + 1 :])
    return replace(frame, place=frame.place + 1, locals=locals_)


def _local_set(machine: Machine, frame: Frame, instruction: Instruction) -> Frame:
    return replace(_local_tee(machine, frame, instruction), stack=frame.stack[:-1])


def _global_get(machine: Machine, frame: Frame, instruction: Instruction) -> Frame:
    item = machine.globals[instruction.immediates[0]]
    return _next(frame, [*frame.stack, Value(item.letter, item.bits)])


def _global_set(machine: Machine, frame: Frame, instruction: Instruction) -> Frame:
    *stack, value = frame.stack
    place, all_ = instruction.immediates[0], machine.globals
    new = Global(value.letter, value.bits)
    machine.changes.append(Change("global", place, all_[place], new))
    all_[place] = new
    return _next(frame, stack)


_SIZES = {"8": 1, "16": 2, "32": 4}


def _load(name: str) -> Execute:
    """``i64.load16_s``: so many bytes at address + offset, with their sign or without."""
    letter = _letter(name)
    narrow, _, sign = name.partition("load")[2].partition("_")
    size, bits = _SIZES.get(narrow, WIDTHS[letter] // 8), WIDTHS[letter]

    def load(machine: Machine, frame: Frame, instruction: Instruction) -> Frame:
        *stack, address = frame.stack
        data = machine.memory[machine.span(address.bits + instruction.immediates[1], size)]
        number = int.from_bytes(data, "little", signed=sign == "s") & ((1 << bits) - 1)
        return _next(frame, [*stack, Value(letter, number)])

    return load


def _store(name: str) -> Execute:
    size = _SIZES.get(name.partition("store")[2], WIDTHS[_letter(name)] // 8)

    def store(machine: Machine, frame: Frame, instruction: Instruction) -> Frame:
        *stack, address, value = frame.stack
        data = (value.bits & ((1 << 8 * size) - 1)).to_bytes(size, "little")
        machine.write(address.bits + instruction.immediates[1], data)
        return _next(frame, stack)

    return store


def _memory_size(machine: Machine, frame: Frame, instruction: Instruction) -> Frame:
    return _next(frame, [*frame.stack, Value("i", len(machine.memory) // PAGE_BYTES)])


def _memory_grow(machine: Machine, frame: Frame, instruction: Instruction) -> Frame:
    *stack, more = frame.stack
    return _next(frame, [*stack, value_of(machine.grow(more.bits), "i")])


def _memory_copy(machine: Machine, frame: Frame, instruction: Instruction) -> Frame:
    *stack, to, from_, size = frame.stack
    data = bytes(machine.memory[machine.span(from_.bits, size.bits)])
    machine.write(to.bits, data)
    return _next(frame, stack)


def _memory_fill(machine: Machine, frame: Frame, instruction: Instruction) -> Frame:
    *stack, to, value, size = frame.stack
    machine.span(to.bits, size.bits)
    machine.write(to.bits, bytes([value.bits & 0xFF]) * size.bits)
    return _next(frame, stack)


def _constant(letter: str) -> Execute:
    def constant(machine: Machine, frame: Frame, instruction: Instruction) -> Frame:
        return _next(frame, [*frame.stack, Value(letter, instruction.immediates[0])])

    return constant


def _nop(machine: Machine, frame: Frame, instruction: Instruction) -> Frame:
    return _next(frame, frame.stack)


def _letter(name: str) -> str:
    return {"i32": "i", "i64": "I", "f32": "f", "f64": "F"}[name[:3]]


EXECUTE: dict[int, Execute] = {
    0x00: _unreachable, 0x01: _nop, 0x02: _block, 0x03: _loop, 0x04: _if, 0x05: _else, 0x0B: _end, 0x0C: _br,
    0x0D: _br_if, 0x0E: _br_table, 0x0F: _return, 0x10: _call, 0x11: _call_indirect, 0x1A: _drop, 0x1B: _select,
    0x20: _local_get, 0x21: _local_set, 0x22: _local_tee, 0x23: _global_get, 0x24: _global_set, 0x3F: _memory_size,
    0x40: _memory_grow, 0x41: _constant("i"), 0x42: _constant("I"), 0x43: _constant("f"), 0x44: _constant("F"),
    0xFC0A: _memory_copy, 0xFC0B: _memory_fill,
    **{opcode: _load(name) for opcode, name in LOADS.items()},
    **{opcode: _store(name) for opcode, name in STORES.items()},
}  # fmt: skip
"""Opcode -> what executes it."""
