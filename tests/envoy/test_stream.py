from __future__ import annotations

import pytest

from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.config.listener import Listener
from meshsim.envoy.filters.base import HttpFilter
from meshsim.envoy.headers import HeaderMap, Kind
from meshsim.envoy.local_reply import LocalReply
from meshsim.envoy.routing import Routed
from meshsim.envoy.stream import Stream
from meshsim.envoy.stream_info import StreamInfo
from meshsim.envoy.stream_states import Response


class Downstream:
    """A client that keeps what it gets."""

    def __init__(self) -> None:
        self.got: list[str] = []

    def route_of(self, stream: Stream) -> Routed:
        return Routed()

    def send_headers(self, stream: Stream, headers: HeaderMap, end: bool) -> None:
        self.got.append(f"{(headers.get(b':status') or b'').decode()}{' end' * end}")

    def send_data(self, stream: Stream, data: bytes, end: bool) -> None:
        self.got.append(f"{data.decode()}{' end' * end}")

    def send_trailers(self, stream: Stream, trailers: HeaderMap) -> None:
        self.got.append("trailers")

    def replying(self, reply: LocalReply) -> None:
        self.got.append(f"replying {reply.status}")

    def form_of(self, stream: Stream) -> None:
        return None

    def stream_ended(self, stream: Stream, *, reset: bool) -> None:
        self.got.append("reset" if reset else "over")


class Noting(HttpFilter):
    def __init__(self, name: str, noted: list[str]) -> None:
        self.name, self.noted = name, noted

    def log(self) -> None:
        self.noted.append(f"log {self.name}")

    def destroy(self) -> None:
        self.noted.append(f"destroy {self.name}")


@pytest.fixture
def noted() -> list[str]:
    return []


@pytest.fixture
def stream(noted: list[str]) -> Stream:
    info = StreamInfo(0, ("127.0.0.1", 1), ("127.0.0.1", 2), 1, Listener())
    stream = Stream(Downstream(), info, [Noting("a", noted), Noting("b", noted), HttpFilter()], 100, Routed())
    stream.request_headers = HeaderMap([(b":method", b"GET")], Kind.REQUEST)
    return stream


def got(stream: Stream) -> list[str]:
    assert isinstance(stream.downstream, Downstream)
    return stream.downstream.got


def answer(stream: Stream, status: bytes = b"200", *, end: bool = False) -> None:
    stream.respond_headers(HeaderMap([(b":status", status)], Kind.RESPONSE), end)


def test_a_response_ends_its_stream_filters_log_and_go_in_order(stream: Stream, noted: list[str]) -> None:
    answer(stream)
    stream.respond_data(BodyBuffer(bytearray(b"x")), True)
    assert got(stream) == ["200", "x end", "over"]
    assert noted == ["log a", "log b", "destroy a", "destroy b"]
    assert stream.response is Response.COMPLETE


def test_a_reply_before_any_response_goes_through_the_filters(stream: Stream) -> None:
    stream.reply(LocalReply(403, b"no", "why"))
    assert got(stream) == ["replying 403", "403", "no end", "over"]
    assert stream.info.details == "why"


def test_a_reply_after_the_headers_have_gone_out_only_cuts(stream: Stream) -> None:
    answer(stream)
    stream.reply(LocalReply(503))
    assert got(stream) == ["200", "replying 503", "reset"]
    assert stream.response is Response.RESET


def test_a_reply_after_the_end_is_nothing(stream: Stream, noted: list[str]) -> None:
    answer(stream, end=True)
    before = got(stream).copy()
    stream.reply(LocalReply(503))
    stream.reset()
    stream.respond_data(BodyBuffer(bytearray(b"late")), True)
    assert got(stream) == before
    assert noted.count("log a") == 1


def test_head_gets_no_body(stream: Stream) -> None:
    stream.receive_headers(HeaderMap([(b":method", b"HEAD"), (b":path", b"/")], Kind.REQUEST), True)
    stream.reply(LocalReply(404, b"nothing here"))
    assert got(stream) == ["replying 404", "404 end", "over"]


@pytest.mark.parametrize("status", [b"", b"abc", b"201,404", b" 200"])
def test_a_response_without_a_status_becomes_502(stream: Stream, status: bytes) -> None:
    answer(stream, status, end=True)
    assert [line for line in got(stream) if not line.startswith("replying")] == [
        "502",
        "missing required header: :status end",
        "over",
    ]


def test_the_route_is_chosen_anew_when_it_is_taken_after_it_was_forgotten(stream: Stream) -> None:
    chosen: list[Stream] = []

    def route_of(stream: Stream) -> Routed:
        chosen.append(stream)
        return Routed()

    stream.downstream.route_of = route_of  # type: ignore[method-assign]
    assert stream.take_route() is None
    stream.clear_route_cache()
    assert stream.route is None
    assert stream.virtual_host is None
    assert chosen == []
    assert stream.take_route() is None
    assert stream.take_route() is None
    assert chosen == [stream]
