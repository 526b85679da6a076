"""From measurements to coefficients: costs that measurements are made of come out again; no Envoy runs here."""

from __future__ import annotations

from itertools import product
from math import sqrt

import pytest

from meshsim.cost import default_profile
from meshsim.reference import fit
from meshsim.reference.fit import Round
from meshsim.reference.meanings import meanings
from meshsim.reference.probes import CALLS, CONNECTIONS, FEW, HEADERS, LENGTH, LUA_STEPS, LUA_TIMES, MANY, ROUNDS
from meshsim.reference.rounds import Loading
from meshsim.reference.scripts import LUA_CALLS
from meshsim.reference.specimens import CALLBACKS, COPIED_BYTES, HOST_CALLS
from meshsim.reference.tasks import ENGINES, TASKS
from meshsim.wasm.types import PAGE_BYTES

FUELS = {"bare": 3, **dict.fromkeys(ROUNDS, 1_003)}
FILTER, CALLBACK, LUA, NATIVE, HEADER = 700.0, 160.0, 3_000.0, 900.0, 60.0
FIRST, HEADERS_OBJECT = 500.0, 90.0


def plain(connections: int) -> float:
    return 20_000.0 + 1_000 / connections


def cpu() -> dict[str, float]:
    """What probes would measure if costs were simply so; the n-th host call costs 100 + n ns."""
    none, callbacks = plain(MANY), len(CALLBACKS)
    bare = none + FILTER + CALLBACK
    whole = LENGTH * (FILTER + callbacks * CALLBACK)
    made = {"bare": bare, "all": none + FILTER + callbacks * CALLBACK, "all chain": none + whole}
    made["bare chain"] = none + LENGTH * (FILTER + CALLBACK)
    made |= {f"none {count}": plain(count) for count in CONNECTIONS}
    for probe, adds in (("chain", whole), ("alone", FILTER + callbacks * CALLBACK)):
        made |= {f"{probe} {count}": plain(count) + adds * (2 if count == FEW else 1) for count in CONNECTIONS}
    made |= {f"call {name}": bare + CALLS[name] * (100 + n) for n, name in enumerate(HOST_CALLS)}
    for small, bulk in (("data", "in"), ("share", "out")):
        made[f"call {small}"] = made[f"call {bulk}"] - 0.25 * CALLS[bulk] * (COPIED_BYTES - fit.WORD_BYTES)
    made["call add"] = bare + FIRST + CALLS["add"] * 100
    made |= {f"code {name}": bare + 250 for name in ROUNDS}
    made |= {"native": none + NATIVE, "native more": none + NATIVE + (HEADERS - 1) * HEADER}
    made |= {"lua": none + LUA, "lua response": none + LUA + 800, "lua steps": none + LUA + 4 * LUA_STEPS}
    made |= {f"lua {name}": none + LUA + HEADERS_OBJECT * (name != "log") + LUA_TIMES * 200 for name in LUA_CALLS}
    made |= {f"task {task}": none + 50 for task in TASKS}
    made |= {f"task {task} {engine}": none + 50 + len(engine) for task, engine in product(TASKS, ENGINES)}
    lua_once = none + 50 + LUA + HEADERS_OBJECT + 200
    return made | {fit.ADD_ONCE: bare + FIRST + 100, fit.LUA_ADD_ONCE: lua_once}


def slopes(measured: Round) -> dict[str, list[float]]:
    return {name: [round(fit.slope(points), 6) for points in kinds.values()] for name, kinds in measured.items()}


def test_requests_give_back_the_costs_that_the_cpu_times_were_made_of() -> None:
    got = slopes(fit.of_requests(cpu(), FUELS))
    assert got["request_ns"] == [round(plain(FEW), 6)]
    assert got["filter_ns"] == [FILTER, FILTER]
    assert got["callback_ns"] == [CALLBACK, CALLBACK]
    assert (got["filter_ns.first"], got["filter_ns.further"]) == ([FILTER], [FILTER])
    assert (got["host_call_ns.first"], got["host_call_ns.add_header_map_value"]) == ([FIRST], [100])
    assert got["host_call_ns.replace_header_map_value"] == [103 - FIRST / CALLS["replace"]]
    assert got["clock_read_ns"] == [100 + list(HOST_CALLS).index("clock")]
    assert got["copy_ns_per_byte"] == [0.25, 0.25]
    assert got["fuel_ns"] == [0.25, 0.25, 0.25]
    assert (got["native_filter_ns"], got["native_change_ns"]) == ([NATIVE], [HEADER])
    assert (got["lua_filter_ns"], got["lua_response_ns"], got["lua_step_ns"]) == ([LUA], [800], [4])
    assert got["lua_headers_ns"] == [HEADERS_OBJECT]
    assert {got[f"lua_call_ns.{name}"][0] for name in LUA_CALLS} == {200}
    assert got["lua_call_ns"] == [200 + HEADERS_OBJECT / LUA_TIMES * (name != "log") for name in LUA_CALLS]
    assert (got[f"filter_scale.{FEW}"], got[f"filter_scale.{MANY}"]) == ([2, 2], [1, 1])
    assert got["task_ns.count_metric.wasm"] == [len("wasm")]


def test_loading_gives_back_the_costs_that_the_spans_were_made_of() -> None:
    tiny = Loading(base=2_000, isolate=800, clone=1_000, configure=300)
    first = Loading(base=7_000, isolate=None, clone=None, configure=900)
    ordinary = {size: Loading(2_000 + 3 * size, 800, 1_000 + size // 2, 300) for size in (1_000, 10_000)}
    straight = {4_000: Loading(2_000 + 4_000, 800, 1_000, 300)}
    small = {5: {50: Loading(2_000 + 400, 800, 1_000, 300), 60: Loading(2_000 + 300, 800, 1_000, 300)}}
    written = {2: Loading(2_000, 800, 1_000, 300 + PAGE_BYTES // 2)}
    branches = {size: size // 10 for size in ordinary}
    got = slopes(fit.of_loading([first, tiny, tiny], ordinary, straight, small, written, branches))
    assert got == {
        "v8_start_ns": [5_000],
        "isolate_ns": [1_200],
        "compile_ns_per_byte": [3],
        "compile_ns_per_byte.arithmetic": [1],
        "compile_ns_per_branch": [10 * (3 - 1)],
        "compile_ns_per_byte.5": [8, 5],
        "clone_ns": [1_000],
        "clone_ns_per_byte": [0.5],
        "first_call_ns": [150],
        "written_ns_per_byte": [0.25],
    }


def test_memory_gives_back_what_the_weights_were_made_of() -> None:
    workers = (1, 2, 4, 8)

    def weights(each_vm: int = 0, once: int = 0, each_thread: int = 0, modules: int = 1) -> dict[int, int]:
        return {n: 60_000 + 10 * n + once + each_vm * modules * (n + 2) + each_thread * (n + 1) for n in workers}

    touched = fit.PAGES * 65_536
    got = slopes(
        fit.of_memory(
            {
                "none": weights(),
                "tiny": weights(100, 12_000),
                "small": weights(100, 12_000 + (16 + 5) * 200),
                "large": weights(100, 12_000 + (16 + 5) * 500),
                "many tiny": weights(100, 12_000, modules=fit.TOGETHER),
                "many": weights(100, 12_000 + (16 * fit.TOGETHER + 5) * 200, modules=fit.TOGETHER),
                "touched": weights(100, 12_000, touched),
                "lua": weights(each_thread=fit.LUA_SCRIPTS * 70),
            },
            {"tiny": 0, "small": 200, "large": 500},
        )
    )
    assert got == {
        "envoy_bytes": [60_000],
        "worker_bytes": [10],
        "v8_bytes": [12_000],
        "vm_bytes": [100],
        "module_bytes_per_code_byte": [16],
        "compile_bytes_per_code_byte": [5],
        "touched_bytes_per_byte": [1],
        "lua_vm_bytes": [70],
    }


def test_early_calls_and_late_ones_are_told_by_fuel() -> None:
    assert slopes(fit.of_calls({1: 300, 100: 100}, 50)) == {"fuel_ns.call_1": [6], "fuel_ns.call_100": [2]}


def two_kinds(*by_round: tuple[float, float]) -> list[Round]:
    return [{"host_call_ns": {"add": [(0, 5.0), (10, 5 + 10 * a)], "get": [(10, 10 * b)]}} for a, b in by_round]


def test_a_coefficient_is_the_mean_over_kinds_of_the_median_round() -> None:
    got = fit.coefficient("host_call_ns", "ns", "", two_kinds((100, 10), (300, 30), (101, 11)))
    assert got.value == pytest.approx((101 + 11) / 2)


def test_a_coefficient_ranges_over_where_further_rounds_of_all_kinds_would_fall() -> None:
    got = fit.coefficient("host_call_ns", "ns", "", two_kinds((100, 10), (104, 11), (102, 12)))
    spread = 2.92 * sqrt(1 + 1 / 3)  # Student's t of two degrees of freedom, 90 % two-sided
    assert (got.low, got.high) == pytest.approx((11 - 1 * spread, 102 + 2 * spread), rel=0.001)


def test_a_round_alone_has_no_range() -> None:
    got = fit.coefficient("host_call_ns", "ns", "", two_kinds((100, 100)))
    assert (got.low, got.value, got.high) == (100, 100, 100)


def test_a_coefficient_keeps_its_points_to_a_tenth() -> None:
    got = fit.coefficient("host_call_ns", "ns", "", two_kinds((0.123, 1), (0.2, 1)))
    assert got.points == {
        "add": (((0, 5.0), (10, 6.2)), ((0, 5.0), (10, 7.0))),
        "get": (((10, 10.0),), ((10, 10.0),)),
    }


def test_the_profile_that_ships_is_of_these_measurements() -> None:
    shipped = default_profile().coefficients
    assert {name: (each.unit, each.how) for name, each in shipped.items()} == dict(meanings())


def test_the_values_that_ship_come_from_their_points() -> None:
    for name, each in default_profile().coefficients.items():
        by_kind = list(each.points.values())
        rounds = [{name: {kind: by_round[n] for kind, by_round in each.points.items()}} for n in range(len(by_kind[0]))]
        again = fit.coefficient(name, "", "", rounds)
        assert (again.value, again.low, again.high) == pytest.approx((each.value, each.low, each.high), rel=0.01), name
