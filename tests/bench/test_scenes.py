"""The two bootstraps do what they are about, the same at every level, and in the real Envoy."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

import meshsim as ms
from meshsim.reference.compare import compare
from meshsim.reference.envoy import run_envoy
from meshsim.reference.rules import Scope
from meshsim.sim import Level
from tests.bench import levels
from tests.bench.scenes import REQUEST, SCENES, Scene


@pytest.fixture(params=SCENES)
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    ports = count(20_000)
    made: Scene = SCENES[request.param](tmp_path, lambda: next(ports))
    return made


def test_every_level_shows_the_same(scene: Scene) -> None:
    assert levels.check(scene, 20).status == 200


def test_a_check_counts_responses_and_hops(scene: Scene) -> None:
    wrong = Scene(scene.name, scene.path, scene.port, scene.hops + 1, scene.answer)
    with pytest.raises(RuntimeError, match="20 responses and"):
        levels.check(wrong, 20)


def test_levels_that_differ_are_noticed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    observe = levels.observe

    def one_more(envoy: ms.Envoy, requests: int) -> object:
        return observe(envoy, requests + (envoy.recorder.level is Level.OFF))

    monkeypatch.setattr(levels, "observe", one_more)
    with pytest.raises(RuntimeError, match=r"responses at OFF and at ABI do not agree: Response.* and None"):
        levels.check(scene, 5)


def test_the_second_module_answers_by_what_the_first_has_added(tmp_path: Path) -> None:
    ports = count(20_000)
    envoy = levels.start(SCENES["two-hops"](tmp_path, lambda: next(ports)), Level.REQUESTS)
    assert ("x-seen", "wat") in envoy.send(REQUEST).headers
    past_the_first = envoy.get("/", listener="second")
    assert (past_the_first.status, past_the_first.body) == (400, "not marked")


@pytest.mark.envoy
def test_the_real_envoy_does_the_same(scene: Scene) -> None:
    requests = [REQUEST] * 3
    real = run_envoy(scene.path, requests)
    simulated = ms.replay(scene.path, requests)
    assert compare(simulated, real, Scope.of_file(scene.path), concurrency=1).identical
