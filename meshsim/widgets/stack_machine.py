"""A call of one function, instruction by instruction: code, operand stack, locals, memory; forwards and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import traitlets

from meshsim.errors import ConfigError, GuestTrap
from meshsim.figures.svg import element, picture
from meshsim.wasm.disasm import NotSteppable
from meshsim.wasm.machine import Host
from meshsim.wasm.module import ModuleFacts
from meshsim.wasm.stepper import Stepper
from meshsim.widgets._base import Widget
from meshsim.widgets._machine_view import view_of
from meshsim.widgets._still import Still

#: Steps that can be gone through; that a still lists.
MOST_STEPS, MOST_ROWS = 20_000, 20


class StackMachine(Widget, assets="stack_machine"):
    """A stack machine to step through; it runs a real function of a real module.

    Parameters
    ----------
    module : bytes or ModuleFacts, or anything with those bytes as ``wasm``
        The module.
    function : str or int
        The name of an export, or an index.
    *arguments : int or float
        Of the function.
    imports : mapping of (str, str) to callable, optional
        What the function calls of its host.
    memory_from : int
        The address at which the memory is shown as long as no step has touched it.

    Attributes
    ----------
    step : int
        How many steps have been taken; setting it goes there.

    Raises
    ------
    ConfigError
        There is no such function, or the arguments are not those that it takes.
    NotSteppable
        The module begins with what is not stepped through.

    Examples
    --------
    >>> import wasmtime
    >>> module = wasmtime.wat2wasm('(module (func (export "f") (result i32) (i32.add (i32.const 40) (i32.const 2))))')
    >>> machine = StackMachine(module, "f")
    >>> machine.step = 3
    >>> machine.stack, machine.total, machine.ending
    ([42], 4, 'The call is over: 42.')
    """

    step = traitlets.Int(0, min=0).tag(sync=True)

    def __init__(
        self,
        module: bytes | ModuleFacts | object,
        function: str | int,
        *arguments: float,
        imports: Mapping[tuple[str, str], Host] | None = None,
        memory_from: int = 0,
    ) -> None:
        self.machine = Stepper(module, function, *arguments, imports=imports)
        self._memory_from = memory_from
        self.ending = _run(self.machine)
        self.total = self.machine.count
        self.machine.go(0)
        super().__init__()
        self._show()
        self.observe(self._move, ["step"])

    @property
    def stack(self) -> list[int | float]:
        """The operand stack of the function under way, bottom first; integers unsigned."""
        frame = self.machine.frame
        return [value.number for value in (frame.stack if frame else self.machine.results)]

    def _move(self, change: Any) -> None:
        self.machine.go(self.step)
        self._show()

    def _show(self) -> None:
        with self.hold_sync():
            self.view = view_of(self.machine, self.total, self.ending, self._memory_from)
            self.step = self.machine.count

    def still(self) -> Still:
        """Return the moment that is shown, and the first steps as a table."""
        return still_of(self.machine, self.view)


def _run(machine: Stepper) -> str:
    """Go to the end; how it ends, in words."""
    try:
        machine.run(MOST_STEPS)
    except GuestTrap as trap:
        return f"The call ends in a trap: {trap}."
    except NotSteppable as unknown:
        return f"It ends here, {unknown}."
    except ConfigError:
        return f"There is more after {MOST_STEPS:,} steps; they are not shown."
    results = ", ".join(map(str, machine.results))
    return f"The call is over: {results}." if results else "The call is over."


_WIDTH, _LINE, _MARGIN = 760, 22, 14


def still_of(machine: Stepper, view: dict[str, Any]) -> Still:
    """Return the code beside the operand stack, what the last step did, and the first steps as a table."""
    code = view["code"]
    lines = code["lines"][:24]
    rows = max(len(lines), len(view["stack"]) + 1) + 1
    height = rows * _LINE + 2 * _MARGIN
    parts = [_text(_MARGIN, 0, "code", "var(--soft)"), _text(460, 0, "operand stack, top first", "var(--soft)")]
    for place, line in enumerate(lines):
        y = _MARGIN + (place + 1) * _LINE
        if code["first"] + place == code["next"]:
            parts.append(
                element("rect", x=4.0, y=y + 3.0, width=430.0, height=float(_LINE - 2), rx=4, fill="var(--sky)")
            )
        ink = "var(--on-sky)" if code["first"] + place == code["next"] else "var(--ink)"
        parts.append(_text(_MARGIN + 14 * line["depth"], place + 1, line["text"], ink))
    for place, value in enumerate(reversed(view["stack"])):
        parts.append(_text(460, place + 1, f"{value['text']}  ({value['type']})", "var(--ink)"))
    description = f"After step {view['step']} of {view['total']}: {view['did']}"
    svg = picture(_WIDTH, height, view["title"], description, *parts)
    notes = [description, *([view["ending"]] if view["ending"] else [])]
    return Still(
        view["title"], svg, ("step", "instruction", "operand stack after it, top last"), _table(machine), notes
    )


def _table(machine: Stepper) -> list[tuple[str, str, str]]:
    """The steps from the beginning, as many as a still shows; the machine stands afterwards where it stood."""
    count, rows = machine.count, []
    machine.go(0)
    while not machine.finished and machine.count < MOST_ROWS:
        try:
            instruction = machine.step()
        except NotSteppable:
            break
        stack = machine.frame.stack if machine.frame else machine.results
        rows.append((str(machine.count), instruction.text, "  ".join(map(str, stack))))
    machine.go(count)
    return rows


def _text(x: float, line: int, text: str, ink: str) -> str:
    y = float(_MARGIN + line * _LINE + 18)
    return element("text", text=text, x=float(x), y=y, font_size=13, font_family="monospace", fill=ink)
