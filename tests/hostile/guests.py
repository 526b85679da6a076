"""What a hostile guest is: a module, its limits, and how a run with it must end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from meshsim.sim import Level
from meshsim.wasm import Limits
from tests.hostile.wat import pairs

MIB = 1 << 20

#: A budget of fuel, as a user may set it; an endless loop is over in a millisecond.
BUDGET = Limits(memory_bytes=16 * MIB, fuel_per_call=300_000, kept_bytes_per_call=4 * MIB)
#: No budget, as by default: what the host keeps is bounded all the same. Memory is less than Envoy gives.
DEFAULT = Limits(memory_bytes=16 * MIB)
#: The same, with less to keep, for those of whom there are many.
LITTLE = Limits(memory_bytes=16 * MIB, kept_bytes_per_call=4 * MIB)
#: The same, for guests that go a little too far in each of many calls.
TOGETHER = Limits(memory_bytes=16 * MIB, kept_bytes=24 * MIB)
HURRY = Limits(memory_bytes=16 * MIB, deadline_s=0.2)


class End(Enum):
    """How a run with a hostile guest may end."""

    ANSWERS = "answers"
    """The guest got its way, or a status; the request is answered and the VM lives."""
    TRAPS = "traps"
    """The VM fails; streams see what its failure policy says."""
    ENDS = "ends"
    """A MeshsimError ends the run."""
    REFUSED = "refused"
    """The configuration is refused."""


@dataclass(frozen=True, slots=True)
class Hostile:
    """A guest.

    Attributes
    ----------
    ends : tuple of End
        One of these.
    names : tuple of str
        What the error must name, beside the plugin: the callback, and the host call where it is one that goes too far.
    ms : int
        How long the run goes on after the requests.
    """

    source: str
    ends: tuple[End, ...]
    names: tuple[str, ...] = ()
    limits: Limits = BUDGET
    level: Level = Level.ABI
    ms: int = 50


HEAD = pairs([(b":method", b"GET"), (b":path", b"/"), (b":authority", b"a")])
"""Headers of a callout."""

LARGE = bytes(60_000)
"""As much as fits into a small memory."""
