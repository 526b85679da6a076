"""Memory by part, on a profile with round numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshsim.cost import Module, memory_parts, rollout, total
from meshsim.cost.memory import mesh_bytes
from tests.cost.profiles import profile


def values(modules: list[Module], workers: int) -> dict[str, float]:
    return {name: each.value for name, each in memory_parts(modules, workers, profile()).items()}


def test_without_modules_there_is_no_v8() -> None:
    assert values([], 4) == {
        "Envoy": 60e6, "workers": 4e5, "V8": 0, "VMs": 0, "module code": 0, "compiling": 0, "linear memory": 0
    }  # fmt: skip


@pytest.mark.parametrize(("workers", "vms"), [(1, 3), (2, 4), (4, 6), (8, 10)])
def test_a_module_has_a_vm_for_each_worker_and_two_more(workers: int, vms: int) -> None:
    assert values([Module(1_000)], workers)["VMs"] == vms * 1e6


def test_code_is_there_once_and_touched_memory_in_each_vm_but_the_base() -> None:
    got = values([Module(1_000_000, touched_bytes=65_536, vms=2)], 4)
    assert got["module code"] == 16e6
    assert got["linear memory"] == 2 * 5 * 65_536
    assert got["VMs"] == 2 * 6 * 1e6


def test_what_compiling_leaves_counts_once_for_the_largest_module() -> None:
    got = values([Module(1_000_000), Module(3_000_000), Module(2_000_000)], 1)
    assert (got["compiling"], got["module code"]) == (3 * 4e6, 6 * 16e6)


def test_a_profile_that_does_not_tell_them_apart_has_all_in_the_code() -> None:
    whole = profile()
    kept = {name: each for name, each in whole.coefficients.items() if name != "compile_bytes_per_code_byte"}
    assert memory_parts([Module(1_000)], 1, replace(whole, coefficients=kept))["compiling"].value == 0


def test_v8_starts_once() -> None:
    assert values([Module(0), Module(0)], 1)["V8"] == values([Module(0)], 1)["V8"] == 12e6


def test_while_a_rollout_lasts_both_versions_are_there() -> None:
    old, new = [Module(1_000_000)], [Module(2_000_000)]
    stages = {name: total(parts.values()).value for name, parts in rollout(old, new, 2, profile()).items()}
    assert list(stages) == ["before", "during", "after"]
    assert stages["after"] - stages["before"] == 16e6 + 4e6
    assert stages["during"] - stages["before"] == 32e6 + 4e6 + 4e6


def test_proxies_share_nothing() -> None:
    parts = memory_parts([Module(1_000)], 2, profile())
    assert mesh_bytes(parts, 100).value == 100 * total(parts.values()).value
