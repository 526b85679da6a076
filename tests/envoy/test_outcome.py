from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.envoy.outcome import ReplayResult, Response, as_bytes, as_text
from meshsim.errors import ConfigError

texts = st.binary(max_size=8).map(as_text)
lines = st.tuples(texts, texts, texts)
headers = st.lists(st.tuples(texts, texts), max_size=2).map(tuple)
responses = st.builds(Response, st.integers(0, 599), headers, texts, headers, st.none() | texts)
results = st.builds(
    ReplayResult,
    st.booleans(),
    st.lists(st.tuples(texts, texts), max_size=3).map(tuple),
    st.lists(lines, max_size=3).map(tuple),
    st.lists(lines, max_size=3).map(tuple),
    st.lists(responses, max_size=3).map(tuple),
    st.dictionaries(texts, st.integers(), max_size=3),
)


@given(results)
def test_a_result_survives_its_json(result: ReplayResult) -> None:
    assert ReplayResult.from_json(json.loads(result.dumps())) == result


@given(st.binary())
def test_text_keeps_every_byte(data: bytes) -> None:
    assert as_bytes(as_text(data)) == data


def test_the_json_is_that_of_the_contract() -> None:
    result = ReplayResult(
        ready=True,
        abi=(("main", "[host->vm] proxy_on_tick(1)"),),
        logs=(("worker_0", "info", "wasm log: hello"),),
        other=(("main", "debug", "Base Wasm created 1 now active"),),
        responses=(Response(200, (("a", "b"),), "ok"), Response.failed("timeout")),
        stats={"b": 2, "a": 1},
    )
    assert result.to_json() == {
        "ready": True,
        "abi": [["main", "[host->vm] proxy_on_tick(1)"]],
        "logs": [["worker_0", "info", "wasm log: hello"]],
        "other": [["main", "debug", "Base Wasm created 1 now active"]],
        "responses": [
            {"status": 200, "headers": [["a", "b"]], "body": "ok"},
            {"status": 0, "headers": [], "body": "", "error": "timeout"},
        ],
        "stats": {"a": 1, "b": 2},
    }
    assert list(result.to_json()["stats"]) == ["a", "b"]


def test_trailers_are_there_only_when_there_are_some() -> None:
    assert "trailers" not in Response(200).to_json()
    assert Response(200, trailers=(("t", "1"),)).to_json()["trailers"] == [["t", "1"]]


def test_the_text_has_a_line_for_each_entry() -> None:
    result = ReplayResult(ready=True, abi=(("main", "x"), ("main", "y")))
    assert '  ["main", "x"],\n  ["main", "y"]\n' in result.dumps()


@pytest.mark.parametrize("data", [{}, {"ready": True}, [], {"ready": 1, "abi": [1]}, None])
def test_other_json_is_refused(data: object) -> None:
    with pytest.raises(ConfigError, match=r"some\.json: not Replay JSON"):
        ReplayResult.from_json(data, "some.json")  # type: ignore[arg-type]
