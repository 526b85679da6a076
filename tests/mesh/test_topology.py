from __future__ import annotations

from pathlib import Path

import networkx as nx
import pytest

from meshsim.errors import ConfigError
from meshsim.mesh import Call, Constant, Exponential, Mesh, Service, Sleep, Together, Topology
from meshsim.mesh.isotope import topology_of
from meshsim.mesh.loader import load_isotope

TOPOLOGIES = sorted((Path(__file__).parents[2] / "meshsim" / "scenarios" / "topologies").glob("*.yaml"))


@pytest.mark.parametrize(
    ("services", "message"),
    [
        ([], "a mesh without services"),
        ([Service("a"), Service("a")], "two services are named 'a'"),
        ([Service("a", script=(Call("b"),))], "'a' calls 'b', which is not there"),
        ([Service("a", script=(Call("b"),)), Service("b", script=(Call("a"),))], "calls go round in a circle"),
    ],
)
def test_what_is_no_topology(services: list[Service], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Topology(services)


def test_the_entry_is_marked_or_called_by_nobody() -> None:
    back, front = Service("back"), Service("front", script=(Call("back"),))
    assert Topology([back, front]).entry is front
    assert Topology([Service("back", is_entry=True), front]).entry.name == "back"


def test_a_topology_through_networkx_and_back() -> None:
    shop = Topology(
        [Service("shop", script=(Together((Call("a", 5, 0.5), Call("b"))), Call("a"))), Service("a"), Service("b", 3)],
        7,
    )
    graph = shop.to_networkx()
    assert graph.edges["shop", "a"]["calls"] == 1.5
    assert Topology.from_networkx(graph) == shop


def test_any_graph_is_a_topology() -> None:
    graph = nx.balanced_tree(2, 2, create_using=nx.DiGraph)
    graph.nodes[3]["replicas"] = 4
    tree = Topology.from_networkx(graph, concurrency=2)
    assert [call.service for call in tree.entry.calls()] == ["1", "2"]
    assert (tree["3"].replicas, tree["3"].concurrency, tree["4"].replicas) == (4, 2, 1)
    assert Mesh.from_networkx(graph, proxies="none").topology.visits()["6"] == 1


def test_isotope_is_read_as_it_is() -> None:
    topology = load_isotope(
        """
        defaults: {type: http, requestSize: 1 KB, responseSize: 16 KB, numReplicas: 2, errorRate: 0.1%}
        services:
        - name: shop
          isEntrypoint: true
          numReplicas: 3
          script:
          - sleep: 10ms
          - - call: cart
            - call: {service: stock, size: 128, probability: 25}
            - sleep: exponential(1ms)
        - {name: cart, errorRate: 0.5, serviceTime: 2ms, concurrency: 4, cluster: east}
        - name: stock
        """
    )
    shop, cart, stock = topology
    assert topology.request_bytes == 1024
    assert shop.script == (
        Sleep(Constant(10_000_000)),
        Together((Call("cart", 1024), Call("stock", 128, 0.25), Sleep(Exponential(1_000_000)))),
    )
    assert (shop.replicas, stock.replicas, stock.response_bytes, stock.error_rate) == (3, 2, 16_384, 0.001)
    assert (cart.service_time, cart.concurrency, cart.zones) == (Constant(2_000_000), 4, ("east",))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "topology: not a mapping"),
        ({"services": []}, "no services"),
        ({"sevices": []}, "no field 'sevices'"),
        ({"services": [{"script": []}]}, r"services\[0\]: a service without a name"),
        ({"services": [{"name": "a", "replicas": 1}]}, r"services\[0\]: no field 'replicas'"),
        ({"services": [{"name": "a", "numReplicas": 0}]}, "numReplicas: 0 is no whole number from 1 on"),
        ({"services": [{"name": "a", "errorRate": "200%"}]}, "errorRate: '200%' is no share"),
        ({"services": [{"name": "a", "responseSize": "big"}]}, "responseSize: 'big' is no size"),
        ({"services": [{"name": "a", "responseSize": "9999 PB"}]}, "responseSize: '9999 PB' is more than"),
        ({"services": [{"name": "a", "zones": 5}]}, "zones: 5 is no list of names"),
        ({"services": [{"name": "a", "serviceTime": 5.5}]}, "serviceTime: '5.5' is no duration"),
        ({"services": [{"name": "a", "cpuLimit": float("inf")}]}, "cpuLimit: inf is no number"),
        ({"services": [{"name": "a", "script": [{"sleep": 5}]}]}, r"script\[0\].sleep: '5' is no duration"),
        ({"services": [{"name": "a", "script": [{"jump": 1}]}]}, r"script\[0\]: \{'jump': 1\} is no step"),
        ({"services": [{"name": "a", "script": [[[{"sleep": "1s"}]]]}]}, r"script\[0\]: .* cannot be nested again"),
    ],
)
def test_mistakes_in_isotope_have_a_place(document: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        topology_of(document)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("services: [\n", "topology:1: not YAML"),
        ("services:\n  " + "[" * 200 + "]" * 200, "topology:2: nested too deep"),
        ("services:\n  " + "9" * 5000, "topology: not YAML"),
    ],
)
def test_what_is_no_yaml_has_a_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_isotope(text)


def test_the_shapes_that_are_shipped() -> None:
    pods = {}
    for path in TOPOLOGIES:
        topology = load_isotope(path)
        pods[path.stem] = len(topology), sum(service.replicas for service in topology)
        assert topology.entry.is_entry
    assert len(pods) == 15
    assert pods["tree-1000-services-5000-pods"] == (1000, 5000)
    assert pods["fan-out-10-services-10000-pods"] == (10, 10_000)
    assert pods["tree-111-services"] == (111, 111)
    assert pods["diamond-two-pods"] == (4, 8)
