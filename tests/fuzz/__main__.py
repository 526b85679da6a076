"""Random guests, chains and requests, in the simulator and in the real Envoy: do the two agree?

A line a seed goes to standard error, a JSON line a difference to standard output. The exit status is 1 when something
differs, 2 when there is no real Envoy. A seed on which the real Envoy crashes is named and is no failure.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from meshsim.envoy.replay import replay
from meshsim.errors import MeshsimError, ReferenceUnavailable
from meshsim.reference.compare import compare, render
from meshsim.reference.envoy import find_envoy, run_envoy
from tests.fuzz.cases import write_case

INTERRUPTED = 130
# How meshsim.reference.envoy says that a signal ended Envoy.
_BY_SIGNAL = "Envoy was ended by"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a seed; ``first`` says what differs and is empty where that is nothing."""

    word: str
    first: str = ""
    where: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        return bool(self.first)


def judge(seed: int, folder: Path) -> Verdict:
    """Write the case of a seed into a folder, run it on both sides and compare."""
    case = write_case(seed, folder)
    requests = case.requests()
    try:
        truth = run_envoy(case.bootstrap, requests)
    except MeshsimError as error:
        return Verdict("envoy crashed") if _BY_SIGNAL in str(error) else Verdict("envoy failed", str(error))
    try:
        ours = replay(case.bootstrap, requests)
    except Exception as error:  # whatever it is, Envoy came through this case
        return Verdict("simulator failed", f"{type(error).__name__}: {error}")
    comparison = compare(ours, truth, case.scope(), concurrency=case.concurrency)
    if comparison.identical:
        return Verdict("ok")
    first = render(replace(comparison, differences=comparison.differences[:1]))
    return Verdict("differs", first, tuple(difference.where for difference in comparison.differences))


@contextlib.contextmanager
def _folder(seed: int, keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        yield keep / str(seed)
        return
    with tempfile.TemporaryDirectory(prefix="meshsim-fuzz-") as folder:
        yield Path(folder)


def run(seeds: range, keep: Path | None) -> Counter[str]:
    """Judge each seed, say so, and count the verdicts."""
    words: Counter[str] = Counter()
    for seed in seeds:
        with _folder(seed, keep) as folder:
            verdict = judge(seed, folder)
        words[verdict.word] += 1
        words["failed"] += verdict.failed
        if verdict.failed:
            line = {"seed": seed, "verdict": verdict.word, "where": verdict.where, "first": verdict.first}
            print(json.dumps(line), flush=True)
        print(f"seed {seed}: {verdict.word}", file=sys.stderr, flush=True)
    return words


def _seeds(text: str) -> range:
    first, _, end = text.partition(":")
    return range(int(first), int(end)) if end else range(int(first), int(first) + 1)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "--seeds", type=_seeds, default="0:20", metavar="FROM:TO", help="the seeds, without TO; or one seed"
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave the files of each seed in DIR/SEED")
    arguments = parser.parse_args()
    try:
        find_envoy()
        words = run(arguments.seeds, arguments.keep)
    except ReferenceUnavailable as missing:
        print(missing, file=sys.stderr)
        return missing.exit_status
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    return int(words["failed"] > 0)


if __name__ == "__main__":
    sys.exit(main())
