"""A result with rows made by hand: a client, a front, and two services behind it, in two zones."""

from __future__ import annotations

from meshsim.mesh.result import Edge, MemoryPart, MeshEvent, Result, Usage
from meshsim.mesh.rows import HopRow
from meshsim.sim import Streams, Table

MS = 1_000_000
SERVICES = ("front", "reviews", "ratings")


def synthetic(requests: int = 400, *, gap_ns: int = 5 * MS, seed: int = 1) -> Result:
    """Each request goes to the front, which calls reviews and then ratings; every tenth ends in a 503 with UO."""
    draw = Streams(seed).exponential_ns("work", 2 * MS)
    table = Table(HopRow)
    run_ns = requests * gap_ns
    for number in range(requests):
        _request(table, number, number * gap_ns, [MS // 10 + next(draw) for _ in SERVICES], warm=number >= 40)
    bins = tuple(30 * MS for _ in range(0, run_ns, 100 * MS))
    return Result(
        table,
        run_ns=run_ns,
        warmup_ns=min(40, requests) * gap_ns,
        seed=seed,
        services=SERVICES,
        edges=(Edge("client", "front"), Edge("front", "reviews"), Edge("front", "ratings")),
        usage=tuple(
            Usage(f"{service}-0", track, zone, capacity, sum(bins) * capacity, run_ns, bins)
            for service, zone in zip(SERVICES, "aab", strict=True)
            for track, capacity in (("worker_0", 1), ("worker_1", 1), ("app", 2))
        ),
        memory=tuple(
            MemoryPart(f"{service}-0", part, size)
            for service in SERVICES
            for part, size in (("envoy", 40 << 20), ("code", 2 << 20), ("linear", 1 << 20))
        ),
        events=(MeshEvent(run_ns // 2, "roll-out", "reviews: module v2"),),
        counters={"front": {"upstream_rq_total": requests}},
    )


def _request(table: Table[HopRow], number: int, start: int, work: list[int], *, warm: bool) -> None:
    front, reviews, ratings = work
    failed = number % 10 == 9
    status, flags = (503, "UO") if failed else (200, "")
    worker = f"worker_{number % 2}"
    wire = MS // 20
    begin = start + wire
    first = begin + front
    second = first + reviews
    end = second + ratings
    rows = [
        (number, 0, -1, "", "client", "", "", "", start, end + wire, 0, 0, 0, wire, status, "", 1, 512, warm),
        (number, 1, 0, "client", "front", "front-0", worker, "a", begin, end, MS // 50, 0, front, wire, status, "", 1,
         512, warm),
        (number, 2, 1, "front", "reviews", "reviews-0", worker, "a", first, second, MS // 50, 0, reviews, wire, 200, "",
         1, 256, warm),
        (number, 3, 1, "front", "ratings", "ratings-0", worker, "b", second, end, MS // 50, 0, ratings, wire, status,
         flags, 1 + failed, 64, warm),
    ]  # fmt: skip
    for row in rows:
        table.append(*row[:-1], int(row[-1]), "")
