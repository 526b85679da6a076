from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from meshsim.envoy.loader import load_bootstrap
from meshsim.envoy.outcome import ReplayResult
from meshsim.envoy.replay import replay
from meshsim.reference.differences import Difference
from meshsim.wasm import parse_module
from tests.fuzz import judge
from tests.fuzz.arguments import KINDS, Scene
from tests.fuzz.calls import CALLS, classes_of, draw
from tests.fuzz.cases import write_batch
from tests.fuzz.cells import EXCLUSIONS, PHASES, Class, cells, exclusion
from tests.fuzz.coverage import LEAST, executed, missing
from tests.fuzz.plans import PATTERN, Plan
from tests.fuzz.programs import MARK, Program
from tests.fuzz.wat import TYPES, Guest

EVERY_KIND = range(len(PATTERN))


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_seeds_alone_make_the_case(tmp_path: Path) -> None:
    for folder, seeds in (("one", [7, 9]), ("again", [7, 9]), ("other", [8, 9])):
        write_batch(seeds, tmp_path / folder)

    assert files(tmp_path / "one") == files(tmp_path / "again")
    assert files(tmp_path / "one") != files(tmp_path / "other")


def test_a_guest_is_the_same_in_every_batch(tmp_path: Path) -> None:
    write_batch([7], tmp_path / "alone")
    write_batch(EVERY_KIND, tmp_path / "batch")

    assert files(tmp_path / "alone")["s7.wasm"] == files(tmp_path / "batch")["s7.wasm"]


def test_a_batch_of_every_kind_is_taken_and_answered(tmp_path: Path) -> None:
    case, programs = write_batch(EVERY_KIND, tmp_path)

    assert len(load_bootstrap(case.bootstrap).static_resources.listeners) == len(EVERY_KIND) + 2
    for module in tmp_path.glob("*.wasm"):
        assert parse_module(module.read_bytes()).abi_markers
    requests = case.requests()
    result = replay(case.bootstrap, requests)
    assert result.ready, result.other[-6:]
    assert len(result.responses) == len(requests)
    assert {phase for _, phase, _ in executed(result.abi, programs.by_number)} == PHASES.keys()


@pytest.mark.parametrize("function", CALLS)
def test_calls_have_the_arguments_that_the_import_takes(function: str) -> None:
    plan = Plan.of(0)
    for class_ in classes_of(function):
        for phase in PHASES.values():
            guest = Guest(plan.version)
            scene = Scene(guest, Random(1), phase)
            assert [text[1:4] for text in draw(function, class_, scene)] == [
                {"i": "i32", "I": "i64"}[letter] for letter in TYPES[function].params
            ]


def test_no_call_has_a_kind_of_argument_that_there_is_not() -> None:
    used = {word for words in CALLS.values() for word in words.split()}

    assert used == KINDS.keys()


def test_a_whole_run_plans_enough_of_every_cell() -> None:
    planned: Counter[tuple[str, str, Class]] = Counter()
    counts = {"start": 3, "allocate": 1}
    for seed in range(2000):
        plan = Plan.of(seed)
        if plan.kind != "http":
            continue
        for phase in ("create", "request_headers", "log", "delete", "response_body"):
            planned.update((function, phase, class_) for function, class_ in plan.share(phase, counts.get(phase, 9)))
    wanted = [cell for cell in cells(classes_of) if cell[1] in {phase for _, phase, _ in planned}]

    assert [cell for cell in wanted if planned[cell] < LEAST] == []


def test_exclusions_cover_something_and_have_a_reason() -> None:
    for entry in EXCLUSIONS:
        assert entry.why
        assert any(
            exclusion(function, phase, class_) is entry
            for function in CALLS
            for phase in PHASES.values()
            for class_ in Class
        ), entry.why


def trace(*lines: str) -> ReplayResult:
    return ReplayResult(True, tuple(("worker_0", line) for line in lines))


def test_coverage_counts_what_came_after_a_mark() -> None:
    program = Program("log", (("env.proxy_done", Class.VALID), None, ("wasi.fd_tell", Class.BAD)))
    lines = [
        "[host->vm] proxy_on_log(2)",
        "[vm->host] env.proxy_done()",  # before the mark: nobody planned it
        f"[vm->host] env.proxy_log({MARK}, 5, 0)",
        "[vm->host] env.proxy_done()",
        "[vm->host] env.proxy_log(2, 0, 0)",
        "[host<-vm] proxy_on_log return: void",
    ]

    counts = executed(trace(*lines).abi, {5: program})

    assert counts == {("env.proxy_done", "log", Class.VALID): 1}


def test_what_is_planned_in_a_callback_within_a_callback_counts_there() -> None:
    programs = {
        1: Program("request_headers", (("env.envoy_resolve_dns", Class.VALID), ("env.proxy_done", Class.VALID))),
        2: Program("resolve_dns", (("wasi.fd_sync", Class.BAD),)),
    }
    lines = [
        "[host->vm] proxy_on_request_headers(2, 1, 1)",
        f"[vm->host] env.proxy_log({MARK}, 1, 0)",
        "[vm->host] env.envoy_resolve_dns(0, 9, 16)",
        "[host->vm] envoy_on_resolve_dns(1, 2, 20)",
        f"[vm->host] env.proxy_log({MARK}, 2, 0)",
        "[vm->host] wasi_unstable.fd_sync(9)",
        "[host<-vm] envoy_on_resolve_dns return: void",
        "[vm->host] env.proxy_done()",
    ]

    counts = executed(trace(*lines).abi, programs)

    assert set(counts) == {
        ("env.envoy_resolve_dns", "request_headers", Class.VALID),
        ("env.proxy_done", "request_headers", Class.VALID),
        ("wasi.fd_sync", "resolve_dns", Class.BAD),
    }


def test_a_run_without_calls_lacks_every_cell() -> None:
    lacking = [cell for cell, _ in missing({})]

    assert lacking == list(cells(classes_of))
    assert missing(dict.fromkeys(lacking, LEAST)) == []


def test_a_difference_is_that_of_the_last_program_before_it() -> None:
    truth = trace(
        "[host->vm] proxy_on_log(2)", f"[vm->host] env.proxy_log({MARK}, 7002, 0)",
        "[host->vm] proxy_on_log(2)", f"[vm->host] env.proxy_log({MARK}, 8003, 0)",
    )  # fmt: skip

    found = [
        list(judge._suspects([Difference("exact", f"worker_0, line {line}", (), ())], truth, [])) for line in (1, 2, 4)
    ]

    assert found == [[], [7], [8]]


def test_a_difference_of_logs_names_its_plugin() -> None:
    difference = Difference("logs", "logs", ("worker_0 | info | wasm log s12 s12 s12: a",), ())

    assert list(judge._suspects([difference], trace(), [])) == [12]


def test_kinds_alternate_and_turns_count_up() -> None:
    plans = [Plan.of(seed) for seed in range(200)]

    assert [plan.kind for plan in plans[:6]] == ["network", "http_call", "queue", "dns", "grpc", "http"]
    for kind in set(PATTERN):
        for version in {plan.version for plan in plans}:
            turns = [plan.turn for plan in plans if (plan.kind, plan.version) == (kind, version)]
            assert all(after == before + 1 for before, after in pairwise(turns))
