"""What the ABI layer needs of the thread and the process that a VM lives in, as Protocols."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from meshsim.abi.callouts import Cancel, Done, HttpCall
from meshsim.abi.constants import LogLevel
from meshsim.abi.context import Context
from meshsim.abi.events import Event
from meshsim.abi.grpc import GrpcEvents, GrpcRequest
from meshsim.abi.metrics import MetricValues
from meshsim.abi.ports import GrpcHandle
from meshsim.abi.queues import Consumer, SharedQueues
from meshsim.abi.shared import SharedData


class Meter(Protocol):
    """Turns what a VM does into time."""

    def callback(self, fuel: int, callbacks: int = 1) -> None:
        """Calls into the module are over, one or several; the guest has burnt ``fuel`` in them.

        How a number of units of fuel is split between calls does not change the time that they take together.
        """

    def guest(self, fuel: int) -> None:
        """The guest has burnt ``fuel``, and its callback goes on."""

    def host_call(self) -> None:
        """The module has called the host."""

    def host_calls(self, calls: int, readings: int) -> None:
        """The module has called the host so often, and has read a clock so often besides."""

    def run(self, fuel: int, callbacks: int, calls: int, readings: int) -> None:
        """All of these at once."""

    @property
    def host_call_ns(self) -> int:
        """What a host call takes."""

    @property
    def clock_read_ns(self) -> int:
        """What a reading of a clock takes."""

    @property
    def wall_ns(self) -> int:
        """The virtual wall clock, in ns since 1970; to look at it takes no time."""


class VmHost(Protocol):
    """The thread and process around one VM."""

    @property
    def meter(self) -> Meter | None:
        """Who charges time, or None when time does not pass."""

    @property
    def hand_over(self) -> Callable[[], None] | None:
        """What lets other threads go first, called at each host call; None when callbacks are atomic."""

    @property
    def shared_data(self) -> SharedData:
        """The process's shared key-value store."""

    @property
    def shared_queues(self) -> SharedQueues:
        """The process's shared queues."""

    def queue_consumer(self, root: Context) -> Consumer:
        """Return what tells a root context of messages, later and on its thread."""

    @property
    def metric_values(self) -> MetricValues:
        """The process's custom metrics."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Environment variables of the VM."""

    @property
    def record(self) -> Callable[[Event], None] | None:
        """Where crossings go, or None when nobody wants them."""

    @property
    def keeps_logs(self) -> bool:
        """Whether :meth:`log` does anything."""

    @property
    def log_level(self) -> int:
        """The least level that the host keeps, as spdlog numbers it."""

    def log(self, level: LogLevel, text: str) -> None:
        """A line written by the guest."""

    def report(self, level: LogLevel, text: str) -> None:
        """A line that the host writes about the guest."""

    def now_ns(self) -> int:
        """Virtual time of the thread, in ns since the start of the run."""

    def epoch_ns(self) -> int:
        """The virtual wall clock, in ns since 1970."""

    def random_bytes(self, count: int) -> bytes:
        """Bytes of a seeded stream."""

    def set_tick_period(self, root: Context, period_ms: int) -> None:
        """Set the root context's timer; 0 stops it."""

    def resolve_dns(self, name: str, done: Callable[[Sequence[str] | None], None]) -> None:
        """Find a name's addresses, None when it has none; ``done`` is called now or later."""

    def has_cluster(self, name: str) -> bool:
        """Whether there is a cluster of this name."""

    def grpc(self, request: GrpcRequest, message: bytes | None, events: GrpcEvents) -> GrpcHandle:
        """Begin a gRPC call to a cluster that exists; a stream has no first message (None)."""

    def http_call(self, call: HttpCall, done: Done) -> Cancel | None:
        """Send a request to a cluster that exists; None: it failed at once, and ``done`` is never called."""
