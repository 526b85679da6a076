"""A stack machine that goes one instruction at a time, forwards and back.

Theory of operation. What a machine is at one moment is a :class:`Frame`, which never changes, with the frames of its
callers behind it; globals, memory and the number of its pages are kept beside it. Executing an instruction gives the
next frame, and a :class:`Change` of what is beside it, if there is one. So a step back is: the frame before, the change
undone. Steps that were taken back are kept, so that nothing is executed twice, and host functions are called once.

It is for looking, not for speed: some 100,000 instructions a second. It does what an engine does
(``tests/wasm/test_stepper.py`` holds it against Wasmtime): integers, floats, locals, control flow, memory, globals and
calls. What else there is ends in :class:`NotSteppable`, when it is reached.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from meshsim.errors import ConfigError, GuestTrap
from meshsim.wasm.disasm import Instruction, NotSteppable, function_index
from meshsim.wasm.engine import validate
from meshsim.wasm.frames import Change, Frame, HostCall, Number, Value, value_of
from meshsim.wasm.machine import Host, Machine
from meshsim.wasm.module import ModuleFacts, parse_module

__all__ = ["Change", "Frame", "HostCall", "NotSteppable", "Stepper", "Value"]


@dataclass(frozen=True, slots=True)
class _Step:
    """A step that was taken: the frames before and after it, what it changed beside them, what it asked of the host."""

    before: Frame
    after: Frame | None
    trap: GuestTrap | None
    changes: tuple[Change, ...]
    host_calls: tuple[HostCall, ...]

    @property
    def instruction(self) -> Instruction:
        return self.before.code.instructions[self.before.place]


class Stepper:
    r"""A call of one function of a module, instruction by instruction.

    Parameters
    ----------
    module : bytes or ModuleFacts, or anything with those bytes as ``wasm``
        The module.
    function : str or int
        The name of an export, or an index.
    *arguments : int or float
        Of the function.
    imports : mapping of (str, str) to callable
        Module and name -> host function, for what the function calls of its host.

    Attributes
    ----------
    frame : Frame or None
        The function under way; None when the call is over.
    trap : GuestTrap or None
        What ended the call, if a trap did.

    Raises
    ------
    ConfigError
        There is no such function, or the arguments are not those that it takes.
    ModuleError
        The module is not valid.
    NotSteppable
        The module begins with what is not stepped through.

    Examples
    --------
    >>> import wasmtime
    >>> wat = '''(module (memory 1) (data (i32.const 1024) "*\\00\\00\\00")
    ...   (func (export "load") (result i32) (i32.load (i32.const 1024))))'''
    >>> machine = Stepper(wasmtime.wat2wasm(wat), "load")
    >>> machine.step().text, [str(value) for value in machine.frame.stack]
    ('i32.const 1024', ['1024'])
    >>> machine.step().text, [str(value) for value in machine.frame.stack]
    ('i32.load', ['42'])
    >>> machine.run()
    (42,)
    """

    def __init__(
        self,
        module: bytes | ModuleFacts | object,
        function: str | int,
        *arguments: Number,
        imports: Mapping[tuple[str, str], Host] | None = None,
    ) -> None:
        self.facts = _facts(module)
        validate(self.facts.data)  # what is executed here looks at no types
        self._machine = Machine(self.facts, dict(imports or {}))
        self._past: list[_Step] = []
        self._future: list[_Step] = []  # steps that were taken back, the next one last
        self.trap: GuestTrap | None = None
        self.frame: Frame | None = None
        if self.facts.start_function is not None:
            self._enter(self.facts.start_function, ())
            self.run()
        code = self._machine.code(function_index(self.facts, function))
        if len(arguments) != len(code.type.params):
            raise ConfigError(f"{code.name} takes {len(code.type.params)} arguments, not {len(arguments)}")
        values = (value_of(number, letter) for number, letter in zip(arguments, code.type.params, strict=True))
        self._enter(code.index, tuple(values))

    def _enter(self, function: int, arguments: tuple[Value, ...]) -> None:
        """Make ready to call a function; what was before cannot be gone back to."""
        self.frame = self._machine.entered(function, arguments)
        self._past.clear()

    # --- going -------------------------------------------------------------------------------------------------------

    @property
    def instruction(self) -> Instruction | None:
        """The next one; None when the call is over."""
        return None if self.frame is None or self.trap else self.frame.code.instructions[self.frame.place]

    @property
    def finished(self) -> bool:
        """Whether the call is over."""
        return self.instruction is None

    def step(self) -> Instruction:
        """Execute one instruction, and return it.

        Raises
        ------
        ConfigError
            The call is over.
        NotSteppable
            The instruction is not one that is executed here; the machine stands where it stood.
        """
        frame, instruction = self.frame, self.instruction
        if frame is None or instruction is None:
            raise ConfigError("the call is over: there is no next instruction")
        step = self._again() if self._future else self._execute(frame, instruction)
        self._past.append(step)
        self.frame, self.trap = step.after, step.trap
        return instruction

    def _execute(self, frame: Frame, instruction: Instruction) -> _Step:
        machine = self._machine
        machine.changes, machine.host_calls = [], []
        trap = None
        after: Frame | None = frame
        try:
            after = machine.execute(frame, instruction)
        except GuestTrap as ended:
            trap = ended
        return _Step(frame, after, trap, tuple(machine.changes), tuple(machine.host_calls))

    def _again(self) -> _Step:
        """Take a step that was taken back."""
        step = self._future.pop()
        for change in step.changes:
            self._machine.put(change, change.new)
        return step

    def back(self) -> Instruction:
        """Take the last step back, and return its instruction, which is the next one again.

        Raises
        ------
        ConfigError
            This is the beginning.
        """
        if not self._past:
            raise ConfigError("this is the beginning: there is no step to take back")
        step = self._past.pop()
        for change in reversed(step.changes):
            self._machine.put(change, change.old)
        self._future.append(step)
        self.frame, self.trap = step.before, None
        return step.instruction

    def go(self, count: int) -> None:
        """Go to where ``count`` steps have been taken, forwards or back, or to the end if that comes first."""
        while self.count > max(count, 0):
            self.back()
        while self.count < count and not self.finished:
            self.step()

    def run(self, most: int = 1_000_000) -> tuple[Number, ...]:
        """Go to the end, and return the results, integers unsigned.

        Raises
        ------
        GuestTrap
            The call ended so; :attr:`trap` has it too.
        ConfigError
            It takes more than ``most`` steps.
        """
        while not self.finished:
            if self.count >= most:
                raise ConfigError(f"not at an end after {most:,} steps", remedy="go on with another run()")
            self.step()
        if self.trap is not None:
            raise self.trap
        return tuple(value.number for value in self.results)

    @property
    def count(self) -> int:
        """Steps so far."""
        return len(self._past)

    # --- what there is to see ----------------------------------------------------------------------------------------

    @property
    def results(self) -> tuple[Value, ...]:
        """What the call gave; nothing as long as it is not over."""
        return self._machine.results if self.frame is None else ()

    @property
    def host_calls(self) -> tuple[HostCall, ...]:
        """The calls that have left the module."""
        return tuple(call for step in self._past for call in step.host_calls)

    @property
    def memory(self) -> bytearray:
        """The first memory as it is now."""
        return self._machine.memory

    @property
    def globals(self) -> tuple[Value, ...]:
        """The globals as they are now."""
        return tuple(Value(item.letter, item.bits) for item in self._machine.globals)

    @property
    def frames(self) -> list[Frame]:
        """The functions under way, innermost first."""
        found, frame = [], self.frame
        while frame is not None:
            found.append(frame)
            frame = frame.caller
        return found

    @property
    def changes(self) -> tuple[Change, ...]:
        """What the last step changed beside stack and locals."""
        return self._past[-1].changes if self._past else ()

    @property
    def before(self) -> Frame | None:
        """The frame before the last step."""
        return self._past[-1].before if self._past else None

    @property
    def history(self) -> list[Instruction]:
        """The instructions that were executed."""
        return [step.instruction for step in self._past]


def _facts(module: object) -> ModuleFacts:
    if isinstance(module, ModuleFacts):
        return module
    data = module if isinstance(module, bytes | bytearray) else getattr(module, "wasm", None)
    if not isinstance(data, bytes | bytearray):
        raise ConfigError(f"a module is wanted, not a {type(module).__name__}")
    return parse_module(bytes(data))
