"""What one step of the stack machine did, in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from meshsim.wasm.disasm import Instruction
from meshsim.wasm.frames import Frame, HostCall, Value
from meshsim.wasm.numerics import OPERATIONS


@dataclass(frozen=True, slots=True)
class Done:
    """A step that was taken: the frame before it, its instruction, the frame after it, what it read of the memory.

    ``after`` is None when the call is over; ``call`` is there when it went to the host.
    """

    before: Frame
    instruction: Instruction
    after: Frame | None
    results: tuple[Value, ...]
    call: HostCall | None = None

    @property
    def top(self) -> Value:
        """What lay on top before it."""
        return self.before.stack[-1]

    @property
    def given(self) -> Value | None:
        """What lies on top after it, in the same function."""
        after = self.after
        return after.stack[-1] if after and after.code is self.before.code and after.stack else None

    @property
    def index(self) -> int:
        """Its first immediate."""
        return self.instruction.immediates[0]


def accessed(frame: Frame, instruction: Instruction) -> tuple[int, int] | None:
    """Where in memory an instruction reads or writes, and how many bytes; None when it does not."""
    name = instruction.name
    kind, _, word = name.partition(".")
    if not word.startswith(("load", "store")):
        return None
    narrow = word.removeprefix("load").removeprefix("store").partition("_")[0]
    size = int(narrow) // 8 if narrow else int(kind[1:]) // 8
    address = frame.stack[-1] if word.startswith("load") else frame.stack[-2]
    return address.bits + instruction.immediates[1], size


def said(done: Done) -> str:
    """Return what a step did.

    Examples
    --------
    >>> import wasmtime
    >>> from meshsim.wasm.stepper import Stepper
    >>> machine = Stepper(wasmtime.wat2wasm('(module (func (export "f") (drop (i32.const 7))))'), "f")
    >>> before = machine.frame
    >>> said(Done(before, machine.step(), machine.frame, ()))
    'puts 7 on the stack'
    """
    name, opcode = done.instruction.name, done.instruction.opcode
    if opcode in OPERATIONS:
        return _numeric(done)
    if (where := accessed(done.before, done.instruction)) is not None:
        return _memory(done, *where)
    if name.endswith(".const"):
        return f"puts {done.given} on the stack"
    words = _WORDS.get(name)
    return words(done) if words else ""


def _numeric(done: Done) -> str:
    count = len(OPERATIONS[done.instruction.opcode].params)
    taken = " and ".join(map(str, done.before.stack[-count:]))
    return f"takes {taken} from the stack, and puts {done.given} there"


def _memory(done: Done, address: int, size: int) -> str:
    plural = "s" * (size != 1)
    if "load" in done.instruction.name:
        return (
            f"takes the address {done.top}, reads {size} byte{plural} at {address}, and puts {done.given} on the stack"
        )
    return f"takes {done.top} and the address {done.before.stack[-2]}, and writes {size} byte{plural} at {address}"


def _branch(done: Done) -> str:
    if done.after is None or done.after.code is not done.before.code:
        return "leaves the function"
    back = done.after.place <= done.before.place
    return "goes back to the beginning of the loop" if back else "goes to behind the end of the block"


def _condition(done: Done, holds: str, else_: str) -> str:
    return f"takes {done.top}: it is not 0, so it {holds}" if done.top.bits else f"takes 0, so it {else_}"


def _call(done: Done) -> str:
    if done.call is not None:
        return f"asks the host: {done.call}"
    return f"takes its arguments, and goes into {done.after.code.name}" if done.after else ""


def _leave(done: Done) -> str:
    results = ", ".join(map(str, done.results)) if done.after is None else ""
    return "leaves the function" + (f", with {results}" if results else "")


_WORDS: dict[str, Callable[[Done], str]] = {
    "local.get": lambda done: f"puts a copy of local {done.index} on the stack: {done.given}",
    "local.set": lambda done: f"takes {done.top} from the stack into local {done.index}",
    "local.tee": lambda done: f"copies {done.top} into local {done.index}, and leaves it on the stack",
    "global.get": lambda done: f"puts a copy of global {done.index} on the stack: {done.given}",
    "global.set": lambda done: f"takes {done.top} from the stack into global {done.index}",
    "drop": lambda done: f"throws {done.top} away",
    "select": lambda done: f"takes three values, and keeps {done.given}",
    "block": lambda done: "begins a block: a branch to it goes to its end",
    "loop": lambda done: "begins a loop: a branch to it comes back here",
    "if": lambda done: _condition(done, "goes on inside", "goes to the other part, or behind the end"),
    "else": lambda done: "ends the first part: goes to the end",
    "end": lambda done: "ends a block" if done.before.labels else _leave(done),
    "br": _branch,
    "br_if": lambda done: _condition(done, _branch(done), "goes on with the next instruction"),
    "br_table": lambda done: f"takes {done.top}, and {_branch(done)}",
    "return": _leave,
    "call": _call,
    "call_indirect": lambda done: f"takes {done.top}, a place in the table. It {_call(done)}",
    "memory.size": lambda done: f"puts the memory's size on the stack: {done.given} pages of 64 KiB",
    "memory.grow": lambda done: f"asks for {done.top} pages more, and puts the old size on the stack: {done.given}",
    "memory.fill": lambda done: f"takes address, byte and size, and fills {done.top} bytes",
    "memory.copy": lambda done: f"takes two addresses and a size, and copies {done.top} bytes",
    "nop": lambda done: "does nothing",
    "unreachable": lambda done: "traps",
}
