"""Whatever stands in a bootstrap, reading it ends with models or with one of meshsim's own errors."""

from __future__ import annotations

import contextlib
import copy
import json
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from meshsim.envoy.config.coverage import models
from meshsim.envoy.config.schema import known_schema
from meshsim.envoy.loader import parse_bootstrap
from meshsim.errors import MeshsimError

TREE = yaml.safe_load(Path(__file__).with_name("everything.yaml").read_text(encoding="utf-8"))
NAMES = sorted(
    {name for message in models() if message in known_schema() for name in known_schema().message(message).fields}
)

scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["1s", "%REQ(", "[", "*"])
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.just("@type"), inner, max_size=3)
    ),
    max_leaves=8,
)


def paths(tree: Any) -> list[list[Any]]:
    """All places in a tree."""
    keys: list[Any] = []
    if isinstance(tree, dict):
        keys = list(tree)
    elif isinstance(tree, list):
        keys = list(range(len(tree)))
    return [[key, *rest] for key in keys for rest in [[], *paths(tree[key])]]


PLACES = paths(TREE)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), values), min_size=1, max_size=3))
def test_a_changed_bootstrap_never_breaks_the_reader(changes: list[tuple[list[Any], Any]]) -> None:
    tree = copy.deepcopy(TREE)
    for path, value in changes:
        place = tree
        try:
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = value
        except (TypeError, KeyError, IndexError):
            continue  # an earlier change took the place away

    for ignore in (False, True):
        with contextlib.suppress(MeshsimError):
            parse_bootstrap(json.dumps(tree), ignore_unmodelled=ignore, environment={})


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="{}[]:,-&*!|>'\"% \n\tab0~#@?", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(MeshsimError):
        parse_bootstrap(text, environment={})
