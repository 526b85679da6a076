from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from meshsim.envoy.outcome import Line, ReplayResult, Response
from meshsim.reference.compare import Comparison, compare, render
from meshsim.reference.lines import Level, by_thread, split_ticks
from meshsim.reference.rules import Scope, mask_text
from meshsim.reference.truth import Case

EVIDENCE = Path(__file__).parent / "evidence"
SCOPE = Scope(frozenset({"in"}), frozenset({"up"}))
START = ("[host->vm] proxy_on_context_create(1, 0)", "[host<-vm] proxy_on_context_create return: void")
STREAM = (
    "[host->vm] proxy_on_context_create(2, 1)",
    "[vm->host] env.proxy_log(2, 64, 5)",
    "[vm<-host] env.proxy_log return: 0",
)
TICK = ("[host->vm] proxy_on_tick(1)", "[host<-vm] proxy_on_tick return: void")
LOUD_TICK = (
    TICK[0],
    "[vm->host] env.proxy_log(2, 16, 4)",
    "[vm<-host] env.proxy_log return: 0",
    "[vm->host] env.proxy_increment_metric(4, 1)",
    "[vm<-host] env.proxy_increment_metric return: 0",
    TICK[1],
)
CLOCK = "[vm->host] wasi_snapshot_preview1.clock_time_get(0, 0, 8)"


def on(thread: str, *lines: str) -> tuple[Line, ...]:
    return tuple((thread, line) for line in lines)


RESULT = ReplayResult(
    ready=True,
    abi=(*on("main", *START), *on("worker_0", *START, *STREAM)),
    logs=(("main", "info", "wasm log: start"), ("worker_0", "info", "wasm log: hello")),
    other=(("main", "debug", "Base Wasm created 1 now active"), ("main", "error", "Function: f failed: x")),
    responses=(Response(200, (("a", "1"), ("date", "now")), "ok"), Response.failed("connection closed")),
    stats={"wasm.v8.active": 3, "http.in.downstream_rq_2xx": 1, "cluster.up.upstream_rq_total": 1, "server.live": 1},
)


def rules(comparison: Comparison) -> set[str]:
    return {difference.rule for difference in comparison.differences}


def test_a_result_is_identical_to_itself_at_the_strictest_level() -> None:
    comparison = compare(RESULT, RESULT, SCOPE)
    assert (comparison.identical, comparison.level, comparison.required) == (True, Level.EXACT, Level.EXACT)
    assert comparison.notes == ()


def answered(*responses: Response) -> Callable[[ReplayResult], ReplayResult]:
    return lambda result: replace(result, responses=responses)


GOOD, GONE = RESULT.responses


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda r: replace(r, ready=False), "ready"),
        (lambda r: replace(r, abi=r.abi[:-1]), "exact"),
        (lambda r: replace(r, abi=(*r.abi, ("worker_1", START[0]))), "exact"),
        (lambda r: replace(r, abi=(*r.abi[:2], *on("worker_0", *STREAM, *START))), "exact"),
        (lambda r: replace(r, logs=r.logs[:1]), "logs"),
        (lambda r: replace(r, logs=(*r.logs, r.logs[0])), "logs"),
        (lambda r: replace(r, logs=(r.logs[0], ("worker_0", "warning", "wasm log: hello"))), "logs"),
        (lambda r: replace(r, logs=(r.logs[0], ("main", "info", "wasm log: hello"))), "logs"),
        (answered(GOOD), "status"),
        (answered(replace(GOOD, status=201), GONE), "status"),
        (answered(replace(GOOD, body="no"), GONE), "status"),
        (answered(replace(GOOD, trailers=(("t", "1"),)), GONE), "status"),
        (answered(GOOD, Response.failed("timeout")), "status"),
        (answered(replace(GOOD, headers=(("a", "2"), ("date", "now"))), GONE), "headers"),
        (answered(replace(GOOD, headers=(("a", "1"), ("a", "1"), ("date", "now"))), GONE), "headers"),
        (answered(replace(GOOD, headers=(("a", "1"),)), GONE), "headers"),
        (answered(replace(GOOD, headers=(("A", "1"), ("date", "now"))), GONE), "headers"),
        (lambda r: replace(r, stats={**r.stats, "wasm.v8.active": 4}), "stats"),
        (lambda r: replace(r, stats={**r.stats, "http.in.downstream_rq_4xx": 1}), "stats"),
        (lambda r: replace(r, stats={**r.stats, "cluster.up.upstream_rq_total": 0}), "stats"),
    ],
)
def test_each_rule_notices_its_difference_from_either_side(
    change: Callable[[ReplayResult], ReplayResult], rule: str
) -> None:
    changed = change(RESULT)
    for comparison in (compare(changed, RESULT, SCOPE), compare(RESULT, changed, SCOPE)):
        assert not comparison.identical
        assert rules(comparison) == {rule}


@pytest.mark.parametrize(
    "change",
    [
        answered(replace(GOOD, headers=(("date", "then"), ("a", "1"))), GONE),
        lambda r: replace(r, logs=r.logs[::-1]),
        lambda r: replace(r, stats={**r.stats, "server.live": 7, "wasm.v8.none": 0, "http.admin.rq_total": 1}),
        lambda r: replace(r, abi=(*r.abi[2:], *r.abi[:2])),
        lambda r: replace(r, other=r.other[1:]),
    ],
)
def test_what_no_rule_compares_makes_no_difference(change: Callable[[ReplayResult], ReplayResult]) -> None:
    assert compare(change(RESULT), RESULT, SCOPE).identical


def with_abi(*lines: str) -> ReplayResult:
    return replace(RESULT, abi=on("worker_0", *lines))


def test_the_level_is_the_strictest_that_both_reach() -> None:
    moved = with_abi(*START, STREAM[0], "[vm->host] env.proxy_log(2, 80, 5)", STREAM[2])
    comparison = compare(moved, with_abi(*START, *STREAM), SCOPE)
    assert (comparison.level, comparison.identical, rules(comparison)) == (Level.CALLS, False, {"exact"})
    lenient = compare(moved, with_abi(*START, *STREAM), SCOPE, level=Level.CALLS)
    assert lenient.identical
    assert lenient.masked["calls"] == 2


def test_a_module_that_reads_a_clock_is_compared_by_its_proxy_calls() -> None:
    real = with_abi(*START, CLOCK, CLOCK, *STREAM)
    comparison = compare(with_abi(*START, CLOCK, *STREAM), real, SCOPE)
    assert (comparison.required, comparison.level, comparison.identical) == (Level.PROXY, Level.PROXY, True)
    assert not compare(with_abi(*START, CLOCK, *STREAM), real, SCOPE, level=Level.EXACT).identical


def test_a_clock_that_only_the_simulator_reads_is_no_excuse() -> None:
    comparison = compare(with_abi(*START, CLOCK), with_abi(*START), SCOPE)
    assert (comparison.required, comparison.identical) == (Level.EXACT, False)


def test_ticks_may_come_at_any_moment_and_as_often_as_they_like() -> None:
    comparison = compare(with_abi(*START, *TICK, *STREAM, *TICK), with_abi(*START, *STREAM, *TICK), SCOPE)
    assert (comparison.identical, comparison.level) == (True, Level.EXACT)
    assert comparison.masked["ticks"] == 6


@pytest.mark.parametrize("others", [(), LOUD_TICK, (*TICK, *LOUD_TICK)])
def test_a_tick_that_does_something_else_or_never_comes_is_a_difference(others: tuple[str, ...]) -> None:
    assert rules(compare(with_abi(*START, *TICK), with_abi(*START, *others), SCOPE)) == {"ticks"}


def test_what_ticks_log_and_count_needs_to_be_there_only() -> None:
    def ticked(times: int) -> ReplayResult:
        logs = (("worker_0", "info", "wasm log: tick"),) * times
        return replace(with_abi(*START, *LOUD_TICK * times), logs=logs, stats={"wasmcustom.ticks": times})

    comparison = compare(ticked(2), ticked(5), SCOPE)
    assert comparison.identical
    assert (comparison.masked["tick-logs"], comparison.masked["tick-stats"]) == (3, 1)
    assert rules(compare(replace(ticked(2), logs=()), ticked(5), SCOPE)) == {"logs"}
    assert rules(compare(replace(ticked(2), stats={}), ticked(5), SCOPE)) == {"stats"}


def test_logs_and_counters_beside_silent_ticks_are_compared_in_full() -> None:
    base = with_abi(*START, *TICK)
    logs, stats = (*base.logs, base.logs[1]), {**base.stats, "wasmcustom.x": 2}
    assert rules(compare(replace(base, logs=logs), base, SCOPE)) == {"logs"}
    assert rules(compare(replace(base, stats={**stats, "wasmcustom.x": 3}), replace(base, stats=stats), SCOPE)) == {
        "stats"
    }


def dealt(*busy: int) -> ReplayResult:
    """Three workers, of which some get a stream, which logs."""
    abi = [*on("main", *START)]
    for worker in range(3):
        lines = (*START, *(STREAM if worker in busy else ()), "[host->vm] proxy_on_done(1)")
        abi += on(f"worker_{worker}", *lines)
    return replace(RESULT, abi=tuple(abi), logs=tuple((f"worker_{k}", "info", "wasm log: hello") for k in busy))


def test_with_several_workers_it_does_not_matter_who_gets_a_stream() -> None:
    comparison = compare(dealt(0), dealt(2), SCOPE)
    assert comparison.identical
    assert comparison.masked["workers"] == 12
    assert rules(compare(dealt(0), dealt(0, 1), SCOPE)) == {"logs"}


def test_with_several_workers_each_one_must_start_alike() -> None:
    other = replace(dealt(0), abi=tuple(line for line in dealt(0).abi if line != ("worker_1", START[1])))
    assert rules(compare(dealt(0), other, SCOPE)) == {"exact"}
    missing = replace(dealt(0), abi=tuple(line for line in dealt(0).abi if line[0] != "worker_2"))
    assert rules(compare(dealt(0), missing, SCOPE)) == {"exact"}


def test_with_one_worker_its_streams_count() -> None:
    assert not compare(with_abi(*START), with_abi(*START, *STREAM), SCOPE, concurrency=1).identical
    assert compare(with_abi(*START), with_abi(*START, *STREAM), SCOPE, concurrency=2).identical


def test_envoys_words_are_shown_and_count_on_demand() -> None:
    silent = replace(RESULT, other=())
    shown, demanded = compare(silent, RESULT, SCOPE), compare(silent, RESULT, SCOPE, words=True)
    assert shown.identical
    assert [note.right for note in shown.notes] == [("error | Function: f failed: x",)]
    assert rules(demanded) == {"words"}
    assert demanded.notes == ()


def test_both_refusing_is_identical() -> None:
    refused = ReplayResult(ready=False, other=(("main", "critical", "no such field: 'a'"),))
    assert compare(refused, refused, SCOPE).identical
    assert "refused" in render(compare(refused, RESULT, SCOPE))


def test_the_first_difference_is_shown_with_what_came_before() -> None:
    text = render(compare(with_abi(*START, STREAM[0], "x\udcff\n"), with_abi(*START, *STREAM), SCOPE))
    assert text.splitlines() == [
        "different: traces agree at no level (required: exact)",
        "set aside by rule, lines or values on both sides together: headers 2",
        "exact: worker_0, line 4",
        f"            | {START[0]}",
        f"            | {START[1]}",
        f"            | {STREAM[0]}",
        "  simulator | x\\udcff\\n",
        f"      envoy | {STREAM[1]}",
        f"      envoy | {STREAM[2]}",
    ]


def test_a_side_that_has_nothing_says_so() -> None:
    assert "  simulator | (nothing)" in render(compare(replace(RESULT, logs=()), RESULT, SCOPE))


# --- evidence: what a rule leaves out differs between two runs of the real Envoy, and nothing else does


@pytest.fixture(params=sorted(path.parent.name for path in EVIDENCE.glob("*/one.json")))
def runs(request: pytest.FixtureRequest) -> tuple[Case, ReplayResult, ReplayResult]:
    folder = EVIDENCE / request.param
    one, other = (
        ReplayResult.from_json(json.loads((folder / f"{name}.json").read_text())) for name in ("one", "other")
    )
    return Case.load(folder), one, other


def test_two_runs_of_the_real_envoy_are_identical_by_the_rules(runs: tuple[Case, ReplayResult, ReplayResult]) -> None:
    case, one, other = runs
    assert render(case.compare(one, other, words=True)).startswith("identical")


def test_two_runs_of_the_real_envoy_differ_in_what_the_rule_leaves_out(
    runs: tuple[Case, ReplayResult, ReplayResult],
) -> None:
    case, one, other = runs
    assert DIFFERENCE[case.name](one, other)


def _ticks(result: ReplayResult) -> int:
    return sum(len(split_ticks(lines)[1]) for lines in by_thread(result.abi).values())


def _values(result: ReplayResult, name: str) -> list[str]:
    return [value for response in result.responses for key, value in response.headers if key == name]


def _each_mask(one: ReplayResult, other: ReplayResult) -> bool:
    pairs = list(zip(one.logs, other.logs, strict=True))
    masks = Counter(word for (_, _, text), _ in pairs for word in mask_text(text).split() if "<" in word)
    return all(left != right for left, right in pairs) and {"<uuid>", "<date>", "<epoch>", "127.0.0.1:<port>"} <= set(
        masks
    )


def _each_id(one: ReplayResult, other: ReplayResult) -> bool:
    masks = [mask_text(text.rpartition(" ")[2]) for _, _, text in one.logs]
    differ = all(left != right for left, right in zip(one.logs, other.logs, strict=True))
    return differ and masks == ["<trace>", "<span>", "00-<trace>-<span>-00"]


DIFFERENCE: dict[str, Callable[[ReplayResult, ReplayResult], bool]] = {
    "calls": lambda one, other: compare(one, other, SCOPE, level=Level.CALLS).level is Level.CALLS,
    "proxy": lambda one, other: compare(one, other, SCOPE).level is Level.PROXY,
    "ticks": lambda one, other: (
        _ticks(one) != _ticks(other)
        and len(one.logs) != len(other.logs)
        and one.stats["wasmcustom.ticks"] != other.stats["wasmcustom.ticks"]
    ),
    "workers": lambda one, other: not compare(one, other, SCOPE, concurrency=1).identical,
    "headers": lambda one, other: all(
        _values(one, name) != _values(other, name) for name in ("date", "x-request-id", "x-envoy-upstream-service-time")
    ),
    "logs": _each_mask,
    "spans": _each_id,
    "words": lambda one, other: one.other != other.other,
}
