"""Random guests in the simulator and in the real Envoy: do the two agree?

A line a batch goes to standard error, a JSON line a difference to standard output; with ``--coverage`` a table of what
the real Envoy executed, and a failure where that is too little. The exit status is 1 when something differs or is not
covered, 2 when there is no real Envoy. A seed on which the real Envoy crashes is named and is no failure.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console

from meshsim.errors import ReferenceUnavailable
from meshsim.reference.envoy import find_envoy
from tests.fuzz.cells import Cell
from tests.fuzz.coverage import LEAST, missing, show
from tests.fuzz.judge import Judgement, judge

INTERRUPTED = 130
#: Wide enough for the table, also where standard error is no terminal.
_WIDTH = 420


def judge_all(seeds: Sequence[int], size: int, jobs: int, keep: Path | None) -> Iterator[Judgement]:
    """Judge batches of so many seeds, several at a time."""
    batches = [seeds[at : at + size] for at in range(0, len(seeds), size)]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(partial(judge, batch, keep)) for batch in batches]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def run(seeds: Sequence[int], size: int, jobs: int, keep: Path | None) -> tuple[Counter[str], Counter[Cell]]:
    """Judge every seed, say so, and count the verdicts and what was executed."""
    words: Counter[str] = Counter()
    counts: Counter[Cell] = Counter()
    begun = time.monotonic()
    for judgement in judge_all(seeds, size, jobs, keep):
        counts += judgement.counts
        for verdict in judgement.verdicts:
            words[verdict.word] += len(verdict.seeds)
            words["failed"] += verdict.failed
            if verdict.failed:
                line = {"seeds": verdict.seeds, "verdict": verdict.word, "where": verdict.where, "first": verdict.first}
                print(json.dumps(line), flush=True)
            if verdict.word != "ok":
                print(f"seeds {' '.join(map(str, verdict.seeds))}: {verdict.word}", file=sys.stderr, flush=True)
        passed = sum(count for word, count in words.items() if word != "failed")
        print(f"{passed} of {len(seeds)} seeds, {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    return words, counts


def _seeds(text: str) -> range:
    first, _, end = text.partition(":")
    return range(int(first), int(end)) if end else range(int(first), int(first) + 1)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "--seeds", type=_seeds, default="0:60", metavar="FROM:TO", help="the seeds, without TO; or one seed"
    )
    parser.add_argument("--batch", type=int, default=20, metavar="N", help="seeds in one Envoy (20)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="Envoys at a time (2)")
    parser.add_argument("--coverage", action="store_true", help=f"fail where a cell has less than {LEAST} calls")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave the files of each batch in DIR")
    return parser


def main() -> int:
    arguments = _options().parse_args()
    try:
        find_envoy()
        words, counts = run(arguments.seeds, arguments.batch, arguments.jobs, arguments.keep)
    except ReferenceUnavailable as unavailable:
        print(unavailable, file=sys.stderr)
        return unavailable.exit_status
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    failed = words.pop("failed", 0)
    print(", ".join(f"{word}: {count}" for word, count in sorted(words.items())), file=sys.stderr)
    if arguments.coverage:
        failed += _cover(counts)
    return int(failed > 0)


def _cover(counts: Counter[Cell]) -> int:
    console = Console(width=_WIDTH)
    show(counts, console)
    lacking = missing(counts)
    for (function, phase, class_), count in lacking:
        console.print(f"too little: {function} in {phase}, {class_}: {count} of {LEAST}")
    console.print(f"{sum(counts.values())} calls; {len(lacking)} cells have less than {LEAST}")
    return len(lacking)


if __name__ == "__main__":
    sys.exit(main())
