"""Streams: golden values, independence, and the same numbers in every process."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.sim import Streams, confidence_interval, random


def test_golden_values() -> None:
    # Fixed for ever: a change here changes every recorded run. The first is what Python itself promises to keep.
    load = Streams(7).stream("load")
    assert [load.random() for _ in range(3)] == [0.3224770867826927, 0.1883530294417446, 0.5405277223782096]
    assert load.getrandbits(64) == 94245557437771725
    assert load.randbytes(8).hex() == "479c41573330768b"
    assert Streams(7).child("proxy").stream("load").random() == 0.6871415835797874
    assert Streams(-1).stream("load").random() == 0.5658871121343628


def test_golden_variates() -> None:
    # numpy keeps its bit generators but not its distributions for ever; if this fails, a new numpy changed them.
    streams = Streams(7)
    assert list(islice(streams.exponential_ns("arrivals", 1e6), 4)) == [229161, 480196, 1353636, 633980]
    assert list(islice(streams.uniform_ns("jitter", 10, 20), 8)) == [11, 11, 15, 10, 19, 14, 10, 13]
    assert list(islice(streams.lognormal_ns("service", 1e6, 0.5), 4)) == [735106, 555956, 1121035, 432512]


DRAW = """
from itertools import islice
from meshsim.sim import Streams
streams = Streams(3)
print(streams.stream("a").randbytes(8).hex(), *islice(streams.exponential_ns("b", 1e9), 3))
"""


def test_the_hash_seed_of_the_process_does_not_matter() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", DRAW],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(outputs) == 1


def test_importing_does_not_load_numpy_or_pandas() -> None:
    loaded = "import sys, meshsim.sim; sys.exit(' '.join({'numpy', 'pandas'} & sys.modules.keys()) or 0)"
    subprocess.run([sys.executable, "-c", loaded], check=True)


@given(st.integers(), st.lists(st.text(max_size=5), min_size=2, unique=True))
def test_a_stream_does_not_see_the_others(seed: int, names: list[str]) -> None:
    together = Streams(seed)
    drawn = {name: together.stream(name).random() for name in names}
    assert len(set(drawn.values())) == len(names)
    assert drawn == {name: Streams(seed).stream(name).random() for name in reversed(names)}


def test_seeds_names_children_and_kinds_are_all_apart() -> None:
    root = Streams(1)
    firsts = [
        root.stream("a").random(),
        root.child("a").stream("a").random(),
        root.child("a").child("a").stream("a").random(),
        root.child("b").stream("a").random(),
        Streams(2).stream("a").random(),
        Streams(-1).stream("a").random(),
        next(root.variates("a", lambda generator, n: generator.random(n))),
    ]
    assert len(set(firsts)) == len(firsts)


def test_a_name_asked_for_again_goes_on_where_it_was() -> None:
    streams = Streams(1)
    first, second = streams.stream("a").random(), streams.stream("a").random()
    assert first != second
    assert streams.child("x").stream("a").random() != streams.child("x").stream("a").random()


@pytest.mark.parametrize("block", [1, 7, 4096])
def test_variates_do_not_depend_on_the_block(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = list(islice(Streams(5).lognormal_ns("service", 1e6, 0.7), 50))
    monkeypatch.setattr(random, "BLOCK", block)
    assert list(islice(Streams(5).lognormal_ns("service", 1e6, 0.7), 50)) == expected


def test_variates_have_the_distribution_they_are_named_for() -> None:
    streams, count = Streams(11), 20_000
    exponential = list(islice(streams.exponential_ns("e", 1e6), count))
    uniform = list(islice(streams.uniform_ns("u", 10, 20), count))
    lognormal = sorted(islice(streams.lognormal_ns("l", 1e6, 0.5), count))
    assert 1e6 in confidence_interval(exponential, 0.99)
    assert 1e6**2 * 2 in confidence_interval((value**2 for value in exponential), 0.99)
    assert 15 in confidence_interval(uniform, 0.99)
    assert set(uniform) == set(range(10, 21))
    assert lognormal[count // 2] == pytest.approx(1e6, rel=0.02)
    assert {type(value) for value in (*exponential, *uniform, *lognormal)} == {int}
