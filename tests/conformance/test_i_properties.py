"""Rows I: properties."""

from __future__ import annotations

from meshsim.abi.codec import Nanoseconds, encode_value
from tests.conformance.conftest import Run, Script, answers_of, host_calls, texts, truth
from tests.conformance.guests import OUT, SIZE, Load


def _property(*segments: str) -> tuple[str | int, ...]:
    return ("proxy_get_property", "\0".join(segments), OUT, SIZE)


_SHOW = ("proxy_log", 2, Load(OUT), Load(SIZE))


def test_i104_what_a_filter_sets_is_kept_under_a_name_of_its_own(run: Run) -> None:
    outcome = run(
        ("proxy_set_property", "key", "value"),
        _property("key"),
        _SHOW,
        _property("filter_state", "wasm.key"),
        _SHOW,
        _property("wasm.key"),
    )
    assert outcome.said == ["value", "value"]
    assert outcome.statuses == [0, 0, 0, 0, 0, 1]
    assert "value" in texts(truth("abi-properties-xds"))  # of the node's metadata, by its path


def test_i105_durations_are_nanoseconds_in_eight_bytes() -> None:
    assert encode_value(Nanoseconds(15_000_000)) == (15_000_000).to_bytes(8, "little")


def test_i106_expressions(run: Run) -> None:
    def foreign(name: str, argument: str | bytes) -> tuple[str | bytes | int, ...]:
        return ("proxy_call_foreign_function", name, argument, OUT, SIZE)

    token = bytes(4)
    outcome = run(
        foreign("expr_create", "request.method"),
        foreign("expr_evaluate", token),
        _SHOW,
        foreign("expr_delete", token),
        foreign("expr_evaluate", token),
        foreign("expr_create", "request."),
    )
    assert outcome.said == ["GET"]
    assert outcome.statuses[0] == outcome.statuses[1] == outcome.statuses[3] == 0
    assert outcome.statuses[4] not in (0, None)
    assert outcome.statuses[5] == 2


def test_i107_attributes_of_a_stream(http: Script) -> None:
    reply = http("qh local|403||no|-1;lo property|request.path;lo integer|response.code", path="/a?b")
    assert answers_of(reply, "lo") == [("p", 0, "/a?b"), ("i", 0, "403")]


def test_i109_an_empty_path(run: Run) -> None:
    assert run(("proxy_get_property", "", OUT, SIZE)).statuses == [3]


def test_i110_a_root_context_has_nowhere_to_leave_a_property(run: Run) -> None:
    configured = run(("proxy_set_property", "key", "value"), callback="proxy_on_configure")
    assert {made.status for made in host_calls(configured.filter.activity)} == {1}
