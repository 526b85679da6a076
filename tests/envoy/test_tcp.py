"""Connections and their network filters, without any module."""

from __future__ import annotations

from typing import Any

import pytest

from meshsim.abi.constants import CloseType
from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.config.listener import Listener
from meshsim.envoy.stream_info import StreamInfo
from meshsim.envoy.tcp import Connection, NetworkFilter
from meshsim.envoy.threads import Thread
from meshsim.envoy.wire import LINGER_NS, Data, End, Head, Part, Socket
from meshsim.errors import NotModelled
from meshsim.sim import Kernel

REQUEST = Head(((b"host", b"a"),), b"GET", b"/")
SIZE = len(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"


class Filter(NetworkFilter):
    """Notes what it is told, and answers as it is told to."""

    def __init__(self, name: str, notes: list[str], **answers: Any) -> None:
        self.name, self.notes, self.answers = name, notes, answers
        self.half_close = answers.pop("half_close", False)

    def _note(self, what: str, *facts: object) -> bool:
        self.notes.append(" ".join(map(str, (self.name, what, *facts))))
        return bool(self.answers.get(what, True))

    def new_connection(self) -> bool:
        return self._note("new")

    def data(self, data: BodyBuffer, end: bool) -> bool:
        return self._note("data", data.size(), end)

    def write(self, data: BodyBuffer, end: bool) -> bool:
        return self._note("write", data.size(), end)

    def closed(self, by: CloseType) -> None:
        self._note("closed", by.name)


class Sink(Filter):
    """The last filter: takes everything."""

    def data(self, data: BodyBuffer, end: bool) -> bool:
        super().data(data, end)
        data.data = bytearray()
        return False


class Client:
    """The client's end."""

    def __init__(self) -> None:
        self.got: list[Part] = []
        self.over = False

    def on_read(self, parts: list[Part]) -> None:
        self.got += parts

    def on_close(self) -> None:
        self.over = True


class Bench:
    """A connection between a client and filters."""

    def __init__(self, *filters: Filter, http2: bool = False) -> None:
        self.kernel = Kernel()
        worker = Thread("worker_0", self.kernel)
        self.near, far = Socket.pair(Thread("client", self.kernel), worker, http2=http2)
        self.client = self.near.reader = Client()
        info = StreamInfo(0, ("127.0.0.1", 1), ("127.0.0.1", 2), 1, Listener())
        self.ended = 0
        self.connection = Connection(worker, far, info, filters, self._end)
        self.connection.open()

    def _end(self) -> None:
        self.ended += 1

    def send(self, *parts: Part) -> None:
        self.near.write_all(list(parts))
        self.kernel.run()

    def close(self) -> None:
        self.near.close()
        self.kernel.run()


def test_data_goes_through_the_filters_in_order_and_answers_in_reverse() -> None:
    notes: list[str] = []
    bench = Bench(Filter("a", notes), Sink("b", notes))
    bench.send(REQUEST)
    bench.connection.write(BodyBuffer(bytearray(ANSWER)))
    bench.kernel.run()
    assert notes == [
        "a new",
        "b new",
        f"a data {SIZE} False",
        f"b data {SIZE} False",
        "b write 40 False",
        "a write 40 False",
    ]
    assert bench.client.got == [Head(((b"content-length", b"2"),), status=200), Data(b"hi")]


def test_a_filter_that_stops_sees_all_again_and_may_go_on() -> None:
    notes: list[str] = []
    first = Filter("a", notes, data=False)
    bench = Bench(first, Sink("b", notes))
    bench.send(Head(((b"content-length", b"3"),), b"PUT", b"/"))
    bench.send(Data(b"abc"))
    bench.connection.resume(first)
    size = len(b"PUT / HTTP/1.1\r\ncontent-length: 3\r\n\r\n")
    assert notes[2:] == [f"a data {size} False", f"a data {size + 3} False", f"b data {size + 3} False"]


def test_later_filters_hear_of_a_connection_that_was_held_with_its_first_data() -> None:
    notes: list[str] = []
    bench = Bench(Filter("a", notes, new=False), Sink("b", notes))
    assert notes == ["a new"]
    bench.send(REQUEST)
    assert notes[1:] == [f"a data {SIZE} False", "b new", f"b data {SIZE} False"]


def test_a_filter_that_goes_on_lets_later_ones_hear_of_the_connection() -> None:
    notes: list[str] = []
    first = Filter("a", notes, new=False)
    bench = Bench(first, Sink("b", notes))
    bench.connection.resume(first)
    assert notes == ["a new", "b new"]


def test_nothing_is_read_while_reading_is_paused() -> None:
    notes: list[str] = []
    bench = Bench(Sink("a", notes))
    bench.connection.pause_reading()
    bench.send(REQUEST)
    bench.close()
    assert notes == ["a new"]
    bench.connection.resume_reading()
    bench.kernel.run()
    assert notes[1:] == [f"a data {SIZE} False", "a closed REMOTE"]
    assert bench.ended == 1


def test_with_half_close_both_directions_end_by_themselves() -> None:
    notes: list[str] = []
    bench = Bench(Sink("a", notes, half_close=True))
    bench.close()
    assert notes == ["a new", "a data 0 True"]
    bench.connection.write(BodyBuffer(), end=True)
    assert notes[2:] == ["a write 0 True", "a closed LOCAL"]


def test_the_client_hears_of_the_servers_end_first_when_that_comes_first() -> None:
    notes: list[str] = []
    bench = Bench(Sink("a", notes, half_close=True))
    bench.connection.write(BodyBuffer(), end=True)
    bench.kernel.run()
    assert bench.client.over
    assert notes == ["a new", "a write 0 True", "a data 0 True", "a closed REMOTE"]


def test_what_a_filter_keeps_back_stays_with_the_writer() -> None:
    bench = Bench(Sink("a", [], write=False))
    data = BodyBuffer(bytearray(ANSWER))
    bench.connection.write(data)
    bench.kernel.run()
    assert bytes(data.data) == ANSWER
    assert bench.client.got == []


def test_what_has_been_written_leaves_before_the_connection_closes() -> None:
    notes: list[str] = []
    bench = Bench(Sink("a", notes))
    bench.connection.write(BodyBuffer(bytearray(ANSWER)))
    bench.connection.close(CloseType.LOCAL)
    bench.connection.close(CloseType.LOCAL)
    bench.kernel.run()
    assert bench.client.got
    assert bench.client.over
    assert notes[-1] == "a closed LOCAL"
    assert bench.ended == 1


@pytest.mark.parametrize(("client_closes", "by"), [(True, "REMOTE"), (False, "LOCAL")])
def test_a_connection_that_lingers_ends_with_the_client_or_later(client_closes: bool, by: str) -> None:
    notes: list[str] = []
    bench = Bench(Sink("a", notes))
    bench.connection.linger(LINGER_NS)
    if client_closes:
        bench.near.close()
    bench.near.write(End())
    bench.kernel.run()
    assert notes == ["a new", f"a closed {by}"]


def test_http2_is_not_modelled() -> None:
    with pytest.raises(NotModelled):
        Bench(Sink("a", []), http2=True)
