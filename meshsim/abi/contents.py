"""What stands behind the addresses of a host call: read when the call is made, for it is gone later.

The table of :mod:`meshsim.abi.describe` knows which arguments are addresses: of bytes that the guest hands over, of
places where the host puts an address and a size, or one number. Reading changes nothing, and an address that is out
of range has no content.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from meshsim.abi.constants import Status
from meshsim.abi.describe import parameters
from meshsim.abi.events import Content
from meshsim.wasm import Memory

SHOWN_BYTES = 1024
"""How much of one argument is kept: a header map of usual size."""

MOST_CALLS = 10_000
"""So many host calls of one VM have their contents kept: a guest must not fill the host's memory with them."""

#: Numbers of 64 bits that the host writes; the others have 32.
_WIDE = frozenset({"time", "value", "resolution"})

Values = Sequence[int | float]
Read = Callable[[Memory, Values], Content | None]


class Contents:
    """Reads what one host function's arguments point to.

    Examples
    --------
    >>> [name for name, _ in Contents("env.proxy_get_header_map_value").given]
    ['key']
    """

    def __init__(self, function: str) -> None:
        #: Readers of what the guest gives, and of what it gets, by the argument's name.
        self.given: list[tuple[str, Read]] = []
        self.got: list[tuple[str, Read]] = []
        place = 0
        for parameter in parameters(function) or ():
            match parameter.kind:
                case "in":
                    self.given.append((parameter.name, _handed_over(parameter.name, place)))
                case "out":
                    self.got.append((parameter.name, _returned(parameter.name, place)))
                case "cell":
                    self.got.append((parameter.name, _number(parameter.name, place)))
            place += parameter.width

    def before(self, memory: Memory, values: Values) -> tuple[Content, ...]:
        """Read what the guest gives."""
        return tuple(found for _, read in self.given if (found := read(memory, values)))

    def after(self, memory: Memory, values: Values, result: int | None) -> tuple[Content, ...]:
        """Read what the guest has got; nothing when the call failed."""
        if result != Status.OK:
            return ()
        return tuple(found for _, read in self.got if (found := read(memory, values)))


def _handed_over(name: str, place: int) -> Read:
    def read(memory: Memory, values: Values) -> Content | None:
        if len(values) < place + 2:  # older versions of the ABI pass fewer
            return None
        address, size = int(values[place]), int(values[place + 1])
        data = memory.read(address, min(size, SHOWN_BYTES))
        return None if data is None else Content(name, data, size)

    return read


def _returned(name: str, place: int) -> Read:
    def read(memory: Memory, values: Values) -> Content | None:
        if len(values) < place + 2:
            return None
        address, size = memory.read_u32(int(values[place])), memory.read_u32(int(values[place + 1]))
        if address is None or size is None:
            return None
        data = memory.read(address, min(size, SHOWN_BYTES))
        return None if data is None else Content(name, data, size)

    return read


def _number(name: str, place: int) -> Read:
    width = 8 if name in _WIDE else 4

    def read(memory: Memory, values: Values) -> Content | None:
        data = memory.read(int(values[place]), width) if place < len(values) else None
        return None if data is None else Content(name, data, width)

    return read
