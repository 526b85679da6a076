"""What stands behind a host call's addresses is read when the call is made."""

from __future__ import annotations

import pytest

import meshsim as ms
from meshsim.abi.contents import SHOWN_BYTES, Contents
from meshsim.abi.events import Crossing, Direction
from meshsim.envoy.witness import Sent


class Bytes:
    """A memory of some bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, ptr: int, size: int) -> bytes | None:
        return self.data[ptr : ptr + size] if ptr + size <= len(self.data) else None

    def read_u32(self, ptr: int) -> int | None:
        data = self.read(ptr, 4)
        return None if data is None else int.from_bytes(data, "little")


def words(found: tuple[object, ...]) -> list[tuple[object, ...]]:
    return [tuple(content) for content in found]  # type: ignore[call-overload]


def test_what_the_guest_hands_over_is_read_before() -> None:
    memory = Bytes(b"....key!value")
    found = Contents("env.proxy_add_header_map_value").before(memory, (0, 4, 3, 8, 5))  # type: ignore[arg-type]
    assert words(found) == [("key", b"key", 3), ("value", b"value", 5)]


def test_what_it_gets_is_read_after_a_call_that_went_well_and_no_other() -> None:
    memory = Bytes((16).to_bytes(4, "little") + (2).to_bytes(4, "little") + b"........ok")
    contents = Contents("env.proxy_get_property")
    values = (0, 0, 0, 4)
    assert words(contents.after(memory, values, 0)) == [("value", b"ok", 2)]  # type: ignore[arg-type]
    assert contents.after(memory, values, 1) == ()  # type: ignore[arg-type]


def test_much_is_cut_and_what_is_out_of_range_is_nothing() -> None:
    log, memory = Contents("env.proxy_log"), Bytes(b"x" * 5000)
    [content] = log.before(memory, (2, 0, 5000))  # type: ignore[arg-type]
    assert (len(content.data), content.size) == (SHOWN_BYTES, 5000)
    assert log.before(memory, (2, 4999, 10)) == ()  # type: ignore[arg-type]


@pytest.fixture
def crossings() -> list[Crossing]:
    from meshsim.widgets._overhead_run import bootstrap_text, request_with, start

    envoy = start(bootstrap_text("first_filter/hello.wasm", 1), 1, ms.Level.ABI)
    envoy.send(request_with(0))
    place = next(note.place for note in envoy.recorder.notes if isinstance(note.what, Sent))
    return [entry.event for entry in envoy.recorder.events[place:] if isinstance(entry.event, Crossing)]


def test_a_run_has_them_and_its_trace_has_not(crossings: list[Crossing]) -> None:
    get = next(each for each in crossings if each.function == "env.proxy_get_header_map_value")
    assert get.direction is Direction.VM_CALLS_HOST
    assert words(get.contents) == [("key", b"authorization", 13)]
    assert "authorization" not in get.text
    got = crossings[crossings.index(get) + 3]
    assert (got.direction, words(got.contents)) == (Direction.HOST_RETURNS, [("value", b"Basic b3BlbjpzZXNhbWU=", 22)])


def test_a_callback_names_its_plugin(crossings: list[Crossing]) -> None:
    named = {each.plugin for each in crossings if each.function == "proxy_on_request_headers" and each.values[1:]}
    assert named == {"filter-1"}
