from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from meshsim.envoy.outcome import ReplayResult
from meshsim.envoy.replay import replay
from meshsim.envoy.requests import Request
from meshsim.errors import MeshsimError, NotModelled
from meshsim.reference.compare import compare, render
from meshsim.reference.envoy import run_envoy
from meshsim.reference.rules import Scope
from meshsim.wasm import parse_module
from meshsim.wasm.features import FEATURES
from tests.envoy.conftest import listener, plugin
from tests.features.__main__ import PAGE, page
from tests.features.guests import DIGITS, GUESTS, TRAPS, Guest

REQUESTS = [Request()]


def case(guest: Guest, folder: Path) -> Path:
    """A bootstrap with the guest in it."""
    (folder / "guest.wasm").write_bytes(guest.module)
    path = folder / "envoy.yaml"
    path.write_text(yaml.safe_dump({"static_resources": {"listeners": [listener([plugin()])]}}), encoding="utf-8")
    return path


def logged(result: ReplayResult) -> list[str]:
    return [text.removeprefix("wasm log p r: ") for _, _, text in result.logs]


def test_every_feature_has_a_guest() -> None:
    assert set(GUESTS) == set(FEATURES)


@pytest.mark.parametrize("name", FEATURES)
def test_a_guest_uses_its_feature(name: str) -> None:
    assert name in parse_module(GUESTS[name].module).features


@pytest.mark.parametrize("name", FEATURES)
def test_meshsim_does_as_the_table_says(name: str, tmp_path: Path) -> None:
    feature, guest = FEATURES[name], GUESTS[name]
    if feature.envoy and not feature.meshsim:
        with pytest.raises(NotModelled, match=name) as refused:
            replay(case(guest, tmp_path), REQUESTS)
        assert refused.value.remedy
        return
    result = replay(case(guest, tmp_path), REQUESTS)
    assert result.ready == feature.meshsim
    assert logged(result) == ([DIGITS[: guest.logged]] if feature.meshsim else [])


@pytest.mark.envoy
@pytest.mark.parametrize("name", FEATURES)
def test_envoy_does_as_the_table_says(name: str, tmp_path: Path) -> None:
    feature, guest = FEATURES[name], GUESTS[name]
    path = case(guest, tmp_path)
    truth = run_envoy(path, REQUESTS)
    assert truth.ready == feature.envoy
    assert logged(truth) == ([DIGITS[: guest.logged]] if feature.envoy else [])
    if feature.envoy == feature.meshsim:
        identical(replay(path, REQUESTS), truth, path)


@pytest.mark.envoy
@pytest.mark.parametrize("name", TRAPS)
def test_a_trap_reads_as_in_envoy(name: str, tmp_path: Path) -> None:
    path = case(TRAPS[name], tmp_path)
    ours, truth = replay(path, REQUESTS), run_envoy(path, REQUESTS)
    identical(ours, truth, path)
    assert [words for words in errors(ours) if words.startswith("Function: proxy_on_request_headers failed: ")]
    assert errors(ours) == errors(truth)


#: What a function may not take or give when it is exported: V8 cannot show it to Envoy, whose process ends.
HIDDEN = ("v128", "exnref", "i31ref", "structref")


@pytest.mark.parametrize("word", HIDDEN)
def test_a_type_that_v8_does_not_show_is_not_modelled(word: str, tmp_path: Path) -> None:
    guest = Guest("(i32.const 0)", 0, f'(func (export "shown") (param {word}))')
    with pytest.raises(NotModelled, match="it ends the real Envoy's process"):
        replay(case(guest, tmp_path), REQUESTS)


@pytest.mark.envoy
@pytest.mark.parametrize("word", HIDDEN)
def test_a_type_that_v8_does_not_show_ends_envoy(word: str, tmp_path: Path) -> None:
    guest = Guest("(i32.const 0)", 0, f'(func (export "shown") (param {word}))')
    with pytest.raises(MeshsimError, match="ended by SIGTRAP"):
        run_envoy(case(guest, tmp_path), REQUESTS)


@pytest.mark.parametrize("word", ["funcref", "externref", "f64"])
def test_other_types_may_be_exported(word: str, tmp_path: Path) -> None:
    guest = Guest("(i32.const 3)", 3, f'(func (export "shown") (param {word}))')
    assert logged(replay(case(guest, tmp_path), REQUESTS)) == ["012"]


def errors(result: ReplayResult) -> list[str]:
    return [text for _, level, text in result.other if level == "error"]


def identical(ours: ReplayResult, truth: ReplayResult, path: Path) -> None:
    comparison = compare(ours, truth, Scope.of_file(path))
    if not comparison.identical:
        pytest.fail(render(comparison), pytrace=False)


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.features"


def test_inspect_names_each_feature_and_who_takes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from meshsim.cli.app import main

    module = tmp_path / "guest.wasm"
    for name, feature in FEATURES.items():
        module.write_bytes(GUESTS[name].module)
        with pytest.raises(SystemExit):
            main(["inspect", str(module), "--json"])
        report = json.loads(capsys.readouterr().out)
        assert name in report["features"]
        assert report["feature_support"][name] == {
            "meaning": feature.meaning,
            "envoy": feature.envoy,
            "meshsim": feature.meshsim,
        }
        with pytest.raises(SystemExit):
            main(["inspect", str(module)])
        assert feature.takers in capsys.readouterr().out
