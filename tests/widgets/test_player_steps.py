"""One request as steps: who calls whom, what is held, how the message stands."""

from __future__ import annotations

import pytest

import meshsim as ms
from meshsim.widgets._overhead_run import bootstrap_text, start
from meshsim.widgets._player_journey import Journey, Step
from meshsim.widgets._player_steps import journey_of, requests_of

REFUSED, FORBIDDEN, ALLOWED = range(3)


def headers(journey: Journey, number: int) -> dict[bytes, bytes]:
    return dict(journey.messages[number].headers)


def find(journey: Journey, text: str, kind: str | None = None) -> Step:
    return next(step for step in journey.steps if text in step.text and kind in (None, step.kind))


def test_lifelines_stand_in_the_order_of_the_way(asked: ms.Envoy) -> None:
    assert journey_of(asked, ALLOWED).lifelines == ["client", "Envoy", "authorise", "hello", "auth", "application"]
    assert journey_of(asked, REFUSED).lifelines == ["client", "Envoy", "authorise", "hello"]


def test_it_begins_and_ends_at_the_client(asked: ms.Envoy) -> None:
    journey = journey_of(asked, ALLOWED)
    first, last = journey.steps[0], journey.steps[-1]
    assert (first.source, first.target, first.text, first.time_ns) == ("client", "Envoy", "POST /orders", 0)
    assert (last.source, last.target, last.text, last.time_ns) == ("Envoy", "client", "200", journey.took_ns)
    assert [step.time_ns for step in journey.steps] == sorted(step.time_ns for step in journey.steps)


def test_every_crossing_of_the_request_is_a_step(asked: ms.Envoy) -> None:
    journey = journey_of(asked, ALLOWED)
    told = sorted(line for step in journey.steps for line in step.lines)
    assert told == list(range(len(journey.trace)))
    whole = [line.text for line in asked.abi_trace()]
    at = whole.index(journey.trace[0])
    assert whole[at : at + len(journey.trace)] == journey.trace


def test_arguments_are_names_and_words(asked: ms.Envoy) -> None:
    call = find(journey_of(asked, ALLOWED), "proxy_get_header_map_value")
    assert call.fields == [["map", "REQUEST_HEADERS"], ["key", '"authorization"']]
    assert (call.answer, call.gave) == ("OK", [["value", '"Bearer open-sesame"']])
    callout = dict(find(journey_of(asked, ALLOWED), "proxy_http_call").fields)
    assert callout["upstream"] == '"auth"'
    assert callout["headers"] == ":method: GET, :path: /check, :authority: auth, authorization: Bearer open-sesame"
    assert callout["timeout"] == "1000 ms"


def test_a_pause_lasts_from_the_filter_s_answer_until_it_lets_go(asked: ms.Envoy) -> None:
    journey = journey_of(asked, ALLOWED)
    kinds = [step.kind for step in journey.steps]
    pause, resume = kinds.index("pause"), kinds.index("resume")
    assert journey.steps[pause].answer == "STOP_ALL_AND_WATERMARK"
    assert {step.paused for step in journey.steps[pause:resume]} == {"authorise"}
    assert {step.paused for step in [*journey.steps[:pause], *journey.steps[resume:]]} == {""}
    between = [step.text for step in journey.steps[pause:resume] if step.kind == "wire"]
    assert between[-1] == "200"


def test_a_header_is_there_from_the_host_call_on(asked: ms.Envoy) -> None:
    journey = journey_of(asked, ALLOWED)
    at = journey.steps.index(find(journey, "proxy_add_header_map_value"))
    before, after = journey.steps[at - 1], journey.steps[at]
    assert b"x-user" not in headers(journey, before.request)
    assert headers(journey, after.request)[b"x-user"] == b"alice"


def test_what_the_step_shows_is_what_the_host_has(asked: ms.Envoy) -> None:
    """The edit that is worked out from the host call is the one that the next filter gets."""
    journey = journey_of(asked, ALLOWED)
    lets_go = next(step for step in journey.steps if step.kind == "resume")
    hello = next(visit for visit in journey.visits if visit.filter == "hello")
    assert headers(journey, lets_go.request) == headers(journey, hello.before)


def test_before_and_after_each_filter(asked: ms.Envoy) -> None:
    journey = journey_of(asked, ALLOWED)
    added = {
        (visit.filter, visit.piece): headers(journey, visit.after).keys() - headers(journey, visit.before).keys()
        for visit in journey.visits
        if visit.piece.endswith("headers")
    }
    assert added == {
        ("authorise", "request headers"): {b"x-user"},
        ("hello", "request headers"): {b"x-wasm"},
        ("hello", "response headers"): set(),
        ("authorise", "response headers"): {b"x-checked-by"},
    }


@pytest.mark.parametrize(("number", "status", "held"), [(REFUSED, 401, False), (FORBIDDEN, 403, True)])
def test_a_local_reply_ends_the_way_there(asked: ms.Envoy, number: int, status: int, held: bool) -> None:
    journey = journey_of(asked, number)
    reply = next(step for step in journey.steps if step.kind == "reply")
    assert (reply.text, reply.source) == (f"local reply {status}", "Envoy")
    assert "application" not in journey.lifelines
    assert any(step.paused for step in journey.steps) == held
    assert not any(step.paused for step in journey.steps[journey.steps.index(reply) :])


def test_an_upstream_s_answer_is_no_local_reply(asked: ms.Envoy) -> None:
    answers = [step for step in journey_of(asked, ALLOWED).steps if step.text.startswith("answers ")]
    assert [(step.source, step.kind) for step in answers] == [("auth", "envoy"), ("application", "envoy")]


def test_log_lines_stand_at_the_module_that_wrote_them(asked: ms.Envoy) -> None:
    said = [(step.source, step.text) for step in journey_of(asked, ALLOWED).steps if step.kind == "log"]
    assert said == [("authorise", "asking auth"), ("hello", "Bearer open-sesame"), ("hello", "goodbye")]


def test_a_trap_is_said() -> None:
    envoy = start(bootstrap_text("overhead/inspector.wasm", 1, crash=1), 1, ms.Level.ABI)
    envoy.send(ms.Request())
    journey = journey_of(envoy, 0)
    assert find(journey, "proxy_on_request_headers").answer == "trap"
    assert journey.status == 503


def test_a_body_s_pieces_are_visits() -> None:
    envoy = start(bootstrap_text("overhead/inspector.wasm", 1), 1, ms.Level.ABI)
    envoy.send(ms.Request(method="POST", chunks=("one", "two")))
    visits = [visit for visit in journey_of(envoy, 0).visits if visit.piece == "request body"]
    journey = journey_of(envoy, 0)
    assert [journey.messages[visit.before].body for visit in visits] == [b"one", b"two", b""]


def test_an_envoy_without_calls_is_refused_with_the_remedy() -> None:
    envoy = start(bootstrap_text("overhead/inspector.wasm", 1), 1, ms.Level.OFF)
    with pytest.raises(ms.MeshsimError, match="its level is OFF") as refused:
        requests_of(envoy)
    assert "ms.Level.ABI" in str(refused.value)


def test_a_request_that_was_not_sent_is_refused(asked: ms.Envoy) -> None:
    with pytest.raises(ms.MeshsimError, match="there is no request 3: 3 were sent"):
        journey_of(asked, 3)
