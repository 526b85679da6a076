"""A thread as one of its VMs sees it: the host side of the ABI."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from meshsim.abi.constants import LogLevel
from meshsim.abi.context import Context
from meshsim.abi.events import Event, LogLine
from meshsim.abi.queues import Consumer
from meshsim.envoy.loop import Loop
from meshsim.envoy.meter import EntryMeter, Meter
from meshsim.envoy.plugin_spec import PluginSpec
from meshsim.sim import Level

if TYPE_CHECKING:
    from meshsim.envoy.thread_host import ThreadHost


class VmThread:
    """One VM's view of its thread."""

    def __init__(self, host: ThreadHost, spec: PluginSpec) -> None:
        self._host = host
        self._vm_key = spec.vm_key
        self.environment = spec.environment
        process = host.process
        self.shared_data = process.shared_data
        self.shared_queues = process.shared_queues
        self.metric_values = process.metric_values
        self.log_level = int(LogLevel.TRACE)
        kind = EntryMeter if isinstance(host.thread, Loop) else Meter
        self.meter = kind(host.thread, process.costs, process.epoch_ns)
        self.keeps_logs = process.recorder.level >= Level.ABI
        self.hand_over = host.thread.hand_over if host.thread.turns else None
        self.record: Callable[[Event], None] | None = host.emit if process.recorder.level >= Level.ABI else None
        self.report = host.report
        self.now_ns = host.now_ns
        self.epoch_ns = host.epoch_ns
        self.set_tick_period = host.set_tick_period
        self.has_cluster = host.has_cluster
        self.resolve_dns = host.resolve_dns
        self.http_call = host.http_call
        self.grpc = host.grpc

    def log(self, level: LogLevel, text: str) -> None:
        """Keep a line that the guest wrote."""
        self._host.emit(LogLine(level.envoy_name, text, True))

    def queue_consumer(self, root: Context) -> Consumer:
        """Return what tells this VM's clone on this thread of messages."""
        host, vm_key, root_id = self._host, self._vm_key, root.id
        return lambda token: host.thread.post(lambda: host.queue_ready(vm_key, root_id, token))

    def random_bytes(self, count: int) -> bytes:
        """Return bytes of the process's seeded stream for guests."""
        return self._host.process.random("guest").randbytes(count)
