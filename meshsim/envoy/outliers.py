"""Outlier detection: hosts that fail are left alone for a while.

Rules of Envoy 1.40. All workers' answers of a host count together. So many failures in a row (of any 5xx; of 502, 503
and 504 alone) are detected; the host is ejected unless that would be more of the cluster than is allowed. Each ejection
in a row is longer than the one before. At each interval hosts whose time is over come back, and hosts that were good
since the last one have their next ejection shortened. A request that got no answer counts as 503, a time-out as 504.

Workers hear of a change at once, but of one that comes within a second (``update_merge_window``) of the last one only a
second later, together with what else has changed till then.

When too few hosts are left, the cluster panics: its requests go to all hosts again, ejected or not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from meshsim.envoy.address import Address
from meshsim.envoy.balancing import Balancer, Host
from meshsim.envoy.config.cluster import Cluster as ClusterConfig
from meshsim.envoy.config.cluster import OutlierDetection
from meshsim.envoy.stats import Counters
from meshsim.envoy.threads import Thread

_S = 1_000_000_000
_GATEWAY = frozenset((502, 503, 504))
_FAILURES_IN_A_ROW, _MAX_EJECTION_PERCENT, _PANIC_PERCENT = 5, 10, 50
_INTERVAL_NS, _EJECTION_NS, _MAX_EJECTION_NS = 10 * _S, 30 * _S, 300 * _S


@dataclass(slots=True)
class _Monitor:
    """What is known of a host; ``rounds`` is how many times as long as the first its next ejection lasts."""

    errors: int = 0
    gateway_errors: int = 0
    ejected_ns: int = -1
    rounds: int = 0


class UsesHosts(Protocol):
    """A cluster on one worker."""

    def use(self, hosts: Sequence[Host], balancer: Balancer | None, *, panics: bool) -> None:
        """Take these hosts from now on."""


class Outliers:
    """The hosts of one cluster, as all threads see them.

    ``main`` is the thread whose timer looks after them; ``balancer`` makes what chooses among some of them.
    """

    def __init__(
        self,
        config: ClusterConfig,
        hosts: Sequence[Host],
        main: Thread,
        stats: Counters,
        random: Random,
        balancer: Callable[[Sequence[Host]], Balancer | None],
    ) -> None:
        self._config = config
        self._rules = config.outlier_detection or OutlierDetection()
        self._balancer = balancer
        self._hosts = list(hosts)
        self._main = main
        self._stats = stats
        self._random = random
        self._monitors: dict[Address, _Monitor] = {host.address: _Monitor() for host in hosts}
        self._looks = False
        self._told_ns: int | None = None
        self._will_tell = False
        #: The cluster on each worker.
        self.users: list[UsesHosts] = []

    def take_hosts(self, hosts: Sequence[Host]) -> None:
        """The cluster has other hosts from now on; what is known of those that stay is kept."""
        self._hosts = list(hosts)
        self._monitors = {host.address: self._monitors.get(host.address, _Monitor()) for host in hosts}
        self._tell()

    # -- what hosts do ---

    def report(self, address: Address, status: int, now_ns: int) -> None:
        """Take note of a host's answer."""
        monitor, rules = self._monitors.get(address), self._rules
        if monitor is None:
            return
        if status < 500:
            monitor.errors = monitor.gateway_errors = 0
            return
        monitor.gateway_errors = monitor.gateway_errors + 1 if status in _GATEWAY else 0
        if monitor.gateway_errors == _or(rules.consecutive_gateway_failure, _FAILURES_IN_A_ROW) and not _is_out(
            monitor
        ):
            self._detected("consecutive_gateway_failure")
            self._eject(
                monitor, "consecutive_gateway_failure", rules.enforcing_consecutive_gateway_failure or 0, now_ns
            )
            monitor.gateway_errors = 0
        monitor.errors += 1
        if monitor.errors == _or(rules.consecutive_5xx, _FAILURES_IN_A_ROW) and not _is_out(monitor):
            self._stats.add("ejections_consecutive_5xx")
            self._detected("consecutive_5xx")
            self._eject(monitor, "consecutive_5xx", _or(rules.enforcing_consecutive_5xx, 100), now_ns)
            monitor.errors = 0

    def _detected(self, why: str) -> None:
        self._stats.add(f"ejections_detected_{why}")

    # -- ejections ---

    def _eject(self, monitor: _Monitor, why: str, enforced_percent: int, now_ns: int) -> None:
        out = sum(map(_is_out, self._monitors.values()))
        allowed = min(100, _or(self._rules.max_ejection_percent, _MAX_EJECTION_PERCENT))
        if 100 * (out + 1) > allowed * len(self._monitors) and not (self._rules.always_eject_one_host and not out):
            self._stats.add("ejections_overflow")
            return
        if why == "consecutive_5xx":
            self._stats.add("ejections_total")
        if enforced_percent < 100 and self._random.randrange(100) >= enforced_percent:
            return
        self._stats.add("ejections_active")
        self._stats.add("ejections_enforced_total")
        self._stats.add(f"ejections_enforced_{why}")
        monitor.ejected_ns = now_ns
        monitor.rounds += 1
        self._changed(now_ns)
        self._look_later(now_ns)

    def _look_later(self, now_ns: int) -> None:
        """Look at the end of this interval, if nobody does; intervals are counted from the start."""
        if not self._looks:
            self._looks = True
            interval_ns = self._rules.interval or _INTERVAL_NS
            self._main.post_at(self._look, (now_ns // interval_ns + 1) * interval_ns)

    def _look(self) -> None:
        self._looks = False
        back = [monitor for monitor in self._monitors.values() if _is_out(monitor) and self._is_due(monitor)]
        for monitor in self._monitors.values():
            if not _is_out(monitor) and monitor.rounds:
                monitor.rounds -= 1
        for monitor in back:
            monitor.ejected_ns = -1
            monitor.errors = monitor.gateway_errors = 0
            self._stats.add("ejections_active", -1)
        if back:
            self._changed(self._main.now_ns)
        if any(_is_out(monitor) or monitor.rounds for monitor in self._monitors.values()):
            self._look_later(self._main.now_ns)

    def _is_due(self, monitor: _Monitor) -> bool:
        base_ns = self._rules.base_ejection_time or _EJECTION_NS
        longest_ns = max(self._rules.max_ejection_time or _MAX_EJECTION_NS, base_ns)
        return self._main.now_ns - monitor.ejected_ns >= min(base_ns * monitor.rounds, longest_ns)

    def _changed(self, now_ns: int) -> None:
        """Tell workers of a change, now or together with others."""
        common = self._config.common_lb_config
        window_ns = _S if common is None or common.update_merge_window is None else common.update_merge_window
        if not window_ns or self._told_ns is None or now_ns - self._told_ns > window_ns:
            self._told_ns = now_ns
            self._tell()
        elif not self._will_tell:
            self._will_tell = True
            self._main.post_at(self._tell_merged, now_ns + window_ns)

    def _tell_merged(self) -> None:
        self._will_tell, self._told_ns = False, self._main.now_ns
        self._tell()

    def _tell(self) -> None:
        """Tell every worker which hosts to use."""
        hosts = [host for host in self._hosts if not _is_out(self._monitors[host.address])]
        panics = 100 * len(hosts) < self._panic_percent * len(self._hosts)
        if panics:
            hosts = self._hosts
        for user in self.users:
            user.use(hosts, self._balancer(hosts), panics=panics)

    @property
    def _panic_percent(self) -> float:
        common = self._config.common_lb_config
        given = common.healthy_panic_threshold if common else None
        return _PANIC_PERCENT if given is None else given.value


def _is_out(monitor: _Monitor) -> bool:
    return monitor.ejected_ns >= 0


def _or(given: int | None, default: int) -> int:
    return default if given is None else given
