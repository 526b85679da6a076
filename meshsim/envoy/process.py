"""All that Envoy keeps once a process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from random import Random
from typing import Protocol

from meshsim.abi.code import Code
from meshsim.abi.constants import LogLevel
from meshsim.abi.dialect import Dialect
from meshsim.abi.metrics import MetricValues
from meshsim.abi.queues import SharedQueues
from meshsim.abi.shared import SharedData
from meshsim.cost import CostModel
from meshsim.envoy.asked import OpenAccount
from meshsim.envoy.cluster import Cluster
from meshsim.envoy.config.core import Node
from meshsim.envoy.plugins import PluginTable
from meshsim.envoy.records import Crash, Failure
from meshsim.envoy.stats import Stats
from meshsim.envoy.thread_plugin import Vm
from meshsim.envoy.threads import Thread
from meshsim.sim import Kernel, Recorder, Streams
from meshsim.wasm import Compiled, Engine, Limits, ModuleFacts, parse_module

#: How long a call into a module may take of real time; Envoy would wait for ever. It ends the run with an error.
DEADLINE_S = 30.0

#: Virtual time 0 as a wall clock: 2026-01-01 00:00:00 UTC, in ns. An option of :class:`meshsim.Envoy`.
DEFAULT_EPOCH_NS = 1_767_225_600_000_000_000


def _ending(limits: Limits) -> Limits:
    """The same limits; the deadline is added where nothing else would end a guest that loops."""
    if limits.fuel_per_call is None and limits.deadline_s is None:
        return replace(limits, deadline_s=DEADLINE_S)
    return limits


class Reports(Protocol):
    """A thread, which has a log of its own."""

    def report(self, level: LogLevel, text: str) -> None:
        """Write a line of Envoy's own."""


class Process:
    """What the threads of one Envoy share."""

    def __init__(
        self,
        kernel: Kernel,
        recorder: Recorder,
        streams: Streams,
        costs: CostModel,
        engine: Engine,
        *,
        node: Node | None = None,
        epoch_ns: int = DEFAULT_EPOCH_NS,
        limits: Limits | None = None,
        dialect: Dialect = Dialect.ENVOY,
    ) -> None:
        self.dialect = dialect
        #: Opens the account of a request that a filter sends itself, where somebody keeps accounts.
        self.open_account: OpenAccount | None = None
        self.kernel = kernel
        self.recorder = recorder
        self.costs = costs
        self.node = node or Node()
        self.epoch_ns = epoch_ns
        self.limits = _ending(limits or Limits())
        self.failures: list[Failure] = []
        self.crashes: list[Crash] = []
        self.stats = Stats()
        #: Numbers of connections, downstream and upstream ones alike.
        self.connection_ids = count(1)
        self.shared_data = SharedData()
        self.shared_queues = SharedQueues()
        self.metric_values = MetricValues()
        self.plugins = PluginTable(self)
        self.vms: list[Vm] = []
        self.active_vms = 0
        self.cluster_hosts: Mapping[str, int] = {}
        self.make_clusters: Callable[[Thread], Mapping[str, Cluster]] = lambda _: {}
        self._engine = engine
        self._streams = streams

    def random(self, name: str) -> Random:
        """Return a seeded stream of random numbers."""
        return self._streams.stream(name)

    def use_streams(self, streams: Streams) -> None:
        """Draw from other streams from now on."""
        self._streams = streams

    def parse(self, code: bytes) -> ModuleFacts:
        """Read a module's facts."""
        return parse_module(code)

    def compile(self, code: bytes) -> Compiled:
        """Compile a module, or find it compiled; one of an unknown ABI version is refused before."""
        return self._engine.compile(
            code, self.limits.deadline_s is not None, lambda facts: Code.check_version(facts, self.dialect)
        )

    # -- counting VMs ---

    def vm_created(self, where: Reports, kind: str, runtime: str) -> None:
        """Count a VM that begins."""
        self.active_vms += 1
        self.stats.scope(f"wasm.{runtime}").add("created")
        self._count_vms(runtime)
        where.report(LogLevel.DEBUG, f"{kind} Wasm created {self.active_vms} now active")

    def vm_gone(self, where: Reports, runtime: str) -> None:
        """Count a VM that ends.

        With the last one, the counter of those that were created is gone too, unless a plugin stays that has none.
        """
        self.active_vms -= 1
        self._count_vms(runtime)
        if not self.active_vms and not self.plugins.staying:
            self.stats.set(f"wasm.{runtime}.created", 0)
        where.report(LogLevel.DEBUG, f"~Wasm {self.active_vms} remaining active")

    def vm_id_gone(self, vm_id: str) -> None:
        """Erase what VMs of an id have shared, when none of them is left."""
        if not any(vm.vm_id == vm_id for vm in self.vms):
            name = vm_id.encode()
            self.shared_data.forget(name)
            self.shared_queues.forget(name)

    def _count_vms(self, runtime: str) -> None:
        """Set the gauges; a runtime's own shows, in Envoy, the VMs of all."""
        self.stats.set(f"wasm.{runtime}.active", self.active_vms)
        self.stats.set("wasm.wasm_vm_count", self.active_vms)

    def all_stats(self) -> dict[str, int]:
        """Counters and gauges of the process and of its modules, without zeros."""
        values = self.stats.values()
        values.update((name, value) for name, value in self.metric_values.stats().items() if value)
        return dict(sorted(values.items()))
