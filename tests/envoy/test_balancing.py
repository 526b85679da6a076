"""Load balancing: shares, and what a hash decides; ``hcm-hash-balancing`` compares tables with the real ones."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.envoy.balancing import ByLot, Host, InTurn, LeastBusy, Maglev, Ring, balancer_of, hosts_of
from meshsim.envoy.config.cluster import Cluster
from meshsim.envoy.loader import parse_bootstrap
from meshsim.envoy.xxhash import xxh64
from meshsim.errors import UnmodelledField

HOSTS = [Host(("10.0.0.1", port), f"h{port}") for port in (1, 2, 3)]
HEAVY = [Host(host.address, host.key, weight) for host, weight in zip(HOSTS, (1, 5, 2), strict=True)]


def cluster(lb: str = "", *localities: str) -> Cluster:
    endpoints = "".join(f"\n    - {locality}" for locality in localities)
    text = f"static_resources:\n  clusters:\n  - name: c\n    type: STATIC\n    {lb or 'alt_stat_name: c'}"
    text += f"\n    load_assignment:\n      cluster_name: c\n      endpoints:{endpoints.replace('    - ', '      - ')}"
    return parse_bootstrap(text).static_resources.clusters[0]


def endpoint(port: int, weight: int = 0, metadata: str = "") -> str:
    more = (f", load_balancing_weight: {weight}" if weight else "") + metadata
    return f"{{endpoint: {{address: {{socket_address: {{address: 10.0.0.1, port_value: {port}}}}}}}{more}}}"


def test_hosts_of_one_weight_take_turns() -> None:
    balancer = InTurn(HOSTS)
    assert [balancer.choose(None)[1] for _ in range(7)] == [1, 2, 3, 1, 2, 3, 1]


@given(st.lists(st.integers(1, 20), min_size=1, max_size=6))
def test_weights_are_shares(weights: list[int]) -> None:
    hosts = [Host(("10.0.0.1", number), "", weight) for number, weight in enumerate(weights)]
    balancer = InTurn(hosts)
    counts = Counter(balancer.choose(None)[1] for _ in range(10 * sum(weights)))
    assert all(abs(counts[number] - 10 * weight) <= 1 for number, weight in enumerate(weights))


@pytest.mark.parametrize("make", [Ring, Maglev])
def test_one_hash_one_host_and_all_hashes_by_weight(make: type[Ring] | type[Maglev]) -> None:
    balancer = make(HEAVY, Random(1))
    hashes = [xxh64(b"%d" % number) for number in range(4_000)]
    chosen = [balancer.choose(value) for value in hashes]
    assert chosen == [balancer.choose(value) for value in hashes]
    counts = Counter(address[1] for address in chosen)
    assert all(abs(counts[host.address[1]] / 500 - host.weight) < 0.2 * host.weight + 0.1 for host in HEAVY)


@pytest.mark.parametrize("make", [Ring, Maglev])
def test_without_a_host_only_its_own_requests_move(make: type[Ring] | type[Maglev]) -> None:
    before, after = make(HOSTS, Random(1)), make(HOSTS[:2], Random(1))
    hashes = [xxh64(b"%d" % number) for number in range(2_000)]
    stayed = [before.choose(value) == after.choose(value) for value in hashes if before.choose(value)[1] != 3]
    assert sum(stayed) / len(stayed) > 0.8


@pytest.mark.parametrize("make", [Ring, Maglev])
def test_without_a_hash_the_seed_decides(make: type[Ring] | type[Maglev]) -> None:
    one, other = ([make(HOSTS, Random(5)).choose(None) for _ in range(1)] for _ in range(2))
    assert one == other
    balancer = make(HOSTS, Random(5))
    assert len({balancer.choose(None) for _ in range(50)}) == 3


def test_only_the_first_priority_is_used() -> None:
    config = cluster(
        "",
        f"{{priority: 2, lb_endpoints: [{endpoint(1)}]}}",
        f"{{priority: 1, lb_endpoints: [{endpoint(2)}, {endpoint(3, 4)}]}}",
        "{priority: 0, lb_endpoints: []}",
    )
    assert [(host.address[1], host.weight) for host in hosts_of(config)] == [(2, 1), (3, 4)]


def test_what_stands_for_a_host_in_a_hash() -> None:
    keyed = ", metadata: {filter_metadata: {envoy.lb: {hash_key: mine}}}"
    config = cluster("lb_policy: MAGLEV", f"{{lb_endpoints: [{endpoint(1)}, {endpoint(2, 0, keyed)}]}}")
    assert [host.key for host in hosts_of(config)] == ["10.0.0.1:1", "mine"]


@pytest.mark.parametrize(
    ("policy", "kind"),
    [
        ("lb_policy: RING_HASH", Ring),
        ("lb_policy: MAGLEV", Maglev),
        ("lb_policy: LEAST_REQUEST", LeastBusy),
        ("lb_policy: RANDOM", ByLot),
        ("", InTurn),
    ],
)
def test_the_policy_decides(policy: str, kind: type) -> None:
    config = cluster(policy, f"{{lb_endpoints: [{endpoint(1)}]}}")
    assert isinstance(balancer_of(config, hosts_of(config), Random(0)), kind)


def test_no_hosts_no_balancer() -> None:
    assert balancer_of(Cluster(), [], Random(0)) is None


def test_another_hash_function_is_not_modelled() -> None:
    with pytest.raises(UnmodelledField, match="MURMUR_HASH_2"):
        cluster("ring_hash_lb_config: {hash_function: MURMUR_HASH_2}", f"{{lb_endpoints: [{endpoint(1)}]}}")


def test_the_less_busy_of_two_that_are_drawn() -> None:
    hosts = [Host(("10.0.0.1", port), "") for port in (1, 2, 3)]
    active = {hosts[0].address: 5, hosts[1].address: 1, hosts[2].address: 3}
    balancer = LeastBusy(hosts, Random(0), active)
    chosen = Counter(balancer.choose(None)[1] for _ in range(9_000))
    assert chosen[2] == pytest.approx(5_000, rel=0.05)  # unless both draws miss it
    assert chosen[3] == pytest.approx(3_000, rel=0.05)
    assert chosen[1] == pytest.approx(1_000, rel=0.1)  # only when it is drawn twice


def test_any_host_by_lot() -> None:
    balancer = ByLot([Host(("10.0.0.1", port), "") for port in (1, 2)], Random(0))
    chosen = Counter(balancer.choose(None)[1] for _ in range(4_000))
    assert chosen[1] == pytest.approx(2_000, rel=0.1)
    assert sum(chosen.values()) == 4_000
