"""The Wasm filters of the tasks do their task, in the simulator; and the real Envoy takes all three of each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meshsim.abi.events import Crossing
from meshsim.envoy.proxy import Envoy
from meshsim.envoy.requests import Request
from meshsim.reference import chains
from meshsim.reference.bench import Bench, Load
from meshsim.reference.tasks import ENGINES, TASKS


def envoy(folder: Path, task: str) -> Envoy:
    path = folder / f"{task}.wasm"
    path.write_bytes(TASKS[task].wasm)
    return Envoy.from_yaml(json.dumps(chains.bootstrap({"all": [chains.wasm(path)]}), indent=1))


def test_a_header_is_added(tmp_path: Path) -> None:
    one = envoy(tmp_path, "add_header")
    one.get("/")
    assert sum("env.proxy_add_header_map_value(" in line.text for line in one.abi_trace()) == 1


@pytest.mark.parametrize(
    ("token", "status"), [("secret", 200), ("secreT", 403), ("secrets", 403), ("", 403), (None, 403)]
)
def test_only_the_right_token_passes(tmp_path: Path, token: str | None, status: int) -> None:
    headers = {} if token is None else {"authorization": token}
    assert envoy(tmp_path, "check_token").get("/", headers=headers).status == status


def test_requests_are_counted(tmp_path: Path) -> None:
    one = envoy(tmp_path, "count_metric")
    for _ in range(3):
        one.get("/")
    assert one.stats()["wasmcustom.shared"] == 3


def test_a_body_is_put_in_the_place_of_another(tmp_path: Path) -> None:
    one = envoy(tmp_path, "rewrite_body")
    assert one.send(Request(None, "POST", "/", "example.com", body="x" * 1_000)).status == 200
    calls = [event for _, _, _, event in one.abi_trace() if isinstance(event, Crossing)]
    (call,) = (each for each in calls if each.text.startswith("[vm->host] env.proxy_set_buffer_bytes("))
    assert call.values[2] == 1_000
    assert call.contents[0].data == b'{"user": "withheld"}'


@pytest.mark.envoy
def test_the_real_envoy_takes_each_filter_and_answers_alike(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    made = {}
    for name, task in TASKS.items():
        filters = (task.native, chains.wasm(bench.module(name, task.wasm)), chains.lua(task.lua))
        made |= {(name, engine): (each,) for engine, each in zip(ENGINES, filters, strict=True)}
    with bench.envoy({" ".join(key): filters for key, filters in made.items()}) as running:
        for name, engine in made:
            load = Load(running.ports[f"{name} {engine}"], 1, TASKS[name].request)
            assert load.run(0) == 1
            load.close()
