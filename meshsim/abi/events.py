"""What the ABI layer records: crossings between host and guest, and log lines.

At level ``abi`` every crossing becomes one small tuple; its text, which is Envoy's own trace text, is made only
when somebody reads it.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Direction(Enum):
    """Which way a crossing goes; the value is the arrow of Envoy's trace."""

    HOST_CALLS_VM = "[host->vm]"
    VM_RETURNS = "[host<-vm]"
    VM_CALLS_HOST = "[vm->host]"
    HOST_RETURNS = "[vm<-host]"

    @property
    def is_return(self) -> bool:
        """Whether a call ends here."""
        return self in (Direction.VM_RETURNS, Direction.HOST_RETURNS)


class Content(NamedTuple):
    """What stood in the guest's memory behind an argument: its first bytes, and its whole size."""

    name: str
    data: bytes
    size: int


class Crossing(NamedTuple):
    """One crossing of the border: ``values`` are the arguments, or the result when the direction is a return.

    ``contents`` is what stood behind a host call's arguments, and behind its results when it returns; ``plugin`` names
    whom a callback is for. Neither is part of the trace.

    Examples
    --------
    >>> Crossing(Direction.VM_CALLS_HOST, "env.proxy_log", (2, 64, 8)).text
    '[vm->host] env.proxy_log(2, 64, 8)'
    >>> Crossing(Direction.VM_RETURNS, "proxy_on_log", ()).text
    '[host<-vm] proxy_on_log return: void'
    """

    direction: Direction
    function: str
    values: tuple[int | float, ...]
    contents: tuple[Content, ...] = ()
    plugin: str = ""

    @property
    def text(self) -> str:
        """The line that Envoy's ``wasm:trace`` log has for this crossing."""
        if self.direction.is_return:
            result = _value(self.values[0]) if self.values else "void"
            return f"{self.direction.value} {self.function} return: {result}"
        return f"{self.direction.value} {self.function}({', '.join(map(_value, self.values))})"


def _value(value: float) -> str:
    """Write a value as C++'s ``std::to_string`` does: integers plain, floats with six decimals."""
    return str(value) if isinstance(value, int) else f"{value:f}"


class LogLine(NamedTuple):
    """A line that a guest wrote (``guest``), or that the host says about it; ``level`` in Envoy's words."""

    level: str
    text: str
    guest: bool


Event = Crossing | LogLine
