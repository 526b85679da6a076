"""What executes instructions: what the functions of a module share, and how one calls and leaves another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from meshsim.errors import GuestTrap
from meshsim.wasm.disasm import Code, Instruction, NotSteppable, disassemble, function_name
from meshsim.wasm.execution import EXECUTE
from meshsim.wasm.frames import Change, Frame, HostCall, Number, Value, value_of
from meshsim.wasm.initial import Global, instantiate
from meshsim.wasm.module import ModuleFacts
from meshsim.wasm.numerics import OPERATIONS
from meshsim.wasm.types import PAGE_BYTES, FuncType

Host = Callable[..., Number | None]
"""A host function: gets ints (unsigned) and floats, returns one, or None."""

DEEPEST = 10_000
"""Calls within calls; a real engine stops somewhere too."""


class Machine:
    """An instance of a module.

    Attributes
    ----------
    changes : list of Change
        Of all since somebody emptied it.
    host_calls : list of HostCall
        Likewise.
    results : tuple of Value
        Of the last outermost call that ended.
    """

    def __init__(self, facts: ModuleFacts, imports: Mapping[tuple[str, str], Host]) -> None:
        initial = instantiate(facts)
        self.facts = facts
        self.globals: list[Global] = list(initial.globals)
        self.tables = initial.tables
        self.memory = initial.memory
        self.changes: list[Change] = []
        self.host_calls: list[HostCall] = []
        self.results: tuple[Value, ...] = ()
        self._most_pages = initial.most_pages
        self._imports = imports
        self._codes: dict[int, Code] = {}

    def execute(self, frame: Frame, instruction: Instruction) -> Frame | None:
        """Execute an instruction of a frame; None when the outermost call is over.

        Raises
        ------
        GuestTrap
            It traps; nothing has changed.
        NotSteppable
            It is not one that is executed here.
        """
        if not instruction.steppable:
            raise NotSteppable(instruction.name)
        operation = OPERATIONS.get(instruction.opcode)
        if operation is None:
            return EXECUTE[instruction.opcode](self, frame, instruction)
        split = len(frame.stack) - len(operation.params)
        operands = [value.bits for value in frame.stack[split:]]
        result = Value(operation.result, operation.compute(*operands))
        return replace(frame, place=frame.place + 1, stack=(*frame.stack[:split], result))

    def put(self, change: Change, state: bytes | Global | int) -> None:
        """Put one side of a change in place, the old or the new."""
        if isinstance(state, bytes):
            self.memory[change.where : change.where + len(state)] = state
        elif isinstance(state, Global):
            self.globals[change.where] = state
        else:
            more = state * PAGE_BYTES - len(self.memory)
            if more < 0:
                del self.memory[more:]
            self.memory.extend(bytes(max(more, 0)))

    # --- calls -------------------------------------------------------------------------------------------------------

    def entered(self, function: int, arguments: tuple[Value, ...], caller: Frame | None = None) -> Frame:
        """The frame of a function that begins."""
        depth = caller.depth + 1 if caller else 0
        if depth > DEEPEST:
            raise GuestTrap("stack_overflow", "call stack exhausted")
        code = self.code(function)
        if "?" in code.locals:
            raise NotSteppable("locals with references or vectors")
        zeros = (Value(letter, 0) for letter in code.locals[len(arguments) :])
        return Frame(code, 0, (*arguments, *zeros), caller=caller, depth=depth)

    def called(self, frame: Frame, function: int) -> Frame:
        """The frame after a call: the called function's, or the caller's when the host has answered."""
        type_ = self.facts.sections.types[self.facts.sections.functions[function]]
        assert type_ is not None
        split = len(frame.stack) - len(type_.params)
        arguments = frame.stack[split:]
        caller = replace(frame, place=frame.place + 1, stack=frame.stack[:split])
        if function >= self.facts.sections.imported_functions:
            return self.entered(function, arguments, caller)
        answer = self._host(function, type_, arguments)
        return caller if answer is None else replace(caller, stack=(*caller.stack, answer))

    def returned(self, frame: Frame) -> Frame | None:
        """The frame of the caller, with the results."""
        results = frame.stack[len(frame.stack) - len(frame.code.type.results) :]
        if frame.caller is None:
            self.results = results
            return None
        return replace(frame.caller, stack=(*frame.caller.stack, *results))

    def branched(self, frame: Frame, label: int) -> Frame | None:
        """The frame at a label; the outermost label is the function itself."""
        if label == len(frame.labels):
            return self.returned(frame)
        kept = len(frame.labels) - 1 - label
        to = frame.labels[kept]
        stack = (*frame.stack[: to.height], *frame.stack[len(frame.stack) - to.arity :])
        return replace(frame, place=to.target, stack=stack, labels=frame.labels[:kept])

    def code(self, function: int) -> Code:
        """A function's code."""
        code = self._codes.get(function)
        if code is None:
            code = self._codes[function] = disassemble(self.facts, function)
        return code

    def _host(self, function: int, type_: FuncType, arguments: tuple[Value, ...]) -> Value | None:
        wanted = [item for item in self.facts.imports if item.kind == "func"][function]
        host = self._imports.get((wanted.module, wanted.name))
        if host is None:
            name = function_name(self.facts, function)
            raise NotSteppable(f"call of {name}, which is the host's (give a function for it in imports)")
        numbers = tuple(value.number for value in arguments)
        answer = host(*numbers)
        self.host_calls.append(HostCall(str(wanted), numbers, answer))
        return value_of(0 if answer is None else answer, type_.results) if type_.results else None

    # --- memory ------------------------------------------------------------------------------------------------------

    def span(self, start: int, size: int) -> slice:
        """A part of the memory, which must be there."""
        if start + size > len(self.memory):
            raise GuestTrap("memory_out_of_bounds", "out of bounds memory access")
        return slice(start, start + size)

    def write(self, start: int, data: bytes) -> None:
        """Put bytes into the memory."""
        span = self.span(start, len(data))
        if data:
            self.changes.append(Change("memory", start, bytes(self.memory[span]), data))
            self.memory[span] = data

    def grow(self, more: int) -> int:
        """Make the memory larger by some pages; the size that it had, or -1."""
        pages = len(self.memory) // PAGE_BYTES
        if pages + more > self._most_pages or not self.facts.memories:
            return -1
        if more:
            self.changes.append(Change("pages", 0, pages, pages + more))
            self.memory.extend(bytes(more * PAGE_BYTES))
        return pages
