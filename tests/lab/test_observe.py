from __future__ import annotations

import pytest

from meshsim.envoy.config.refusal import ConfigRefused
from meshsim.envoy.replay import replay
from meshsim.envoy.requests import load_requests
from meshsim.errors import ConfigError
from meshsim.lab.observe import Observation, observe
from meshsim.lab.scenarios import Scenario, scenario


def test_watching_changes_nothing(seen: Observation, first: Scenario) -> None:
    plain = replay(first.bootstrap, load_requests(first.requests), concurrency=2)
    assert seen.result == plain


def test_every_request_is_noted_with_its_answer_and_its_time(seen: Observation) -> None:
    assert [journey.response.status for journey in seen.journeys] == [200, 200, 200, 404]
    assert [journey.response for journey in seen.journeys] == list(seen.result.responses)
    ends = 0
    for journey in seen.journeys:
        assert ends <= journey.start_ns < journey.end_ns
        ends = journey.end_ns


def test_vms_are_weighed_before_they_end(seen: Observation) -> None:
    assert [(vm.thread, vm.kind) for vm in seen.memory] == [
        ("main", "base"), ("main", "local"), ("worker_0", "local"), ("worker_1", "local"),
    ]  # fmt: skip
    assert len(seen.memory) == seen.result.stats["wasm.envoy.wasm.runtime.v8.active"]


def test_each_request_has_the_streams_that_it_caused(seen: Observation) -> None:
    assert [[len(path.callbacks) for path in paths] for paths in seen.paths] == [[5]] * 4


def test_a_text_is_as_good_as_a_file(first: Scenario) -> None:
    text = first.bootstrap.read_text(encoding="utf-8").replace("hello.wasm", str(first.folder / "hello.wasm"))
    assert observe(text, []).result.ready


def test_a_bootstrap_that_envoy_refuses_is_an_error(first: Scenario) -> None:
    text = first.bootstrap.read_text(encoding="utf-8").replace("my-root", "my-root\n                unheard_of: 1")
    with pytest.raises((ConfigRefused, ConfigError)):
        observe(text, [])


def test_an_unknown_scenario_says_which_there_are() -> None:
    with pytest.raises(ConfigError, match="first_filter"):
        scenario("nowhere")


def test_the_bundled_module_is_the_one_that_was_built(first: Scenario, repository: object) -> None:
    from pathlib import Path

    built = Path(str(repository)) / "modules" / "hello" / "hello-cpp.wasm"
    assert (first.folder / "hello.wasm").read_bytes() == built.read_bytes()
