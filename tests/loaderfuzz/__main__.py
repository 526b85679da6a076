"""Broken modules and broken configurations: each must be refused in words, or run; nothing may crash or hang.

Seed N makes one mutant of a module and one of a configuration. They are judged in processes of their own, so that a
crash of the engine is seen and named. A JSON line a failure goes to standard output, the counts to standard error.
The exit status is 1 when something failed. One seed alone is judged right here, for a debugger.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter

from tests.loaderfuzz.judge import JUDGES
from tests.loaderfuzz.pool import Outcome, judge_all

INTERRUPTED = 130


def _seeds(text: str) -> range:
    first, _, end = text.partition(":")
    return range(int(first), int(end)) if end else range(int(first), int(first) + 1)


def _print(outcome: Outcome) -> None:
    if outcome.verdict.failed:
        line = {"kind": outcome.kind, "seed": outcome.seed, "verdict": outcome.verdict.word}
        print(json.dumps(line | {"detail": outcome.verdict.detail}), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.loaderfuzz", description=__doc__)
    parser.add_argument(
        "--seeds", type=_seeds, default="0:200", metavar="FROM:TO", help="the seeds, without TO; or one seed"
    )
    parser.add_argument("--kind", choices=[*JUDGES], help="only these")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes")
    arguments = parser.parse_args()
    kinds = [arguments.kind] if arguments.kind else [*JUDGES]
    work = [(kind, seed) for seed in arguments.seeds for kind in kinds]
    counts: Counter[tuple[str, str]] = Counter()
    status = 0
    try:
        alone = len(arguments.seeds) == 1
        outcomes = (Outcome(k, s, JUDGES[k](s)) for k, s in work) if alone else judge_all(work, arguments.jobs)
        for outcome in outcomes:
            _print(outcome)
            counts[outcome.kind, outcome.verdict.word] += 1
            status |= outcome.verdict.failed
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        status = INTERRUPTED
    for (kind, word), count in sorted(counts.items()):
        print(f"{kind:14} {word:30} {count:7}", file=sys.stderr)
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
