from __future__ import annotations

from collections import Counter

import pytest

from tests.loaderfuzz.__main__ import main
from tests.loaderfuzz.judge import JUDGES, Judge, Verdict, config_mutant, judge_config, judge_module, module_mutant
from tests.loaderfuzz.modules import split
from tests.loaderfuzz.pool import judge_all
from tests.loaderfuzz.specimens import crashes_at_seven, good, hangs_at_three

SLICE = range(100)


def test_a_seed_alone_makes_the_mutants() -> None:
    assert module_mutant(5) == module_mutant(5)
    assert config_mutant(5) == config_mutant(5)
    assert len({module_mutant(seed).data for seed in range(20)}) > 15
    assert len({config_mutant(seed).bootstrap + config_mutant(seed).requests for seed in range(20)}) > 15


def test_a_module_is_put_together_as_it_was() -> None:
    data = next(iter(module_mutant(0).case.modules().values()))
    assert data[:8] + b"".join(section.bytes() for section in split(data)) == data


@pytest.mark.parametrize("part", range(5))
def test_broken_modules_end_in_words(part: int) -> None:
    verdicts = [judge_module(seed) for seed in SLICE[part::5]]
    assert [verdict.detail for verdict in verdicts if verdict.failed] == []


@pytest.mark.parametrize("part", range(5))
def test_broken_configurations_end_in_words(part: int) -> None:
    verdicts = [judge_config(seed) for seed in SLICE[part::5]]
    assert [verdict.detail for verdict in verdicts if verdict.failed] == []


@pytest.mark.parametrize("judge", [judge_module, judge_config])
def test_some_mutants_are_refused_and_some_run(judge: Judge) -> None:
    words = Counter(judge(seed).word for seed in range(60))
    assert words["ran"] >= 3
    assert words["refused"] >= 10


def test_a_crash_is_seen_and_named_and_the_rest_goes_on() -> None:
    work = [("crashes", seed) for seed in range(10)]
    outcomes = list(judge_all(work, 1, {"crashes": crashes_at_seven}))
    assert sorted(outcome.seed for outcome in outcomes) == list(range(10))
    [crash] = [outcome for outcome in outcomes if outcome.verdict.failed]
    assert (crash.kind, crash.seed, crash.verdict) == ("crashes", 7, Verdict("crashed", "the process ended with -11"))


def test_a_mutant_that_hangs_is_named_and_the_rest_goes_on() -> None:
    work = [("hangs", seed) for seed in range(5)] + [("good", seed) for seed in range(5)]
    outcomes = list(judge_all(work, 1, {"hangs": hangs_at_three, "good": good}))
    assert len(outcomes) == 10
    assert [(o.kind, o.seed, o.verdict.word) for o in outcomes if o.verdict.failed] == [("hangs", 3, "hung")]


def test_the_command_counts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["loaderfuzz", "--seeds", "3", "--kind", "module"])
    monkeypatch.setitem(JUDGES, "module", lambda seed: Verdict("broken", f"seed {seed}"))
    assert main() == 1
    out, err = capsys.readouterr()
    assert '"seed": 3' in out
    assert err.split() == ["module", "broken", "1"]
