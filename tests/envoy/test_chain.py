from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.abi.constants import DataAction, HeadersAction, TrailersAction
from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.chain import AFTER_DATA, AFTER_HEADERS, AFTER_TRAILERS, STOPPED_ALL, Chain, Iteration, Slot, Then
from meshsim.envoy.headers import HeaderMap

CALLED = [state for state in Iteration if state not in STOPPED_ALL]


def test_every_answer_to_headers_has_a_state() -> None:
    assert AFTER_HEADERS.keys() == set(HeadersAction)


@pytest.mark.parametrize(("table", "actions"), [(AFTER_DATA, DataAction), (AFTER_TRAILERS, TrailersAction)])
def test_every_answer_in_a_state_in_which_a_filter_is_called_has_a_step(table: dict, actions: type) -> None:
    """A filter that stopped all is not called: see test_a_filter_that_stopped_all_sees_nothing."""
    assert table.keys() == set(product(CALLED, actions))


def test_only_what_is_kept_can_be_slowed_down() -> None:
    for step in AFTER_DATA.values():
        assert step.then is Then.KEEP or not step.streaming
        assert step.state in CALLED


@dataclass
class Half:
    """A filter that answers as it is told, and writes down what it sees."""

    name: str
    seen: list[str]
    actions: dict[str, list[int]] = field(default_factory=dict)

    def _answer(self, piece: str) -> int:
        waiting = self.actions.get(piece)
        return waiting.pop(0) if waiting else 0

    def headers(self, headers: HeaderMap, end: bool) -> HeadersAction:
        self.seen.append(f"{self.name} headers{' end' * end}")
        return HeadersAction(self._answer("headers"))

    def data(self, data: BodyBuffer, end: bool) -> DataAction:
        self.seen.append(f"{self.name} {bytes(data.data).decode()}{' end' * end}")
        return DataAction(self._answer("data"))

    def trailers(self, trailers: HeaderMap) -> TrailersAction:
        self.seen.append(f"{self.name} trailers")
        return TrailersAction(self._answer("trailers"))


@dataclass
class Sink:
    """The end of a direction; it consumes what it takes."""

    seen: list[str]
    is_open: bool = True
    body: bytes = b""

    def open(self) -> bool:
        return self.is_open

    def headers(self, headers: HeaderMap, end: bool) -> bool:
        self.seen.append(f"out headers{' end' * end}")
        return True

    def data(self, data: BodyBuffer, end: bool) -> None:
        self.seen.append(f"out {bytes(data.data).decode()}{' end' * end}")
        self.body += bytes(data.data)
        data.data = bytearray()

    def trailers(self, trailers: HeaderMap) -> None:
        self.seen.append("out trailers")

    def aborted(self) -> None:
        self.seen.append("aborted")

    def too_large(self) -> None:
        self.seen.append("too large")
        self.is_open = False


Made = tuple[Chain, list[Slot], list[str], Sink]


def make(a: dict[str, list[int]] | None = None, b: dict[str, list[int]] | None = None, limit: int = 100) -> Made:
    seen: list[str] = []
    sink = Sink(seen)
    chain = Chain(sink, limit)
    slots = [chain.add(Half("a", seen, a or {})), chain.add(Half("b", seen, b or {}))]
    return chain, slots, seen, sink


def body(text: str) -> BodyBuffer:
    return BodyBuffer(bytearray(text.encode()))


def test_pieces_pass_one_by_one_through_all() -> None:
    chain, _, seen, _ = make()
    chain.receive_headers(HeaderMap(), False)
    chain.receive_data(body("x"), False)
    chain.receive_data(body("y"), False)
    chain.receive_trailers(HeaderMap())
    assert seen == [
        *("a headers", "b headers", "out headers", "a x", "b x", "out x", "a y", "b y", "out y"),
        *("a trailers", "b trailers", "out trailers"),
    ]


@pytest.mark.parametrize("stop", [3, 4])
def test_a_filter_that_stopped_all_sees_nothing_until_it_goes_on_and_then_all_at_once(stop: int) -> None:
    chain, slots, seen, _ = make({"headers": [stop]})
    chain.receive_headers(HeaderMap(), False)
    chain.receive_data(body("x"), False)
    chain.receive_data(body("y"), True)
    assert seen == ["a headers"]
    chain.resume(slots[0])
    assert seen[1:] == ["b headers", "out headers", "a xy end", "b xy end", "out xy end"]


def test_a_filter_that_stopped_alone_sees_on_and_releases_with_continue() -> None:
    chain, _, seen, _ = make({"headers": [1], "data": [1, 1]})
    chain.receive_headers(HeaderMap(), False)
    for text in ("x", "y"):
        chain.receive_data(body(text), False)
    assert seen == ["a headers", "a x", "a y"]
    chain.receive_data(body("z"), True)
    assert seen[3:] == ["a z end", "b headers", "out headers", "b xyz end", "out xyz end"]


def test_dropped_data_are_gone() -> None:
    chain, _, seen, _ = make({"data": [3]})
    chain.receive_headers(HeaderMap(), False)
    chain.receive_data(body("x"), False)
    chain.receive_data(body("y"), True)
    assert "b x" not in seen
    assert seen[-1] == "out y end"


@pytest.mark.parametrize(("action", "told"), [(1, True), (2, False)])
def test_the_limit_holds_for_the_buffer_but_not_for_back_pressure(action: int, told: bool) -> None:
    chain, _, seen, _ = make({"data": [action, action]}, limit=3)
    chain.receive_headers(HeaderMap(), False)
    chain.receive_data(body("xxx"), False)
    assert "too large" not in seen
    chain.receive_data(body("y"), False)
    assert ("too large" in seen) is told


def test_trailers_made_in_the_last_data_go_to_the_filters_behind() -> None:
    chain, _, seen, _ = make()
    first = chain.slots[0].half
    plain: Callable[..., DataAction] = first.data

    def data(piece: BodyBuffer, end: bool) -> DataAction:
        assert chain.add_trailers() is not None
        return plain(piece, end)

    first.data = data  # type: ignore[method-assign]
    chain.receive_headers(HeaderMap(), False)
    chain.receive_data(body("x"), True)
    assert seen[3:] == ["a x end", "b x", "out x", "b trailers", "out trailers"]


def test_trailers_cannot_be_made_at_any_other_time() -> None:
    chain, _, _, _ = make()
    chain.receive_headers(HeaderMap(), False)
    assert chain.add_trailers() is None
    chain.receive_data(body("x"), False)
    assert chain.add_trailers() is None


def test_nothing_goes_on_behind_the_end() -> None:
    chain, slots, seen, sink = make({"headers": [4]})
    chain.receive_headers(HeaderMap(), True)
    sink.is_open = False
    chain.resume(slots[0])
    assert seen == ["a headers end"]


#: True sends a piece, False resumes the filter when it has stopped.
STEPS = st.lists(st.booleans(), max_size=8)
ANSWERS = st.fixed_dictionaries(
    {
        "headers": st.lists(st.sampled_from([0, 1, 3, 4]), max_size=1),
        "data": st.lists(st.sampled_from([0, 1, 2]), max_size=5),
        "trailers": st.lists(st.sampled_from([0, 1]), max_size=1),
    }
)


@given(st.sampled_from("ab"), ANSWERS, STEPS, st.booleans())
def test_whatever_one_filter_answers_all_of_the_body_comes_out_once_in_order(
    who: str, answers: dict[str, list[int]], steps: list[bool], trailers: bool
) -> None:
    chain, slots, seen, sink = make(**{who: answers}, limit=10_000)
    slot = slots["ab".index(who)]

    def resume() -> None:
        if slot.state is not Iteration.CONTINUE:
            chain.resume(slot)

    chain.receive_headers(HeaderMap(), False)
    sent = ""
    for step in steps:
        if step:
            sent += chr(ord("0") + len(sent))
            chain.receive_data(body(sent[-1]), False)
        else:
            resume()
    if trailers:
        chain.receive_trailers(HeaderMap())
    else:
        sent += "."
        chain.receive_data(body("."), True)
    resume()
    resume()
    assert sink.body.decode() == sent
    ends = [line for line in seen if line.startswith("out") and (line.endswith(" end") or line == "out trailers")]
    assert len(ends) == 1
    assert [line for line in seen if "headers" in line] == ["a headers", "b headers", "out headers"]
