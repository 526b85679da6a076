from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

import pytest

from meshsim.envoy.address import Address
from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.cluster import Cluster
from meshsim.envoy.config.route import RetryPolicy
from meshsim.envoy.filters.plan import Plan
from meshsim.envoy.filters.tries import Tries
from meshsim.envoy.headers import HeaderMap, Kind
from meshsim.envoy.retry import Retries
from meshsim.envoy.stats import Stats
from meshsim.envoy.threads import Thread
from meshsim.envoy.timeouts import Timeouts
from meshsim.envoy.upstream import UpstreamFailure
from meshsim.envoy.wire import Data, End, Head, Part, Socket
from meshsim.sim import Kernel

HERE = ("127.0.0.1", 80)
MS = 1_000_000


class Host:
    """Answers each request with the next status of a list; None never answers."""

    def __init__(self, thread: Thread, statuses: Sequence[int | None]) -> None:
        self.thread = thread
        self.statuses: Iterator[int | None] = iter(statuses)
        self.attempts: list[bytes | None] = []
        self.bodies: list[bytes] = []

    def accept(self, client: Thread, *, http2: bool = False) -> Socket:
        near, far = Socket.pair(client, self.thread)
        far.reader = _HostEnd(self, far)
        return near


class _HostEnd:
    def __init__(self, host: Host, socket: Socket) -> None:
        self.host, self.socket = host, socket

    def on_read(self, parts: list[Part]) -> None:
        heads = [part for part in parts if isinstance(part, Head)]
        self.host.attempts += [head.value(b"x-envoy-attempt-count") for head in heads]
        self.host.bodies.append(b"".join(part.data for part in parts if isinstance(part, Data)))
        status = next(self.host.statuses)
        if status is not None:
            self.socket.write(Head(((b"content-length", b"2"),), status=status))
            self.socket.write(Data(b"ok"))
            self.socket.write(End())

    def on_close(self) -> None:
        """The host has nothing to tidy up."""


class Asker:
    def __init__(self) -> None:
        self.noted: list[object] = []
        self.kept = BodyBuffer()

    def upstream_chosen(self, address: Address, sent: HeaderMap) -> None:
        self.noted.append("chosen")

    def upstream_connected(self) -> None:
        pass

    def kept_body(self) -> BodyBuffer | None:
        return self.kept

    def answer_informational(self, status: int) -> None:
        self.noted.append(status)

    def answer_headers(self, headers: HeaderMap, end: bool) -> None:
        self.noted.append(int(headers[b":status"]))

    def answer_data(self, data: BodyBuffer, end: bool) -> None:
        if end:
            self.noted.append("end")

    def answer_trailers(self, trailers: HeaderMap) -> None:
        self.noted.append("trailers")

    def no_answer(self, failure: UpstreamFailure) -> None:
        self.noted.append((failure.status, failure.details, failure.body))

    def answer_cut(self, failure: UpstreamFailure) -> None:
        self.noted.append(("cut", failure.details))

    def retries_used_up(self) -> None:
        self.noted.append("used up")


class World:
    def __init__(
        self,
        statuses: Sequence[int | None],
        policy: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
        limit_bytes: int = 100,
    ) -> None:
        self.kernel = Kernel()
        self.host = Host(Thread("host", self.kernel), statuses)
        self.stats = Stats()
        self.asker = Asker()
        listening = {HERE: self.host} if statuses else {}
        cluster = Cluster("c", [HERE], Thread("w", self.kernel), self.stats.scope("c"), listening.get)
        retries = Retries.of(policy, HeaderMap(kind=Kind.REQUEST))
        plan = Plan(cluster, timeouts or Timeouts(0, 0), retries, Random(1), limit_bytes, True, True)
        headers = HeaderMap([(b":method", b"POST"), (b":path", b"/"), (b"x-envoy-attempt-count", b"1")], Kind.REQUEST)
        self.tries = Tries(self.asker, plan, headers)

    def run(self, body: bytes | None = None) -> list[object]:
        self.tries.begin(body is None)
        if body is not None:
            data = BodyBuffer(bytearray(body))
            self.tries.send_data(data, True)
            if self.tries.may_retry:
                self.asker.kept.take(data)
        self.kernel.run(self.kernel.now_ns + 3_000 * MS)
        return self.asker.noted

    def counted(self, name: str) -> int:
        return self.stats.values().get(f"c.upstream_rq_{name}", 0)


def test_an_answer_that_is_not_good_enough_is_thrown_away() -> None:
    world = World([503, 200], RetryPolicy(retry_on="5xx"))
    assert world.run(b"body") == ["chosen", "chosen", 200, "end"]
    assert world.host.bodies == [b"body", b"body"]
    assert world.host.attempts == [b"1", b"2"]
    assert [world.counted(name) for name in ("total", "completed", "5xx", "2xx", "retry")] == [2, 1, 0, 1, 1]


def test_the_last_answer_counts_whatever_it_is() -> None:
    world = World([503, 502, 504], RetryPolicy(retry_on="5xx", num_retries=2))
    assert world.run() == ["chosen"] * 3 + ["used up", 504, "end"]
    assert [world.counted(name) for name in ("total", "completed", "retry")] == [3, 1, 2]


def test_without_a_policy_there_is_one_try() -> None:
    assert World([503]).run() == ["chosen", 503, "end"]


def test_a_body_that_is_too_large_to_keep_is_sent_once() -> None:
    world = World([503], RetryPolicy(retry_on="5xx"), limit_bytes=3)
    assert world.run(b"body") == ["chosen", 503, "end"]


def test_a_refused_connection_is_tried_again_and_told_in_other_words() -> None:
    world = World([], RetryPolicy(retry_on="connect-failure"))
    *begin, outcome = world.run()
    assert begin == ["chosen", "chosen", "used up"]
    assert isinstance(outcome, tuple)
    assert outcome[2].endswith(b"retried and the latest reset reason: remote connection failure")
    assert [world.counted(name) for name in ("total", "completed", "retry")] == [0, 1, 1]


@pytest.mark.parametrize(
    ("timeouts", "outcome"),
    [
        (Timeouts(200 * MS, 0), (504, "response_timeout", b"upstream request timeout")),
        (Timeouts(200 * MS, 0, 204), (204, "response_timeout", b"")),
        (Timeouts(0, 100 * MS), (504, "upstream_per_try_timeout", b"upstream request timeout")),
    ],
)
def test_nobody_waits_for_ever(timeouts: Timeouts, outcome: object) -> None:
    world = World([None], timeouts=timeouts)
    assert world.run() == ["chosen", outcome]
    assert world.counted("timeout") == (timeouts.total_ns > 0)
    assert world.counted("completed") == 1


def test_a_try_that_takes_too_long_is_followed_by_another() -> None:
    world = World([None, 200], RetryPolicy(retry_on="5xx"), Timeouts(1_000 * MS, 100 * MS))
    assert world.run() == ["chosen", "chosen", 200, "end"]
    assert (world.counted("timeout"), world.counted("per_try_timeout")) == (0, 1)


def test_nothing_is_heard_of_a_request_that_is_left() -> None:
    world = World([503, 200], RetryPolicy(retry_on="5xx"), Timeouts(500 * MS, 0))
    world.tries.begin(True)
    world.tries.leave()
    world.kernel.run(1_000 * MS)
    assert world.asker.noted == ["chosen"]
