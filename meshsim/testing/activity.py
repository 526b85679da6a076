"""What a filter did between two moments: logs, actions, callouts, host calls, and what it cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from meshsim.abi import describe
from meshsim.abi.events import Crossing, Direction, LogLine
from meshsim.abi.signatures import ALLOCATORS
from meshsim.cost import CostModel
from meshsim.sim import Entry

if TYPE_CHECKING:
    from meshsim.testing.messages import SentRequest

#: Callbacks whose result says what becomes of the message.
_ACTING = frozenset(
    f"proxy_on_{side}_{part}" for side in ("request", "response") for part in ("headers", "body", "trailers")
) | {"proxy_on_new_connection", "proxy_on_downstream_data", "proxy_on_upstream_data"}
_CLOCKS = ("proxy_get_current_time_nanoseconds", "clock_time_get")
_MAIN = "main"


class Log(NamedTuple):
    """A line that the filter logged, without what Envoy puts before it."""

    level: str
    text: str


class Action(NamedTuple):
    """What a callback answered: ``CONTINUE``, ``STOP_ITERATION``..."""

    callback: str
    action: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What the filter cost.

    Attributes
    ----------
    callbacks : int
        Calls into the module.
    host_calls : int
        Calls that the module made.
    contexts : int
        Streams (and connections) that began in it.
    fuel : int
        Wasm instructions, as Wasmtime counts them: the same number on every run and every machine.
    ns : int
        Time on the proxy's threads, by the cost profile: measured on the real Envoy, on another machine.
    """

    callbacks: int
    host_calls: int
    contexts: int
    fuel: int
    ns: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What was recorded between two moments.

    ``prefixes`` is what Envoy puts before a guest's words; ``fuel`` was burnt by all VMs that live at the end.
    """

    entries: Sequence[Entry]
    prefixes: tuple[str, ...]
    callouts: tuple[SentRequest, ...]
    fuel: int
    costs: CostModel


@dataclass(frozen=True)
class Activity:
    """What happened between two moments."""

    facts: Facts = field(repr=False)

    @property
    def callouts(self) -> tuple[SentRequest, ...]:
        """What the filter sent by HTTP and gRPC callouts, and got through to upstreams."""
        return self.facts.callouts

    # -- what was said ---

    @cached_property
    def logs(self) -> list[Log]:
        """What the filter logged on worker threads, in order."""
        return self.logs_of_workers(True)

    def logs_of_workers(self, wanted: bool) -> list[Log]:
        """Return what was logged on the workers, or (False) on the main thread, where plugins are tried and loaded."""
        return [
            Log(entry.event.level, self.plain(entry.event.text))
            for entry in self.facts.entries
            if isinstance(entry.event, LogLine) and entry.event.guest and (entry.track != _MAIN) is wanted
        ]

    def plain(self, text: str) -> str:
        """A guest's text without ``wasm log NAME ROOT VM:``."""
        return next((text.removeprefix(prefix) for prefix in self.facts.prefixes if text.startswith(prefix)), text)

    @cached_property
    def errors(self) -> list[str]:
        """What Envoy itself had to say about the filter: traps, refusals."""
        return [
            entry.event.text
            for entry in self.facts.entries
            if isinstance(entry.event, LogLine) and not entry.event.guest and entry.event.level in ("error", "critical")
        ]

    # -- what was done ---

    @property
    def crossings(self) -> list[Crossing]:
        """Every crossing between the proxy and the filter, in order."""
        return [entry.event for entry in self.facts.entries if isinstance(entry.event, Crossing)]

    @cached_property
    def actions(self) -> list[Action]:
        """What each callback that decides about a message answered."""
        return [
            Action(event.function, describe.result(event.function, event.values))
            for event in self.crossings
            if event.direction is Direction.VM_RETURNS and event.function in _ACTING
        ]

    @property
    def paused(self) -> bool:
        """Whether the filter held back a message, or a part of one."""
        return any(action.action != "CONTINUE" for action in self.actions)

    def called(self, function: str) -> int:
        """Count calls of a callback (``proxy_on_tick``) or of a host function (``proxy_log``)."""
        return self._calls[function]

    @cached_property
    def _calls(self) -> Counter[str]:
        return Counter(event.function.rpartition(".")[2] for event in self.crossings if not event.direction.is_return)

    @property
    def trace(self) -> str:
        """The ABI trace: the text that Envoy's log has at ``wasm:trace``, a line each crossing."""
        return "\n".join(event.text for event in self.crossings)

    # -- what it cost ---

    @cached_property
    def cost(self) -> Cost:
        """What it cost; the allocator's calls belong to the host calls that ask for memory."""
        callbacks, contexts, host_calls, clocks = 0, 0, 0, 0
        for event in self.crossings:
            match event.direction:
                case Direction.HOST_CALLS_VM if event.function not in ALLOCATORS:
                    callbacks += 1
                    contexts += event.function == "proxy_on_context_create" and event.values[-1] != 0
                case Direction.VM_CALLS_HOST:
                    host_calls += 1
                    clocks += event.function.endswith(_CLOCKS)
        costs, fuel = self.facts.costs, self.facts.fuel
        ns = costs.callback_ns * callbacks + costs.host_call_ns * (host_calls - clocks)
        ns += costs.clock_read_ns * clocks + costs.filter_ns * contexts + costs.guest_ns(fuel)
        return Cost(callbacks, host_calls, contexts, fuel, ns)

    @property
    def cost_ns(self) -> int:
        """:attr:`Cost.ns`."""
        return self.cost.ns
