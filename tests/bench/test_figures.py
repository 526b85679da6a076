"""The benchmark's own arithmetic, on a clock that is not the wall's; no figure is asserted here."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from tests.bench import kernel
from tests.bench.__main__ import as_json, as_row, chosen, failure, measured, run
from tests.bench.figures import REGISTRY, Figure, Outcome, Race, Skipped, figure, race


@pytest.fixture
def empty_registry(monkeypatch: pytest.MonkeyPatch) -> dict[str, Figure]:
    registry: dict[str, Figure] = {}
    monkeypatch.setattr("tests.bench.figures.REGISTRY", registry)
    monkeypatch.setattr("tests.bench.__main__.REGISTRY", registry)
    return registry


def test_a_figure_is_registered_once(empty_registry: dict[str, Figure]) -> None:
    figure("vm-clone", unit="ms", at_most=1)(lambda: Outcome(0.5))
    assert empty_registry["vm-clone"].run() == Outcome(0.5)
    with pytest.raises(ValueError, match="two figures are named vm-clone"):
        figure("vm-clone")(lambda: Outcome(1))


def test_figures_are_chosen_by_parts_of_their_names(empty_registry: dict[str, Figure]) -> None:
    for name in ("kernel-a", "kernel-b", "vm-clone"):
        figure(name)(lambda: Outcome(1))
    assert [figure.name for figure in chosen(["kernel"])] == ["kernel-a", "kernel-b"]
    assert [figure.name for figure in chosen(["b", "clone"])] == ["kernel-b", "vm-clone"]
    assert len(list(chosen([]))) == 3


def test_a_long_figure_is_only_run_when_it_is_asked_for(empty_registry: dict[str, Figure]) -> None:
    figure("growth")(lambda: Outcome(1))
    figure("growth-long", long=True)(lambda: Outcome(1))
    assert [each.name for each in chosen([])] == ["growth"]
    assert [each.name for each in chosen(["growth"])] == ["growth"]
    assert [each.name for each in chosen(["growth-long"])] == ["growth-long"]
    assert [each.name for each in chosen([], full=True)] == ["growth", "growth-long"]


def test_contestants_take_turns_and_the_first_round_does_not_count() -> None:
    now, turns = [0.0], []

    def contestant(name: str, takes: float) -> None:
        turns.append(name)
        now[0] += takes

    result = race({"a": lambda: contestant("a", 1), "b": lambda: contestant("b", 3)}, rounds=3, clock=lambda: now[0])
    assert "".join(turns) == "ab" + "ab" + "ba" + "ab"
    assert result.seconds == {"a": [1, 1, 1], "b": [3, 3, 3]}


def test_the_outcome_of_a_race_is_the_median_of_ratios_within_rounds() -> None:
    # The machine gets ten times slower after the second round; the ratio of medians would be 30 or so.
    outcome = Race({"a": [1, 1, 10], "b": [3, 30, 30]}).outcome("a", "b", note="x")
    assert outcome.value == 3
    assert outcome.details["range"] == [3, 30]
    assert outcome.details["note"] == "x"


@pytest.mark.parametrize(
    ("bars", "value", "ok"),
    [
        ({}, 1, None),
        ({"at_least": 5}, 5, True),
        ({"at_least": 5}, 4.99, False),
        ({"at_most": 1}, 1, True),
        ({"at_most": 1}, 1.01, False),
    ],
)
def test_the_line_of_a_figure(bars: dict[str, Any], value: float, ok: bool | None) -> None:
    line = as_json(Figure("f", lambda: Outcome(0), "ms", **bars), Outcome(value, {"range": [1, 2]}))
    assert line == {"figure": "f", "value": value, "unit": "ms", **bars, "ok": ok, "range": [1, 2]}
    name, shown, unit, _, word, spread = as_row(line)
    assert (name, shown, unit, spread) == ("f", f"{value:g}", "ms", "1 .. 2")
    assert {None: "", True: "ok", False: "MISSED"}[ok] in word
    assert failure(line, check=True) == (ok is False)
    assert not failure(line, check=False)


def test_what_is_missing_is_said_and_is_a_failure_only_in_continuous_integration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run() -> Outcome:
        raise Skipped("wrk is not installed here: make system")

    line = measured(Figure("f", run, at_least=2))
    assert line["skipped"] == "wrk is not installed here: make system"
    assert "value" not in line
    assert as_row(line)[-1] == line["skipped"]
    monkeypatch.delenv("CI", raising=False)
    assert not failure(line, check=True)
    monkeypatch.setenv("CI", "true")
    assert failure(line, check=False)


def test_a_figure_that_fails_leaves_the_others_their_turn(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> Outcome:
        raise RuntimeError("they do not agree")

    output = io.StringIO()
    assert not run([Figure("f", fail), Figure("g", lambda: Outcome(1))], [output], check=False)
    _, first, second = map(json.loads, output.getvalue().splitlines())
    assert first["failed"] == "RuntimeError: they do not agree"
    assert second["value"] == 1
    assert "they do not agree" in capsys.readouterr().err


def test_the_kernels_contestants_agree_to_the_nanosecond() -> None:
    load = kernel.customers(2_000)
    waits_ns = {model(*load) for model in kernel.MODELS.values()}
    assert len(kernel.MODELS) == 5
    assert len(waits_ns) == 1
    assert waits_ns != {0}


def test_the_kernels_figures_are_there() -> None:
    assert {name for name in REGISTRY if name.startswith("kernel-")} == {
        "kernel-to-simpy-processes",
        "kernel-to-ciw",
        "kernel-to-callback-loop",
        "kernel-to-inlined-loop",
    }
