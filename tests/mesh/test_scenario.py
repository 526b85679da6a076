"""Scenario files: what they make, and that every mistake is shown where it was made."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from meshsim.errors import ConfigError
from meshsim.mesh import actions
from meshsim.mesh.load import ClosedLoop, OpenLoop, Phases, Trace
from meshsim.mesh.mesh import Mesh
from meshsim.mesh.places import Mistakes, changed
from meshsim.mesh.scenario import Scenario, parse_scenario
from meshsim.mesh.scenario_loader import bundled, check_scenario, load_scenario
from meshsim.mesh.scenario_model import ScenarioModel, ServicePart, TrafficPart, json_schema
from meshsim.mesh.times import Constant, Exponential
from meshsim.mesh.topology import Retry, Service, Traffic

SHOP = "topology: {services: [{name: shop, isEntrypoint: true, script: [{call: db}]}, {name: db}]}\n"
LOAD = "load: {open: {rate: 100}}\n"
WASM = b"\0asm\1\0\0\0"


def _files(name: str) -> bytes:
    found = {"a.wasm": WASM, "b.wasm": WASM, "no.wasm": b"text", "t.csv": b"time_s\n0.5\n1.5\n"}
    if name not in found:
        raise ConfigError("no such file", name)
    return found[name]


def _parse(text: str) -> Scenario:
    return parse_scenario(SHOP + text, "shop.yaml", _files)


def _mistakes(text: str) -> list[str]:
    with pytest.raises(Mistakes) as caught:
        parse_scenario(text, "s.yaml", _files)
    return [f"{mistake.line} {mistake.path}: {mistake.what}; {mistake.remedy}" for mistake in caught.value.mistakes]


# --- what is made ---


def test_a_whole_scenario() -> None:
    made = _parse(
        LOAD
        + """\
name: sale
title: A sale
look_for: the tail
seed: 5
duration: 30s
warmup: 1500ms
gateway: true
proxies: sidecar
network: {latency: 1ms, loss: 0.01, zones: [{between: [a, b], latency: exponential(5ms)}], tls: true}
services:
  db: {replicas: 3, zones: [a, b], service_time: exponential(2ms), queue: 9}
  '*':
    workers: 4
    replicas: 2
    traffic: {policy: LEAST_REQUEST, retry: {retry_on: 5xx, num_retries: 2, per_try_timeout: 50ms}}
plugins:
  - {module: a.wasm, services: [shop, gateway], configuration: {a: 1}, fail_policy: FAIL_OPEN}
  - {name: second, module: b.wasm, direction: both}
timeline:
  - {at: 1s, roll_out: {service: shop, plugin: second, module: a.wasm, pause: 2s}}
  - {at: 2s, crash_worker: {pod: db-2, down: 3s}}
  - {at: 3s, add_latency: {where: b, by: 40ms}}
  - {at: 4s, set_fault: {service: db, error_rate: 0.5}}
  - {at: 5s, scale: {service: db, replicas: 6}}
  - {at: 6s, partition: {between: [a, b], lasts: 1s}}
"""
    )
    assert (made.name, made.title, made.look_for, made.seed) == ("sale", "A sale", "the tail", 5)
    assert (made.seconds, made.warmup) == (30.0, 1.5)
    assert made.load == OpenLoop(100)
    mesh = made.mesh
    shop, db = mesh.topology["shop"], mesh.topology["db"]
    assert (shop.replicas, shop.workers, db.replicas, db.workers) == (2, 4, 3, 4), "'*' first, names over it"
    assert (db.service_time, db.queue, db.zones) == (Exponential(2_000_000), 9, ("a", "b"))
    assert (db.traffic.policy, db.traffic.retry) == ("LEAST_REQUEST", Retry("5xx", 2, 50_000_000))
    assert mesh.gateway
    assert mesh.network.link("a", "b").latency == Exponential(5_000_000)
    assert (mesh.network.default.latency, mesh.network.default.loss) == (Constant(1_000_000), 0.01)
    assert mesh.network.tls is not None
    assert [(found.name, found.configuration, found.fail_policy) for found in mesh.filters["gateway"]] == [
        ("a", '{"a": 1}', "FAIL_OPEN")
    ]
    assert [found.name for found in mesh.filters["shop"]] == ["a", "second"]
    assert [found.name for found in mesh.filters["db"]] == ["second"]
    assert mesh.timeline == (
        (1_000_000_000, actions.RollOut("shop", "second", WASM, None, 2_000_000_000)),
        (2_000_000_000, actions.CrashWorker("db-2", "worker_0", 3_000_000_000)),
        (3_000_000_000, actions.AddLatency("b", 40_000_000)),
        (4_000_000_000, actions.SetFault("db", 0.5, 0)),
        (5_000_000_000, actions.Scale("db", 6)),
        (6_000_000_000, actions.Partition("a", "b", 1_000_000_000)),
    )


@pytest.mark.parametrize(
    ("load", "made"),
    [
        ("open: {rate: 5, arrivals: constant, burst: 2, connections: 3}", OpenLoop(5, "constant", 2, 3)),
        ("closed: {users: 3, think: 10ms}", ClosedLoop(3, Constant(10_000_000))),
        ("closed: {users: 3}", ClosedLoop(3)),
        ("phases: [{lasts: 1500ms, rate: 5}, {lasts: 1s, rate: 9}]", Phases(((1.5, OpenLoop(5)), (1.0, OpenLoop(9))))),
        ("trace: {file: t.csv, connections: 2}", Trace((500_000_000, 1_500_000_000), 2)),
    ],
)
def test_every_kind_of_load(load: str, made: object) -> None:
    assert _parse(f"load: {{{load}}}\n").load == made


def test_a_scenario_runs() -> None:
    made = _parse(LOAD + "proxies: none\nduration: 2s\nseed: 3\n")
    result = made.run()
    assert result.seed == 3
    assert result.services == ("shop", "db") or list(result.services) == ["shop", "db"]
    assert result.latency.count > 150
    assert made.run().digest() == result.digest()
    assert made.run(seed=4).digest() != result.digest()


def test_every_field_of_the_core_can_be_said() -> None:
    """A field that the core gets must get a word here, too, or a reason."""
    said = {"name", "script", "is_entry"}  # what isotope's part of the file says
    assert {field.name for field in fields(Service)} - set(ServicePart.model_fields) == said
    assert {field.name.removesuffix("_ns") for field in fields(Traffic)} == set(TrafficPart.model_fields)
    unsaid = {"filters", "costs", "timeline", "topology", "network"}  # made of several words, or not of a file
    assert {field.name for field in fields(Mesh)} - set(ScenarioModel.model_fields) <= unsaid


# --- mistakes ---


def test_every_mistake_of_form_is_shown_with_its_line() -> None:
    text = """\
topology: {services: [{name: shop}]}
servces: 3
services:
  shop:
    workrs: 3
    replicas: 0
load:
  open: {rate: -5, arrivals: weekly}
warmup: 20
timeline:
  - at: 3s
  - {at: 5s, scale: {service: shop}}
plugins:
  - module: 7
"""
    assert _mistakes(text) == [
        "2 servces: no such field; did you mean services?",
        "5 services.shop.workrs: no such field; did you mean workers?",
        "6 services.shop.replicas: Input should be greater than or equal to 1; ",
        "8 load.open.rate: Input should be greater than 0; ",
        "8 load.open.arrivals: Input should be 'poisson' or 'constant'; ",
        "9 warmup: a time has a unit, as in 20ms; ",
        "11 timeline[0]: exactly one of roll_out, crash_worker, add_latency, set_fault, scale, partition is wanted, "
        "not none; ",
        "12 timeline[1].scale.replicas: is missing; ",
        "14 plugins[0].module: Input should be a valid string; ",
    ]


def test_everything_that_does_not_fit_together_is_shown_with_its_line() -> None:
    text = """\
topology: {services: [{name: shop}, {name: db}]}
load: {trace: {file: nope.csv}}
duration: 10s
warmup: 10s
services:
  dbb: {workers: 1}
plugins:
  - {module: missing.wasm, services: [shp]}
  - {module: no.wasm}
  - {module: a.wasm, name: good, services: [shop]}
timeline:
  - {at: 11s, scale: {service: db, replicas: 2}}
  - {at: 1s, crash_worker: {pod: db}}
  - {at: 1s, add_latency: {where: mars, by: 1ms}}
  - {at: 1s, roll_out: {service: shop, plugin: god, module: a.wasm}}
  - {at: 1s, set_fault: {service: nope}}
  - {at: 1s, partition: {between: [a, b], lasts: 1s}}
"""
    assert _mistakes(text) == [
        "2 load: nope.csv: no such file; ",
        "4 warmup: leaves nothing of the duration; make it shorter",
        "6 services.dbb: no service 'dbb'; did you mean db?",
        "8 plugins[0].services[0]: no service 'shp'; did you mean shop?",
        "8 plugins[0].module: missing.wasm: no such file; ",
        "9 plugins[1].module: no.wasm: no Wasm module; name a .wasm file",
        "12 timeline[0].at: the load has ended by then; make the duration longer, or this earlier",
        "13 timeline[1].crash_worker.pod: no pod 'db'; did you mean db-0?",
        "14 timeline[2].add_latency.where: 'mars' is no zone and no service; there are: shop, db",
        "15 timeline[3].roll_out.plugin: 'shop' has no plugin 'god'; did you mean good?",
        "16 timeline[4].set_fault.service: no service 'nope'; there are: shop, db",
        "17 timeline[5].partition.between[0]: no zone 'a'; ",
        "17 timeline[5].partition.between[1]: no zone 'b'; ",
    ]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("[1]", "a scenario is a mapping"),
        ("", "a scenario is a mapping"),
        (LOAD, "topology: is missing"),
        (SHOP, "load: is missing"),
        (SHOP + "load: {open: {rate: 1}, closed: {users: 1}}", "load: exactly one of open, closed, phases, trace is"),
        (SHOP + LOAD + "duration: fast", "'fast' is no duration"),
        (SHOP + LOAD + "services: {db: {service_time: normal(1ms)}}", "no distribution 'normal'"),
        (SHOP + LOAD + "services: {db: {replicas: 1}, db: {replicas: 2}}", "is there twice"),
        ("topology: {services: [{name: a, script: [{call: b}]}]}\n" + LOAD, "'b'"),
        ("topology: nope.yaml\n" + LOAD, "nope.yaml: no such file"),
        (SHOP + LOAD + "proxies: none\nplugins: [{module: a.wasm}]", "there are no proxies"),
    ],
)
def test_a_mistake_says_what_it_is(text: str, mistake: str) -> None:
    assert mistake in "\n".join(_mistakes(text))


@pytest.mark.parametrize("text", ["a: [", "a: !!python/object:os.system {}", "{? [a] : b}", "a: &a [*a]"])
def test_what_is_not_yaml_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_scenario(text)


def test_a_change_stands_where_it_is_put() -> None:
    value = {"a": [{"b": 1}, {"b": 2}]}
    assert changed(value, ("a", 1, "b"), 9) == {"a": [{"b": 1}, {"b": 9}]}
    assert changed(value, ("c", "d"), 1) == {**value, "c": {"d": 1}}
    assert value == {"a": [{"b": 1}, {"b": 2}]}
    for path in (("a", 2), ("a", "b"), ("a", 0, "b", "c")):
        with pytest.raises(ConfigError, match="there is no"):
            changed(value, path, 0)


# --- the schema, and the scenarios that come along ---


def test_the_published_schema_is_current(repository: Path) -> None:
    published = (repository / "docs" / "scenario.schema.json").read_text(encoding="utf-8")
    assert published == json.dumps(json_schema(), indent=2) + "\n", (
        "python -m meshsim.mesh.scenario_model > docs/scenario.schema.json"
    )
    Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("name", bundled())
def test_a_bundled_scenario_is_right_and_tells_what_to_look_for(name: str) -> None:
    path = bundled()[name]
    assert check_scenario(path) == ()
    scenario = load_scenario(name)
    assert scenario.name == name
    assert scenario.title
    assert len(scenario.look_for.split()) >= 60
    Draft202012Validator(json_schema()).validate(yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "text", ["load: {open: {rate: -1}}", "load: {}", "duration: fast", "nope: 1", "timeline: [{at: 1s}]"]
)
def test_the_schema_refuses_what_meshsim_refuses(text: str) -> None:
    value = yaml.safe_load(SHOP) | {"load": {"open": {"rate": 1}}} | yaml.safe_load(text)
    assert not Draft202012Validator(json_schema()).is_valid(value)
    with pytest.raises(Mistakes):
        parse_scenario(yaml.safe_dump(value))


def test_a_folder_of_the_name_does_not_hide_a_bundled_scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "knee").mkdir()  # as `meshsim sweep knee --out knee` leaves it
    assert load_scenario("knee").title == load_scenario(bundled()["knee"]).title


def test_there_is_a_scenario_for_every_question() -> None:
    assert len(bundled()) >= 10
