"""The comparison with the real Envoy: its arithmetic; and that nothing of it outlives the block that runs it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import meshsim as ms
from meshsim.sim import Level
from tests.bench import real_envoy
from tests.bench.figures import REGISTRY, Skipped, in_turns
from tests.bench.real_envoy import Answer, Tools, Turn, find_tools, free_port, on_core
from tests.bench.scenes import SCENES
from tests.bench.versus_envoy import HEADERS, REAL, Duel, same_answer

needs_wrk = pytest.mark.skipif(
    shutil.which("wrk") is None and os.environ.get("CI") != "true", reason="wrk is not installed here: make system"
)


def test_a_ratio_is_that_of_a_round_in_cpu_time() -> None:
    # The machine is half as fast in the second round, and wrk gets its core for half of the third.
    real = [Turn(1_000, 1.0, 500_000_000), Turn(1_000, 2.0, 1_000_000_000), Turn(500, 1.0, 250_000_000)]
    simulated = [Turn(4_000, 1.0, 1_000_000_000), Turn(2_000, 1.0, 1_000_000_000), Turn(4_000, 1.0, 1_000_000_000)]
    outcome = Duel({REAL: real, "OFF": simulated}).outcome(Level.OFF)
    assert outcome.value == 2
    assert outcome.details["range"] == [2, 2]
    assert outcome.details["ratio_by_clock"] == 4
    assert outcome.details["per_second"] == {"OFF": 4_000, REAL: 500}
    assert outcome.details["cpu_us"] == {"OFF": 250, REAL: 500}


def test_turns_go_forwards_and_backwards() -> None:
    order: list[str] = []
    turns = {name: lambda name=name: order.append(name) for name in "abc"}
    in_turns(turns, 2)
    assert "".join(order) == "abccba"


def test_answers_are_held_against_each_other_but_for_clocks() -> None:
    simulated = ms.Response(200, (("date", "Thu"), ("server", "envoy")), "hello", (), None)
    assert same_answer(simulated, Answer(200, (("server", "envoy"), ("date", "Fri")), "hello"))
    assert not same_answer(simulated, Answer(200, (("server", "envoy"),), "hello"))
    assert not same_answer(simulated, Answer(200, (("server", "other"), ("date", "Fri")), "hello"))
    assert not same_answer(simulated, Answer(200, (("server", "envoy"), ("date", "Fri")), "hell"))
    assert not same_answer(simulated, Answer(503, (("server", "envoy"), ("date", "Fri")), "hello"))


def test_every_scene_has_a_figure_at_every_level() -> None:
    wanted = {f"envoy-{scene}-{level.name.lower()}" for scene in SCENES for level in Level}
    assert wanted <= set(REGISTRY)
    assert {name: REGISTRY[name].at_least for name in wanted} == {
        "envoy-direct-off": 4,
        "envoy-direct-requests": 2,
        "envoy-direct-abi": None,
        "envoy-two-hops-off": 8,
        "envoy-two-hops-requests": 4,
        "envoy-two-hops-abi": None,
    }


def test_without_wrk_or_envoy_it_is_said_what_installs_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MESHSIM_ENVOY", str(tmp_path / "no-envoy"))
    with pytest.raises(Skipped, match="MESHSIM_ENVOY"):
        find_tools()
    monkeypatch.setenv("MESHSIM_ENVOY", shutil.which("true") or "")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Skipped, match="make system"):
        find_tools()


def test_a_block_on_a_core_gives_the_others_back() -> None:
    before = os.sched_getaffinity(0)

    def run_there() -> None:
        with on_core(min(before)):
            assert os.sched_getaffinity(0) == {min(before)}
            raise KeyError

    with pytest.raises(KeyError):
        run_there()
    assert os.sched_getaffinity(0) == before


@pytest.mark.envoy
@needs_wrk
@pytest.mark.parametrize("ending", [None, KeyboardInterrupt])
def test_envoy_is_gone_when_the_block_is_left(ending: type[BaseException] | None, tmp_path: Path) -> None:
    tools = find_tools()
    scene = SCENES["two-hops"](tmp_path, free_port)
    pids = []

    def serve() -> None:
        with real_envoy.real_envoy(tools, scene.path, scene.port, "ingress", tmp_path) as envoy:
            pids.append(envoy.process.pid)
            assert os.sched_getaffinity(envoy.process.pid) == {tools.cores[0]}
            answer = envoy.get(HEADERS)
            assert (answer.status, answer.body) == (200, "hello")
            assert ("x-seen", "wat") in answer.headers
            turn = envoy.load(HEADERS, 1)
            assert turn.requests > 0
            assert turn.cpu_ns > 0
            if ending is not None:
                raise ending

    if ending is None:
        serve()
    else:
        with pytest.raises(ending):
            serve()
    assert not Path(f"/proc/{pids[0]}").exists()


def test_an_envoy_that_does_not_start_says_why(tmp_path: Path) -> None:
    false = tmp_path / "envoy"
    false.write_text("#!/bin/sh\necho 'no such field: nope' >&2\nexit 1\n", encoding="utf-8")
    false.chmod(0o755)
    core = min(os.sched_getaffinity(0))
    tools = Tools(str(false), "wrk", (core, core))
    with (
        pytest.raises(RuntimeError, match="no such field: nope"),
        real_envoy.real_envoy(tools, tmp_path / "envoy.json", 1, "ingress", tmp_path),
    ):
        pass
