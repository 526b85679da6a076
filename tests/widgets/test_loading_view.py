"""The loading timeline's view model, without a browser: steps, columns, counters, links, look-ups, refusals."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import meshsim as ms
from meshsim.abi.events import LogLine
from meshsim.envoy.loader import load_bootstrap
from meshsim.export.loading import active_vms
from meshsim.wasm import parse_module
from meshsim.widgets._loading_bars import KINDS, bars_of
from meshsim.widgets._loading_run import load
from meshsim.widgets._loading_view import view_of
from meshsim.widgets._setup import Setup
from meshsim.widgets._theme import OKABE_ITO

FOLDER = Path(ms.__file__).parent / "scenarios" / "first_filter"
CASES = Path(__file__).resolve().parents[1] / "envoy" / "cases"
START = ["isolate", "compile", "abi", "instance", "callbacks", "init", "canary", "clone", "start"]


def _view(workers: int = 2, bootstrap: Path = FOLDER / "envoy.yaml", **wanted: Any) -> dict[str, Any]:
    return view_of(load(Setup.of(load_bootstrap(bootstrap), workers).changed_to(**wanted)))


def _kinds(view: dict[str, Any], track: int) -> list[str]:
    return [bar["k"] for bar in view["bars"] if bar["t"] == track]


def test_what_each_thread_does_in_which_order() -> None:
    view = _view()
    assert [track["name"] for track in view["tracks"]] == ["main", "V8 threads", "worker_0", "worker_1"]
    assert _kinds(view, 0) == START
    assert _kinds(view, 1) == ["background"]
    assert _kinds(view, 2) == _kinds(view, 3) == ["clone", "start"]


@pytest.mark.parametrize(
    ("workers", "plugins", "own", "vms"),
    [(1, 1, False, 1), (2, 1, False, 1), (8, 1, False, 1), (2, 2, False, 1), (2, 2, True, 2), (4, 3, True, 3)],
)
def test_the_formula_holds_and_is_what_envoy_counts(workers: int, plugins: int, own: bool, vms: int) -> None:
    setup = Setup.of(load_bootstrap(FOLDER / "envoy.yaml"), workers).changed_to(plugins=plugins, own_vms=own)
    view = view_of(load(setup))
    active, created, roots = view["bars"][-1]["n"]
    envoy = ms.Envoy(setup.changed, concurrency=workers)
    envoy.start()
    stats = envoy.stats()
    assert active == stats["wasm.envoy.wasm.runtime.v8.active"] == vms * (workers + 2)
    assert created == stats["wasm.envoy.wasm.runtime.v8.created"] == vms * (workers + 2) + plugins
    assert roots == plugins * (workers + 2)
    assert all(row["holds"] for row in view["formula"])
    assert view["formula"][0]["filled"].endswith(f"= {active}")


def test_vms_are_counted_as_envoy_says_while_they_come() -> None:
    setup = Setup.of(load_bootstrap(FOLDER / "envoy.yaml"), 2).changed_to(plugins=2, own_vms=True)
    envoy = ms.Envoy(setup.changed, concurrency=2)
    envoy.start()
    lines = [entry.event for entry in envoy.recorder.events if isinstance(entry.event, LogLine)]
    said = [count for line in lines if "created" in line.text and (count := active_vms(line))]
    begins = [bar.counts[0] for bar in bars_of(load(setup)) if bar.kind in ("isolate", "canary", "clone")]
    assert sorted(begins) == sorted(said)


def test_the_isolate_and_the_compiling_are_what_the_profile_says() -> None:
    loaded = load(Setup.of(load_bootstrap(FOLDER / "envoy.yaml"), 1))
    isolate, compiling = (next(bar for bar in bars_of(loaded) if bar.kind == kind) for kind in ("isolate", "compile"))
    facts = parse_module(loaded.vms[0].code)
    made_ns = loaded.costs.base_vm_ns(facts.size_bytes, first=True, branches=facts.branches)
    assert compiling.end_ns - isolate.start_ns == made_ns
    assert compiling.end_ns - compiling.start_ns == loaded.costs.compile_ns(facts.size_bytes, facts.branches)


def test_columns_never_go_back_in_time() -> None:
    for bars in (bars_of(load(Setup.of(load_bootstrap(FOLDER / "envoy.yaml"), 4).changed_to(plugins=3, own_vms=own)))
                 for own in (False, True)):  # fmt: skip
        taken = Counter((bar.track, bar.column) for bar in bars)
        assert set(taken.values()) == {1}
        for bar in bars:
            assert all(other.column < bar.column for other in bars if other.end_ns <= bar.start_ns
                       and other.end_ns > other.start_ns)  # fmt: skip


def test_each_import_is_linked() -> None:
    rows = _view()["about"]["abi:0"]["rows"]
    assert [row["name"] for row in rows] == [
        "env.proxy_log", "env.proxy_get_header_map_value", "env.proxy_add_header_map_value",
    ]  # fmt: skip
    assert all(row["ok"] for row in rows)
    assert rows[0]["words"] == "write a log line"


def test_callbacks_are_found_and_absent() -> None:
    about = _view()["about"]["callbacks:0"]
    states = Counter(row["ok"] for row in about["rows"])
    assert states[True] == 7
    assert states[None] == len(about["rows"]) - 7
    assert states[False] == 0


def test_a_missing_import_is_where_it_ends() -> None:
    view = _view(fault="import")
    last = view["bars"][-1]
    assert (last["k"], last["bad"], last["n"]) == ("abi", True, [0, 1, 0])
    [missing] = [row for row in view["about"]["abi:0"]["rows"] if not row["ok"]]
    assert missing["name"] == "env.proxy_add_header_map_valus"
    assert view["refused"] == {
        "what": "Unable to create Wasm plugin my-filter",
        "why": "Failed to load Wasm module due to a missing import: env.proxy_add_header_map_valus",
    }
    assert not any(row["holds"] for row in view["formula"])


def test_a_callback_of_a_wrong_type_is_where_it_ends() -> None:
    view = _view(fault="callback")
    assert [bar["k"] for bar in view["bars"] if bar["bad"]] == ["callbacks"]
    first = view["about"]["callbacks:0"]["rows"][0]
    assert (first["name"], first["ok"], first["type"]) == ("proxy_on_tick", False, "(i32) -> ()")
    assert "want: i32 -> void, but the module exports: i32 -> i32" in view["refused"]["why"]


@pytest.mark.parametrize("case", ["abi-refused-import-unknown", "abi-refused-vm-start", "abi-refused-not-wasm"])
def test_what_the_real_envoy_refused_is_refused_in_its_words(case: str) -> None:
    view = _view(1, CASES / case / "envoy.yaml")
    truth = json.loads((CASES / case / "truth.json").read_text())
    errors = [text for _, level, text in truth["other"] if level in ("error", "critical")]
    assert view["refused"]["why"] == errors[0]
    assert view["bars"][-1]["bad"]


def test_plugins_that_differ_are_told_apart() -> None:
    view = _view(1, CASES / "abi-plugins-three" / "envoy.yaml")
    plugins = [bar["p"] for bar in view["bars"] if bar["k"] == "canary"]
    assert len(set(plugins)) == 3
    for track in (0, 2):
        assert [bar["p"] for bar in view["bars"] if bar["k"] == "start" and bar["t"] == track] == plugins


def test_a_start_shows_its_calls_with_answers() -> None:
    start = next(bar for bar in _view()["bars"] if bar["k"] == "start")
    assert [call["text"].partition("(")[0] for call in start["calls"]] == [
        "proxy_on_context_create", "proxy_on_vm_start", "proxy_on_configure",
    ]  # fmt: skip
    assert [call["answer"] for call in start["calls"]] == ["void", "true", "true"]


def test_the_view_is_json_and_its_colours_are_of_the_palette() -> None:
    view = _view()
    assert json.loads(json.dumps(view)) == view
    assert {kind.fill for kind in KINDS.values()} <= OKABE_ITO.keys()


def test_every_number_says_where_it_comes_from() -> None:
    def numbers(item: Any) -> list[dict[str, str]]:
        if isinstance(item, dict):
            return [item] if "origin" in item else [n for value in item.values() for n in numbers(value)]
        return [n for value in item for n in numbers(value)] if isinstance(item, list) else []

    view = _view()
    marks = {origin["name"]: origin["mark"] for origin in view["origins"]}
    found = numbers([view["bars"], view["about"], view["formula"]])
    assert len(found) > 20
    assert all(marks[number["origin"]] == number["mark"] for number in found)


def test_a_bootstrap_without_wasm_has_nothing_to_show(tmp_path: Path) -> None:
    (tmp_path / "envoy.yaml").write_text("node: {id: x}\n")
    view = _view(1, tmp_path / "envoy.yaml")
    assert view["bars"] == []
    assert view["columns"] == 1
