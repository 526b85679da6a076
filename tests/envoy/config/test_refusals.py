"""What meshsim says to several hundred bootstraps, held against what the real Envoy said to the same."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from meshsim.envoy.config import ConfigRefused, normal_refusal
from meshsim.envoy.loader import parse_bootstrap
from meshsim.errors import UnmodelledField


def _load_cases() -> Any:
    spec = importlib.util.spec_from_file_location("refusal_cases", Path(__file__).with_name("cases.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


recorded = _load_cases()
CASES = recorded.cases()
ENVIRONMENT = {"HOME": "/root"}

NOT_MODELLED = (
    "1 filter chain(s) specified for connection-less UDP listener",
    "HTTP/3 codec configured on non-QUIC listener",
    "is not valid for Cluster type ORIGINAL_DST",
    "node 'id' and 'cluster' are required",
)
"""Refusals of what meshsim does not model in any case."""


def outcome(bootstrap: str, *, ignore_unmodelled: bool = True) -> ConfigRefused | None:
    try:
        parse_bootstrap(bootstrap, ignore_unmodelled=ignore_unmodelled, environment=ENVIRONMENT)
    except ConfigRefused as refused:
        return refused
    return None


@pytest.mark.parametrize("case", [case for case in CASES if case.says is None], ids=str)
def test_what_envoy_accepts_is_accepted(case: Any) -> None:
    refused = outcome(case.bootstrap)

    assert refused is None, refused


@pytest.mark.parametrize(
    "case",
    [
        case
        for case in CASES
        if case.says
        and "Unable to create Wasm plugin" not in case.says
        and not any(w in case.says for w in NOT_MODELLED)
    ],
    ids=str,
)
def test_what_envoy_refuses_is_refused_in_its_words(case: Any) -> None:
    refused = outcome(case.bootstrap)

    assert refused is not None
    assert refused.envoy_says == case.says
    assert (refused.after_plugins > 0) == case.ran
    assert (refused.bootstrap is not None) == case.ran


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.says and any(words in case.says for words in NOT_MODELLED)], ids=str
)
def test_what_is_not_modelled_is_called_that_even_if_envoy_refuses_it(case: Any) -> None:
    with pytest.raises(UnmodelledField):
        parse_bootstrap(case.bootstrap)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.says and "Unable to create Wasm plugin" in case.says], ids=str
)
def test_what_the_plugin_itself_fails_at_is_left_to_the_plugin(case: Any) -> None:
    refused = outcome(case.bootstrap)

    assert refused is None or refused.after_plugins > 0


def test_a_refusal_names_file_line_and_path() -> None:
    with pytest.raises(ConfigRefused) as caught:
        parse_bootstrap("node:\n  id: a\n  nope: 1\n", "my.yaml")

    assert caught.value.where == "my.yaml:3: node"
    assert "no such field: 'nope'" in str(caught.value)
    assert caught.value.exit_status == 2


def test_a_type_error_comes_before_an_unknown_field() -> None:
    refused = outcome("nope: 1\nnode: {id: 5}\n")

    assert refused is not None
    assert refused.envoy_says.startswith("Unable to parse JSON as proto")


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        (
            "error initializing configuration 'a.yaml': Protobuf message (type envoy.config.bootstrap.v3.Bootstrap "
            "reason INVALID_ARGUMENT: invalid JSON   in  envoy.config.bootstrap.v3.Bootstrap, near  1:893 (offset 892):"
            "   no such field: 'nope') has unknown fields",
            "Protobuf message (type envoy.config.bootstrap.v3.Bootstrap reason INVALID_ARGUMENT: invalid JSON in "
            "envoy.config.bootstrap.v3.Bootstrap, near: no such field: 'nope') has unknown fields",
        ),
        (
            "error `route: unknown cluster 'nope'` initializing config 'goo.gle/debugonly  \n  envoy.yaml'",
            "route: unknown cluster 'nope'",
        ),
        (
            'goo.gle/debugproto   \nstat_prefix: "x: Proto"\n: Proto constraint validation failed (A: b)',
            "Proto constraint validation failed (A: b)",
        ),
        (
            "Unable to parse JSON as proto (INVALID_ARGUMENT: invalid number: 'abc'): {\"static_resources\":{}}",
            "Unable to parse JSON as proto (INVALID_ARGUMENT: invalid number: 'abc')",
        ),
        ("Address must be set: goo.gle/debugstr  \n. Consider this", "Address must be set. Consider this"),
    ],
)
def test_what_changes_from_run_to_run_is_taken_out(text: str, normal: str) -> None:
    assert normal_refusal(text) == normal


@pytest.mark.envoy
def test_a_sample_of_the_recorded_answers_is_still_what_envoy_says() -> None:
    from meshsim.reference.envoy import find_envoy

    envoy = find_envoy()
    for case in CASES[::40]:
        assert recorded.ask(envoy, case.bootstrap) == (case.says, case.ran), str(case)
