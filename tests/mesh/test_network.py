from __future__ import annotations

from meshsim.mesh import Call, ClosedLoop, Constant, Link, Mesh, Network, OpenLoop, Service, Tls, Topology
from meshsim.mesh.network import RETRANSMIT_NS
from meshsim.mesh.ways import Way, Ways
from meshsim.sim import Level, Streams

MS = 1_000_000


def way(link: Link) -> Way:
    """A way over a link."""
    return Way(link, Streams(1), "here to there")


def test_a_narrow_way_sends_one_message_after_the_other() -> None:
    narrow = way(Link(Constant(MS), bandwidth=8_000_000))  # a byte a microsecond
    assert [narrow.arrival_ns(0, 500), narrow.arrival_ns(0, 500), narrow.arrival_ns(5 * MS, 100)] == [
        1_500_000,
        2_000_000,
        6_100_000,
    ]


def test_what_is_lost_comes_later() -> None:
    lossy = way(Link(Constant(0), loss=0.1))
    delays = [lossy.arrival_ns(0) for _ in range(20_000)]
    assert set(delays) <= {
        0,
        RETRANSMIT_NS,
        3 * RETRANSMIT_NS,
        7 * RETRANSMIT_NS,
        15 * RETRANSMIT_NS,
        31 * RETRANSMIT_NS,
    }
    lost = sum(delay > 0 for delay in delays) / len(delays)
    assert abs(lost - 0.1) < 3 * (0.1 * 0.9 / len(delays)) ** 0.5


def test_nothing_passes_while_a_way_is_cut() -> None:
    cut = way(Link(Constant(MS)))
    cut.cut_until_ns = 500 * MS
    assert cut.arrival_ns(0) == 3 * RETRANSMIT_NS + MS
    assert cut.arrival_ns(500 * MS) == 501 * MS


def test_ways_between_zones() -> None:
    ways = Ways(Network(Link(Constant(1)), {("a", "b"): Link(Constant(7))}), Streams(1))
    for name, zone in (("x-0", "a"), ("x-1", "a"), ("y-0", "b")):
        ways.place(name, name[0], zone)
    assert [ways.way(*pair).arrival_ns(0) for pair in (("x-0", "x-1"), ("x-0", "y-0"), ("y-0", "x-0"))] == [1, 7, 7]
    assert ways.way("x-0", "y-0") is ways.way("x-0", "y-0")
    ways.slow_down("y", 10)
    ways.slow_down("b", 100)
    assert [ways.way("x-0", "y-0").arrival_ns(0), ways.way("x-0", "x-1").arrival_ns(0)] == [117, 1]


def test_a_handshake_takes_trips_and_work() -> None:
    """The first request opens a connection on each leg; TLS takes a round trip more for those between machines."""
    pair = Topology([Service("front", script=(Call("back"),)), Service("back")])

    def first(tls: Tls | None) -> tuple[int, int]:
        mesh = Mesh(pair, network=Network(Link(Constant(MS)), tls=tls))
        rows = list(mesh.run(ClosedLoop(1), seconds=0.05, seed=1).hops)
        took = [row.end_ns - row.start_ns for row in rows if row.service == "back"]
        return took[0], min(took)

    plain, secure = first(None), first(Tls(client_ns=0, server_ns=0))
    assert plain[1] == secure[1]
    assert secure[0] - plain[0] == 2 * MS
    assert first(Tls())[0] > secure[0]


def test_connections_of_few_clients_make_hot_workers() -> None:
    """The kernel hashes connections: with few that last long, one worker may get most of the work."""
    mesh = Mesh(Topology([Service("only", workers=4)]))

    def shares(deal: str) -> list[float]:
        result = Mesh(mesh.topology, deal="turn" if deal == "turn" else "hash").run(
            OpenLoop(4_000, "constant", burst=4), seconds=0.2, seed=5, level=Level.OFF
        )
        return sorted(usage.share for usage in result.usage if usage.track.startswith("worker"))

    fair, hashed = shares("turn"), shares("hash")
    assert fair[-1] < 1.2 * fair[0]
    assert hashed[-1] > 1.5 * hashed[0]
