from __future__ import annotations

import pytest

from meshsim.envoy.requests import load_requests
from meshsim.export.loading import Phase, active_vms, loading_steps
from meshsim.export.spans import Said, spans
from meshsim.lab.observe import Observation, observe
from meshsim.lab.scenarios import scenario
from tests.export.conftest import Record

LOCAL = [Phase.CLONE, Phase.START]
MAIN = [Phase.ISOLATE, Phase.COMPILE, Phase.BASE, Phase.CANARY, *LOCAL]


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_the_main_thread_makes_base_and_canary_and_every_thread_a_clone(workers: int) -> None:
    first = scenario("first_filter")
    seen = observe(first.bootstrap, load_requests(first.requests), concurrency=workers)
    steps: dict[str, list[Phase]] = {}
    for step in seen.loading:
        steps.setdefault(step.track, []).append(step.phase)
    assert steps == {"main": MAIN} | {f"worker_{k}": LOCAL for k in range(workers)}


def test_steps_of_a_thread_follow_each_other(seen: Observation) -> None:
    ends: dict[str, int] = {}
    for step in seen.loading:
        assert ends.get(step.track, 0) <= step.start_ns <= step.end_ns
        ends[step.track] = step.end_ns


def test_the_main_thread_is_done_before_a_worker_begins(seen: Observation) -> None:
    main_ends = max(step.end_ns for step in seen.loading if step.track == "main")
    assert min(step.start_ns for step in seen.loading if step.track != "main") >= main_ends


def test_canary_and_start_configure_the_plugin(seen: Observation) -> None:
    for step in seen.loading:
        called = [call.function for call in step.calls]
        assert ("proxy_on_configure" in called) == (step.phase in (Phase.CANARY, Phase.START))


def test_compiling_is_what_the_profile_says_for_the_size(seen: Observation) -> None:
    [step] = [step for step in seen.loading if step.phase is Phase.COMPILE]
    assert step.end_ns - step.start_ns == seen.compile_ns > 0


def test_a_second_plugin_in_the_same_vm_only_starts(record: Record) -> None:
    lines = ['0 main "Thread-Local Wasm created 2 now active"']
    for time, call in ((5, "proxy_on_context_create 1 0"), (6, "proxy_on_vm_start 1 0")):
        lines += [f"{time} main [host->vm] {call}", f"{time} main [host<-vm] {call.split()[0]}"]
    lines += ['7 main "something else"']
    lines += ['8 main "Thread-Local Wasm created 3 now active"', "9 main [host->vm] _initialize"]
    lines += ["9 main [host<-vm] _initialize", '9 main "~Wasm 2 remaining active"']
    lines += ["9 main [host->vm] proxy_on_context_create 2 0", "9 main [host<-vm] proxy_on_context_create"]
    steps = loading_steps(spans(record(*lines)))
    assert [step.phase for step in steps] == [Phase.CLONE, Phase.START, Phase.CANARY, Phase.START]
    assert [(step.start_ns, step.end_ns) for step in steps] == [(0, 5), (5, 6), (8, 9), (9, 9)]


def test_only_envoy_counts_vms(record: Record) -> None:
    [said] = spans(record('0 main "~Wasm 3 remaining active"'))
    assert isinstance(said, Said)
    assert active_vms(said.line) == 3
    assert active_vms(said.line._replace(guest=True)) is None
    assert active_vms(said.line._replace(text="something else")) is None
