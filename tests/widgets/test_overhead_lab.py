"""The widget OverheadLab in the kernel: exact at once, simulated when it is wanted, and what a crash does."""

from __future__ import annotations

import json

import pytest

import meshsim as ms
from meshsim.cost import Profile, default_profile
from meshsim.widgets._overhead_run import CRASH_AT, STRIP, bootstrap_text, crash_strip, request_with, share_of, start


@pytest.fixture
def lab() -> ms.OverheadLab:
    return ms.OverheadLab(workers=2, plugins=1)


def parts(lab: ms.OverheadLab, bar: str) -> dict[str, str]:
    return {part["name"]: part["value"]["text"] for part in lab.view[bar]["parts"]}


def without(*names: str) -> Profile:
    profile = default_profile()
    kept = {name: value for name, value in profile.coefficients.items() if not name.startswith(names)}
    return Profile(profile.name, kept, profile.measured)


def test_a_trait_changes_the_bars_at_once_and_leaves_the_curve_for_later(lab: ms.OverheadLab) -> None:
    assert lab.view["latency"]["curves"]
    before = parts(lab, "memory")
    lab.set_state({"workers": 8, "rounds": 0})
    assert parts(lab, "memory") != before
    assert (lab.rounds, lab.view["latency"]["curves"]) == (0, [])
    lab.set_state({"rounds": 1})
    assert [curve["name"] for curve in lab.view["latency"]["curves"]] == ["without filters", "with 1 filter"]


def test_python_alone_can_change_and_refine_it(lab: ms.OverheadLab) -> None:
    lab.connections = 16
    assert lab.rounds == 0
    words = lab.refine(3).view["latency"]
    assert (lab.rounds, words["replications"]) == (3, 3)
    assert words["curves"][0]["points"][0]["high"] is not None


def test_rounds_add_up_to_what_they_would_be_at_once(lab: ms.OverheadLab) -> None:
    for rounds in (2, 3, 4):
        lab.rounds = rounds
    at_once = ms.OverheadLab(workers=2, plugins=1).refine(4)
    assert lab.view["latency"] == at_once.view["latency"]


def test_what_the_profile_lacks_is_said_and_not_drawn() -> None:
    lab = ms.OverheadLab(without("task_ns", "filter_ns", "vm_bytes"), workers=2)
    assert lab.view["sides"]["tasks"] == []
    assert "has not measured native filters and Lua" in lab.view["sides"]["lacking"]
    for bar, name in (("cpu", "filter_ns"), ("memory", "vm_bytes")):
        assert lab.view[bar]["parts"] == []
        assert f"has not measured {name}" in lab.view[bar]["lacking"]
        assert "no bar is drawn" in lab.view[bar]["lacking"]
    assert lab.view["latency"]["curves"] == []
    assert "filter_ns" in "".join(lab.still().notes)


def test_a_smaller_profile_shows_what_the_simulator_charges_and_says_so() -> None:
    lab = ms.OverheadLab(without("filter_scale", "request_ns."), workers=2)
    assert "what the simulator charges" in lab.view["cpu"]["lacking"]
    assert lab.view["latency"]["curves"]


def test_every_number_has_an_origin_of_the_legend(lab: ms.OverheadLab) -> None:
    legend = {origin["name"] for origin in lab.view["origins"]}
    shown = [part["value"]["origin"] for bar in ("memory", "cpu") for part in lab.view[bar]["parts"]]
    shown += [item["count"]["origin"] for item in lab.view["crash"]["legend"]]
    assert shown
    assert set(shown) <= legend
    assert json.loads(json.dumps(lab.view)) == lab.view


def test_no_filters_cost_nothing(lab: ms.OverheadLab) -> None:
    lab.plugins = 0
    assert list(parts(lab, "cpu")) == ["Envoy's own work"]
    assert lab.view["cpu"]["added"].endswith("+0%")
    lab.refine(1)
    assert [curve["name"] for curve in lab.view["latency"]["curves"]] == ["without filters"]


def test_shares_fill_the_bar(lab: ms.OverheadLab) -> None:
    for bar in ("memory", "cpu"):
        assert sum(part["share"] for part in lab.view[bar]["parts"]) == pytest.approx(1)


# -- what is counted in the simulated Envoy ---


def test_work_is_that_of_one_warm_request() -> None:
    work = share_of("headers", 0)
    assert work.host_calls == {"get_header_map_value": 1, "add_header_map_value": 1, "log": 2}
    assert work.callbacks == 5  # created, headers, log, done, deleted
    assert work.copied_bytes == len("authorization") + 22 * 2 + len("x-wasm") + len("cpp") + len("goodbye")


def test_a_body_costs_the_module_that_reads_it_alone() -> None:
    assert share_of("headers", 10_000) == share_of("headers", 0)
    idle, busy = share_of("body", 0), share_of("body", 10_000)
    assert busy.copied_bytes - idle.copied_bytes == 10_000
    assert busy.fuel > idle.fuel + 10_000


def test_the_curve_s_service_time_is_the_simulated_envoy_s_where_it_charges_the_same() -> None:
    """What a request takes of a worker's virtual time is the sum of the same parts, by the plain coefficients."""
    envoy = start(bootstrap_text("overhead/inspector.wasm", 2), 1, ms.Level.ABI)
    bare = start(bootstrap_text("overhead/inspector.wasm", 0), 1, ms.Level.ABI)
    took = []
    for each in (envoy, bare):
        each.send(request_with(0))
        each.send(request_with(0))
        took.append(each.hops.rows.row(1).took_ns)
    work, costs = share_of("body", 0), default_profile()
    per_filter = (
        costs["filter_ns"]
        + work.callbacks * costs["callback_ns"]
        + sum(work.host_calls.values()) * costs["host_call_ns"]
        + work.fuel * costs["fuel_ns"]
    )
    assert took[0] - took[1] == pytest.approx(2 * per_filter, rel=0.01)


@pytest.mark.parametrize(
    ("policy", "after"),
    [("closed", {"refused"}), ("open", {"passed by"}), ("reload", {"refused", "filtered", "crashed"})],
)
def test_a_crash_does_what_the_policy_says(policy: str, after: set[str]) -> None:
    outcomes, made = crash_strip(policy)
    words = [outcome.word for outcome in outcomes]
    assert len(words) == STRIP
    assert words[:CRASH_AT] == ["filtered"] * (CRASH_AT - 1) + ["crashed"]
    assert set(words[CRASH_AT:]) == after
    assert (made > 0) == (policy == "reload")
    assert {outcome.status for outcome in outcomes if outcome.word in ("refused", "crashed")} <= {503}


def test_the_still_says_what_the_widget_says(lab: ms.OverheadLab) -> None:
    still = lab.still()
    assert any(row[0] == "memory: a VM for each thread and filter" for row in still.rows)
    assert any("requests/s" in row[1] for row in still.rows)
    assert "FAIL_CLOSED" in still.svg
    assert still.title.startswith("What Wasm filters cost (1 in the chain)")


def test_a_still_of_a_changed_setup_has_its_curve(lab: ms.OverheadLab) -> None:
    lab.workers = 3
    assert any("requests/s" in row[1] for row in lab.still().rows)
