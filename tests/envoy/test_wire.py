from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.threads import Thread
from meshsim.envoy.wire import LINGER_NS, LOOPBACK_NS, Data, End, Head, MessageReader, Part, Socket
from meshsim.sim import Kernel


class Taker:
    """What a codec makes of parts, as lines."""

    def __init__(self) -> None:
        self.took: list[str] = []
        self.body = b""

    def headers(self, head: Head, end: bool) -> None:
        self.took.append(f"head{' end' * end}")

    def data(self, data: BodyBuffer, end: bool) -> None:
        self.took.append(f"{bytes(data.data).decode()}{' end' * end}")
        self.body += bytes(data.data)

    def trailers(self, trailers: HeaderMap) -> None:
        self.took.append(f"trailers {trailers.pairs()}")


def head(**fields: str) -> Head:
    return Head(
        tuple((name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()), b"GET", b"/"
    )


LENGTH_3, CHUNKED = head(content_length="3"), head(transfer_encoding="chunked")


@pytest.mark.parametrize(
    ("reads", "took"),
    [
        ([[head()]], ["head end"]),
        ([[head(content_length="0")]], ["head end"]),
        ([[LENGTH_3, Data(b"abc")]], ["head", "abc", " end"]),
        ([[LENGTH_3], [Data(b"a")], [Data(b"bc")]], ["head", "a", "bc", " end"]),
        ([[CHUNKED, Data(b"a"), Data(b"b"), End()]], ["head", "ab", " end"]),
        ([[CHUNKED], [Data(b"a")], [End()]], ["head", "a", " end"]),
        ([[CHUNKED, End(((b"T", b"1"),))]], ["head", "trailers [(b't', b'1')]"]),
    ],
    ids=str,
)
def test_parts_become_pieces(reads: list[list[Part]], took: list[str]) -> None:
    taker = Taker()
    reader = MessageReader(taker, keep_trailers=True)
    for parts in reads:
        assert reader.read(parts) == []
    assert taker.took == took
    assert reader.complete


def test_trailers_vanish_where_they_are_not_kept() -> None:
    taker = Taker()
    MessageReader(taker).read([CHUNKED, End(((b"t", b"1"),))])
    assert taker.took == ["head", " end"]


def test_a_message_without_body_by_its_kind_has_none_by_its_length() -> None:
    taker = Taker()
    reader = MessageReader(taker, bodiless=lambda _: True)
    reader.read([LENGTH_3])
    assert taker.took == ["head end"]
    assert reader.complete


def test_what_follows_a_message_is_given_back() -> None:
    reader = MessageReader(Taker())
    rest: list[Part] = [head(), Data(b"x")]
    assert reader.read([LENGTH_3, Data(b"abc"), *rest]) == rest
    assert reader.read(rest) == rest


@given(st.lists(st.sampled_from([b"a", b"bc", b"def"])), st.lists(st.integers(0, 10)), st.booleans())
def test_however_reads_fall_the_body_is_the_same_and_ends_once(
    pieces: list[bytes], cuts: list[int], chunked: bool
) -> None:
    whole = b"".join(pieces)
    start = CHUNKED if chunked else Head(((b"content-length", b"%d" % len(whole)),), b"GET", b"/")
    parts: list[Part] = [start, *map(Data, pieces), End()]
    taker = Taker()
    reader = MessageReader(taker)
    at = 0
    for cut in [*cuts, len(parts)]:
        reader.read(parts[at : at + cut])
        at += cut
    assert taker.body == whole
    assert sum(line.endswith(" end") for line in taker.took) == 1


class Reader:
    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.read: list[tuple[int, list[Part]]] = []
        self.closed_ns: int | None = None

    def on_read(self, parts: list[Part]) -> None:
        self.read.append((self.kernel.now_ns, parts))

    def on_close(self) -> None:
        self.closed_ns = self.kernel.now_ns


def test_what_one_task_writes_arrives_in_one_read_and_then_the_end() -> None:
    kernel = Kernel()
    near, far = Socket.pair(Thread("a", kernel), Thread("b", kernel))
    far.reader = reader = Reader(kernel)

    def task() -> None:
        near.write(Data(b"1"))
        near.write(Data(b"2"))
        near.close()
        near.write(Data(b"late"))

    near.thread.post(task, 100)
    kernel.run()
    assert reader.read == [(100 + LOOPBACK_NS, [Data(b"1"), Data(b"2")])]
    assert reader.closed_ns == 100 + LOOPBACK_NS
    assert near.closed
    assert far.closed


def test_nothing_arrives_at_an_end_that_is_closed() -> None:
    kernel = Kernel()
    near, far = Socket.pair(Thread("a", kernel), Thread("b", kernel))
    far.reader = reader = Reader(kernel)
    near.write(Data(b"1"))
    far.close()
    kernel.run()
    assert reader.read == []


class Teller:
    """One end of a connection, and what it was told."""

    def __init__(self, socket: Socket) -> None:
        self.told: list[str] = []
        self.socket = socket
        socket.reader = self

    def on_read(self, parts: list[Part]) -> None:
        self.told += ["read"] * len(parts)

    def on_close(self) -> None:
        self.told.append("close")


@pytest.fixture
def ends() -> tuple[Kernel, Teller, Teller]:
    kernel = Kernel()
    near, far = Socket.pair(Thread("client", kernel), Thread("worker_0", kernel))
    return kernel, Teller(near), Teller(far)


def test_an_end_that_has_finished_still_reads(ends: tuple[Kernel, Teller, Teller]) -> None:
    kernel, near, far = ends
    near.socket.half_close = far.socket.half_close = True
    near.socket.finish()
    kernel.run()
    far.socket.write(Data(b"x"))
    far.socket.close()
    kernel.run()
    assert far.told == ["close"]
    assert near.told == ["read", "close"]


def test_an_end_without_half_close_answers_a_finish_with_its_own_close(ends: tuple[Kernel, Teller, Teller]) -> None:
    kernel, near, far = ends
    near.socket.half_close = True
    near.socket.finish()
    kernel.run()
    assert far.told == ["close"]
    assert far.socket.closed
    assert near.told == ["close"]


@pytest.mark.parametrize("peer_finishes", [True, False])
def test_lingering_tells_the_other_end_when_it_is_done_too_or_later(
    ends: tuple[Kernel, Teller, Teller], peer_finishes: bool
) -> None:
    kernel, near, far = ends
    near.socket.half_close = True
    far.socket.linger(LINGER_NS)
    if peer_finishes:
        near.socket.finish()
    kernel.run(LINGER_NS // 2)
    assert near.told == ["close"] * peer_finishes
    kernel.run()
    assert near.told == ["close"]


def test_what_is_dropped_never_arrives(ends: tuple[Kernel, Teller, Teller]) -> None:
    kernel, near, far = ends
    near.socket.write(Data(b"x"))
    near.socket.drop()
    kernel.run()
    assert far.told == ["close"]
