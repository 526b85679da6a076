"""What a run keeps does not change what happens: each recorded case, with the shim and with Python's host functions."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from meshsim.abi.constants import LogLevel
from meshsim.envoy import replay
from meshsim.envoy.proxy import Envoy
from meshsim.envoy.thread_host import ThreadHost
from meshsim.envoy.vm_thread import VmThread
from meshsim.reference.truth import TRUTH, Case
from meshsim.sim import Level

CASES = Path(__file__).parent / "cases"
NAMES = sorted(path.parent.name for path in CASES.glob(f"*/{TRUTH}"))


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """All log lines of guests and about them, at every level."""
    kept: list[tuple[str, ...]] = []
    make_host = VmThread.__init__

    def keep_logs(host: Any, *arguments: Any) -> None:
        make_host(host, *arguments)
        host.keeps_logs = True

    def log(host: Any, level: LogLevel, text: str) -> None:
        kept.append((host._host.thread.name, level.envoy_name, text))

    def report(host: Any, level: LogLevel, text: str) -> None:
        kept.append((host.thread.name, level.envoy_name, text))

    monkeypatch.setattr(VmThread, "__init__", keep_logs)
    monkeypatch.setattr(VmThread, "log", log)
    monkeypatch.setattr(ThreadHost, "report", report)
    return kept


def vms(envoy: Envoy) -> list[tuple[Any, ...]]:
    """Of each VM: where it is, its guest's fuel and memory, whether it lives."""
    found = []
    for vm in envoy.process.vms:
        wasm = vm.wasm
        memory = wasm.memory.read(0, wasm.memory.size) or b""
        found.append((vm.thread, vm.kind, wasm.vm.fuel_used, sha256(memory).digest(), wasm.fail_state))
    return found


def outcome_of(
    case: Case, level: Level, lines: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> tuple[Any, ...]:
    """Responses, counters, samples, VMs before the end, log lines, and the virtual time of the end, in ns."""
    lines.clear()
    envoys: list[Watched] = []

    class Watched(Envoy):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options, level=level)
            self.at_the_end: list[Any] = []
            envoys.append(self)

        def shut_down(self) -> None:
            self.at_the_end += [vms(self), self.kernel.now_ns]
            super().shut_down()

    with monkeypatch.context() as patch:
        patch.setattr(replay, "Envoy", Watched)
        result = replay.replay(case.bootstrap, case.requests(), concurrency=case.concurrency)
    told = result.ready, result.responses, result.stats
    if not envoys:  # refused before anything was made
        return told
    (envoy,) = envoys
    samples = {name: list(values) for name, values in envoy.process.metric_values.samples.items()}
    return *told, samples, envoy.at_the_end, sorted(lines), envoy.kernel.now_ns


@pytest.mark.parametrize("name", NAMES)
def test_the_same_at_abi_and_at_requests(
    name: str, lines: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case.load(CASES / name)
    traced = outcome_of(case, Level.ABI, lines, monkeypatch)
    assert outcome_of(case, Level.REQUESTS, lines, monkeypatch) == traced
