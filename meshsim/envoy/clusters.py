"""The clusters of one Envoy: each thread has its own, with connections of its own, and some things all threads share.

Shared are circuit breakers, outlier detection, and how many requests are under way to each host.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial

from meshsim.envoy.address import Address, is_ip
from meshsim.envoy.balancing import NOBODY, Balancer, Host, balancer_of, hosts_of
from meshsim.envoy.breakers import Breakers
from meshsim.envoy.cluster import Cluster, Listening
from meshsim.envoy.config.cluster import Cluster as ClusterConfig
from meshsim.envoy.config.cluster import Thresholds
from meshsim.envoy.outliers import Outliers
from meshsim.envoy.process import Process
from meshsim.envoy.threads import Thread
from meshsim.envoy.witness import Witness


class Clusters:
    """Makes every thread's clusters.

    Parameters
    ----------
    configs : iterable of config.Cluster
        The bootstrap's.
    process : Process
        Where they count, and draw random numbers.
    main : Thread
        The main thread, which looks after hosts that are ejected.
    find : callable
        Gives what listens at an address, or None.
    setup_ns : callable, optional
        How long a connection to an address takes, in ns; without, as long as over the loopback interface.
    """

    def __init__(
        self,
        configs: Iterable[ClusterConfig],
        process: Process,
        main: Thread,
        find: Callable[[Address], Listening | None],
        setup_ns: Callable[[Address], int] | None,
    ) -> None:
        self.configs = {config.name: config for config in configs}
        self._process = process
        self._main = main
        self._find = find
        self._setup_ns = setup_ns

    def of(self, thread: Thread) -> dict[str, Cluster]:
        """Make a thread's clusters."""
        return {name: self._cluster(config, thread) for name, config in self.configs.items()}

    def _hosts(self, config: ClusterConfig) -> list[Host]:
        """Return a cluster's hosts. An Envoy that is alone has nobody to ask for a name."""
        hosts = hosts_of(config)
        return [host for host in hosts if is_ip(host.address[0])] if self._setup_ns is None else hosts

    def _cluster(self, config: ClusterConfig, thread: Thread) -> Cluster:
        hosts = self._hosts(config)
        stats = self._process.stats.scope(config.stat_prefix)
        outliers = self._outliers.get(config.name)
        cluster = Cluster(
            config.name,
            [host.address for host in hosts],
            thread,
            stats,
            self._find,
            config.keeps_trailers,
            config.speaks_http2,
            config.requests_per_connection,
            config.response_limits,
            self._balancer(config, hosts),
            Witness.of(self._process.recorder, thread),
            self._setup_ns,
            self._breakers[config.name] if config.thresholds is not None else None,
            self._breakers[config.name].retries,
            outliers=outliers,
            active=self._active.get(config.name),
            answer_ns=self._process.costs.upstream_ns,
            new_connection_id=self._process.connection_ids.__next__,
        )
        if outliers is not None:
            outliers.users.append(cluster)
        return cluster

    @cached_property
    def _outliers(self) -> dict[str, Outliers]:
        """The outlier detection by cluster, for all threads together."""
        return {
            config.name: Outliers(
                config,
                self._hosts(config),
                self._main,
                self._process.stats.scope(f"{config.stat_prefix}.outlier_detection"),
                self._process.random("outliers"),
                partial(self._balancer, config),
            )
            for config in self.configs.values()
            if config.outlier_detection is not None
        }

    @cached_property
    def _active(self) -> dict[str, defaultdict[Address, int]]:
        """How many requests are under way to each host, from all threads together, where that chooses a host."""
        balanced = (config for config in self.configs.values() if config.lb_policy == "LEAST_REQUEST")
        return {config.name: defaultdict(int) for config in balanced}

    @cached_property
    def _breakers(self) -> dict[str, Breakers]:
        """The circuit breakers by cluster, for all threads together."""
        return {config.name: self._new_breakers(config) for config in self.configs.values()}

    def _new_breakers(self, config: ClusterConfig) -> Breakers:
        stats = self._process.stats
        counters = stats.scope(config.stat_prefix)
        breakers = Breakers(config.thresholds or Thresholds(), counters)
        if config.thresholds is not None:
            stats.add_source(breakers.sweep)
        return breakers

    def known_by_name(self, cluster: str) -> list[Address]:
        """Return where a cluster's hosts are said to be, names that nobody knows among them."""
        return [host.address for host in hosts_of(self.configs[cluster])]

    def renew(self, config: ClusterConfig, addresses: Sequence[Address], clusters: Iterable[Cluster]) -> None:
        """Give the threads' instances of a cluster other hosts; requests under way stay where they are."""
        hosts = [Host(address, f"{address[0]}:{address[1]}") for address in addresses]
        for cluster in clusters:
            cluster.renew(hosts, self._balancer(config, hosts))

    def _balancer(self, config: ClusterConfig, hosts: Sequence[Host]) -> Balancer | None:
        return balancer_of(config, hosts, self._process.random("balancing"), self._active.get(config.name, NOBODY))

    @cached_property
    def _host_names(self) -> Mapping[str, Mapping[Address, str]]:
        return {name: config.host_names() for name, config in self.configs.items()}

    def host_name(self, cluster: str, address: Address) -> str:
        """Return the name of one of a cluster's hosts; empty for one without a name."""
        return self._host_names.get(cluster, {}).get(address, "")
