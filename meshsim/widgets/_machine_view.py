"""The view model of the stack machine: one moment of a call, as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from meshsim.figures.provenance import Origin
from meshsim.wasm.frames import Frame, Value
from meshsim.wasm.stepper import Stepper
from meshsim.wasm.types import PAGE_BYTES, VALUE_NAMES
from meshsim.widgets._base import View, origins
from meshsim.widgets._machine_words import Done, accessed, said

#: Instructions that are shown before and behind the next one; bytes of a row of memory; rows.
AROUND, ROW_BYTES, ROWS = 40, 16, 6


def view_of(machine: Stepper, total: int, ending: str, memory_from: int) -> View:
    """Return what is drawn.

    Parameters
    ----------
    total : int
        Steps from beginning to end.
    ending : str
        How the call ends.
    memory_from : int
        Where the memory is shown when the last step did not touch it.
    """
    frame, before = machine.frame, machine.before
    shown = frame or before
    assert shown is not None
    done = _done(machine)
    touched = _touched(machine, done)
    return {
        "title": f"Stack machine: {shown.code.name}",
        "subtitle": f"{shown.code.type}",
        "step": machine.count,
        "total": total,
        "did": f"{done.instruction.text.partition('  ;;')[0]} {said(done)}." if done else "Nothing has run yet.",
        "ending": ending if machine.finished or machine.count == total else "",
        "finished": machine.finished,
        "calls": [item.code.name for item in reversed(machine.frames)],
        "code": _code(machine, shown, done),
        "stack": [*_values(frame.stack if frame else machine.results, before.stack if before else ())],
        "results": frame is None,
        "locals": [*_values(shown.locals, before.locals if before and before.code is shown.code else shown.locals)],
        "params": len(shown.code.type.params),
        "globals": [*_globals(machine)],
        "memory": _memory(machine, touched, memory_from),
        "origins": origins(Origin.COUNTED),
        "pages": len(machine.memory) // PAGE_BYTES,
    }


def _done(machine: Stepper) -> Done | None:
    """The last step."""
    before = machine.before
    if before is None:
        return None
    instruction = before.code.instructions[before.place]
    asked = instruction.name.startswith("call") and machine.frame is not None and machine.frame.code is before.code
    call = machine.host_calls[-1] if asked and machine.host_calls else None
    return Done(before, instruction, machine.frame, machine.results, call)


def _code(machine: Stepper, frame: Frame, done: Done | None) -> dict[str, Any]:
    """The instructions around the next one; ``last`` is the one that was executed, when it is of this function."""
    instructions = frame.code.instructions
    next_ = frame.place if machine.frame is not None else len(instructions) - 1
    first = max(0, next_ - AROUND)
    return {
        "first": first,
        "next": -1 if machine.frame is None else next_,
        "last": done.before.place if done and done.before.code is frame.code else -1,
        "lines": [
            {"offset": f"{item.offset:#x}", "depth": item.depth, "text": item.text, "can": item.steppable}
            for item in instructions[first : next_ + AROUND]
        ],
    }


def _values(values: Iterable[Value], before: tuple[Value, ...]) -> Iterator[dict[str, Any]]:
    """Values as they are written; fresh are those that the last step put there, be they equal to what was there."""
    for place, value in enumerate(values):
        fresh = place >= len(before) or before[place] is not value
        yield {"type": VALUE_NAMES[value.letter], "text": str(value), "fresh": fresh}


def _globals(machine: Stepper) -> Iterator[dict[str, Any]]:
    changed = {change.where for change in machine.changes if change.kind == "global"}
    for place, value in enumerate(machine.globals):
        yield {"type": VALUE_NAMES[value.letter], "text": str(value), "fresh": place in changed}


def _touched(machine: Stepper, done: Done | None) -> tuple[str, int, int] | None:
    """What the last step did to the memory: written or read, where, how many bytes."""
    for change in machine.changes:
        if change.kind == "memory" and isinstance(change.new, bytes):
            return "written", change.where, len(change.new)
    where = accessed(done.before, done.instruction) if done and not machine.trap else None
    return ("read", *where) if where else None


def _memory(machine: Stepper, touched: tuple[str, int, int] | None, memory_from: int) -> list[dict[str, Any]]:
    data = machine.memory
    if not data:
        return []
    start = touched[1] - ROW_BYTES if touched else memory_from
    start = max(0, min(start, len(data) - ROWS * ROW_BYTES)) // ROW_BYTES * ROW_BYTES
    ends = min(len(data), start + ROWS * ROW_BYTES)
    return [_row(data, address, *(touched or ("", 0, 0))) for address in range(start, ends, ROW_BYTES)]


def _row(data: bytearray, address: int, kind: str, first: int, size: int) -> dict[str, Any]:
    row = data[address : address + ROW_BYTES]
    return {
        "address": address,
        "bytes": [f"{byte:02x}" for byte in row],
        "text": "".join(chr(byte) if 32 <= byte < 127 else "\N{MIDDLE DOT}" for byte in row),
        "marks": [kind if first <= address + i < first + size else "" for i in range(ROW_BYTES)],
    }
