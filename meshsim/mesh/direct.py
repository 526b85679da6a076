"""Calls without proxies: straight from one application to another, balanced by the caller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from random import Random

from meshsim.errors import ConfigError
from meshsim.mesh.application import Application, Visit
from meshsim.mesh.legs import Leg
from meshsim.mesh.topology import Service
from meshsim.mesh.ways import Way, Ways
from meshsim.sim import Kernel, Streams

Done = Callable[[Leg], None]


class DirectCaller:
    """How one pod, or the client, reaches services.

    Retries follow at once; nobody waits in vain: there are no time-outs.
    """

    def __init__(
        self, kernel: Kernel, name: str, pods: Callable[[str], Sequence[Application]], ways: Ways, streams: Streams
    ) -> None:
        self._kernel = kernel
        self._name = name
        self._pods = pods
        self._ways = ways
        self._streams = streams
        self._targets: dict[str, _Targets] = {}

    def send(self, leg: Leg, request_bytes: int, done: Done) -> None:
        """Send a request."""
        targets = self._targets.get(leg.service)
        if targets is None:
            targets = self._targets[leg.service] = _Targets(self, leg.service)
        _Errand(self._kernel, targets, leg, request_bytes, done).go()

    def renew(self, service: str) -> None:
        """Take a service's pods as they are now."""
        if service in self._targets:
            self._targets[service].renew()

    def targets_of(self, service: str) -> list[_Target]:
        """Return the pods of a service as they are now."""
        return [_Target(pod, self) for pod in self._pods(service)]

    def ways_to(self, pod: Application) -> tuple[Way, Way]:
        """Return the ways to a pod and back."""
        return self._ways.way(self._name, pod.pod), self._ways.way(pod.pod, self._name)

    @cached_property
    def random(self) -> Random:
        """What chooses by lot."""
        return self._streams.stream(f"{self._name} balancing")


class _Target:
    """A pod as one caller sees it: the ways there and back, and how many requests it has under way."""

    __slots__ = ("_caller", "_ways", "pod", "under_way")

    def __init__(self, pod: Application, caller: DirectCaller) -> None:
        self.pod = pod
        self._caller = caller
        self._ways: tuple[Way, Way] | None = None
        self.under_way = 0

    @property
    def ways(self) -> tuple[Way, Way]:
        """There and back; made when they are first taken, as most of thousands of pods never see most others."""
        if self._ways is None:
            self._ways = self._caller.ways_to(self.pod)
        return self._ways


class _Targets:
    """The pods of a service, and who is next by the service's policy."""

    def __init__(self, caller: DirectCaller, name: str) -> None:
        self._caller = caller
        self._name = name
        self._targets = caller.targets_of(name)
        self._turn = 0
        self.service: Service = self._targets[0].pod.service
        policies = {"ROUND_ROBIN": self._in_turn, "LEAST_REQUEST": self._least, "RANDOM": self._by_lot}
        policy = self.service.traffic.policy
        if policy not in policies:
            raise ConfigError(
                f"service {name!r}: policy {policy} without proxies", remedy="one of " + ", ".join(policies)
            )
        self.choose = policies[policy]

    def renew(self) -> None:
        """Take the pods as they are now."""
        known = {target.pod.pod: target for target in self._targets}
        self._targets = [known.get(each.pod.pod, each) for each in self._caller.targets_of(self._name)]

    def _in_turn(self) -> _Target:
        target = self._targets[self._turn % len(self._targets)]
        self._turn += 1
        return target

    def _by_lot(self) -> _Target:
        targets = self._targets
        return targets[int(self._caller.random.random() * len(targets))]

    def _least(self) -> _Target:
        """Take the less busy of two that are drawn, the first when equal, as Envoy does (Mitzenmacher 2001)."""
        first, second = self._by_lot(), self._by_lot()
        return second if second.under_way < first.under_way else first


class _Errand:
    """One call: its tries, and what comes of them."""

    __slots__ = ("_bytes", "_done", "_kernel", "_leg", "_target", "_targets")

    def __init__(self, kernel: Kernel, targets: _Targets, leg: Leg, request_bytes: int, done: Done) -> None:
        self._kernel = kernel
        self._targets = targets
        self._leg = leg
        self._bytes = request_bytes
        self._done = done

    def go(self) -> None:
        """Send, for the first time or again."""
        kernel, leg = self._kernel, self._leg
        target = self._target = self._targets.choose()
        target.under_way += 1
        now_ns = kernel.now_ns
        arrival_ns = target.ways[0].arrival_ns(now_ns, self._bytes)
        leg.network_ns += arrival_ns - now_ns
        kernel.at(arrival_ns, target.pod.arrive, Visit(leg, self._answered))

    def _answered(self, visit: Visit) -> None:
        kernel, target = self._kernel, self._target
        now_ns = kernel.now_ns
        size_bytes = target.pod.response_bytes if visit.status < 500 else 0
        arrival_ns = target.ways[1].arrival_ns(now_ns, size_bytes)
        self._leg.network_ns += arrival_ns - now_ns
        self._leg.bytes_sent = size_bytes
        kernel.at(arrival_ns, self._heard, visit.status)

    def _heard(self, status: int) -> None:
        leg = self._leg
        self._target.under_way -= 1
        leg.status = status
        retry = self._targets.service.traffic.retry
        if status >= 500 and retry is not None and leg.tries <= retry.times:
            self.go()
        else:
            self._done(leg)
