"""Every lesson in kernels of its own: ``python -m tests.notebooks [--changed] [NN...]``, or ``make test-notebooks``.

A lesson's learner version runs from top to bottom and passes no check. Its source passes all of them, also with the
other sets of parameters that its plan names. Each run stays under :data:`MOST_S` and :data:`MOST_BYTES`; a cell that
takes long says so; no output has an error or a path of this machine. Other notebooks are only run.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from meshsim.lab.lessons.lesson import plan_of
from meshsim.lab.lessons.release import NOTEBOOKS, read, sources
from tests.notebooks.kernels import Run, errors_of, run, text_of, with_parameters

MOST_S, MOST_BYTES = 60.0, 700_000_000
#: A cell that keeps the kernel busy for longer says so, in these words.
LONG_S, SAYS_SO = 3.0, "takes about"
#: Below these, a change concerns all lessons.
MACHINERY = ("meshsim/lab/lessons/", "tests/notebooks/")
_FOLDERS = {str(Path.home()), str(Path.cwd()), sysconfig.get_path("purelib"), "/tmp/"}
_PATHS = re.compile("|".join(map(re.escape, sorted(_FOLDERS))))
#: What of the name of a lesson's file says its number.
_NUMBER = re.compile(r"(?:^notebooks/(?:solutions/)?|lesson_|files/)(\d\d)")


@dataclass(frozen=True, slots=True)
class Job:
    """A notebook to run: which, with which parameters, and which exercises it must solve (None: it is no lesson)."""

    name: str
    path: Path
    lesson: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    solves: frozenset[str] = frozenset()

    def run(self) -> Run:
        """Run it."""
        notebook = read(self.path)
        return run(with_parameters(notebook, self.parameters) if self.parameters else notebook, self.lesson)


def jobs_of(source: Path) -> Iterator[Job]:
    """The runs of one lesson."""
    number = source.name[:2]
    plan = plan_of(number)
    every = frozenset(exercise.number for exercise in plan.exercises)
    yield Job(f"{number} learner", source.parent.parent / source.name, number)
    for parameters in ({}, *plan.variants):
        words = " ".join(f"{name}={value}" for name, value in parameters.items())
        yield Job(f"{number} solution {words}".strip(), source, number, parameters, every)


def faults(job: Job, done: Run) -> Iterator[str]:
    """What is wrong with a run."""
    for cell, busy_s in zip(done.cells, done.busy_s, strict=True):
        for error in errors_of(cell):
            yield f"{cell['id']}: {error}"
        if found := _PATHS.search(text_of(cell)):
            yield f"{cell['id']}: a path of this machine is in its output: {found[0]}"
        if busy_s > LONG_S and SAYS_SO not in cell["source"]:
            yield f"{cell['id']}: takes {busy_s:.1f} s and does not say so"
    if done.took_s > MOST_S:
        yield f"took {done.took_s:.0f} s, more than {MOST_S:.0f}"
    if done.peak_bytes > MOST_BYTES:
        yield f"took {done.peak_bytes / 1e6:.0f} MB, more than {MOST_BYTES / 1e6:.0f}"
    if missing := sorted(job.solves - done.passed):
        yield f"not passed: {', '.join(missing)}"
    if given := sorted(done.passed - job.solves):
        yield f"passed without a solution: {', '.join(given)}"


def changed(since: str) -> list[str] | None:
    """Numbers of the lessons that were changed after a commit; None: all."""
    done = subprocess.run(["git", "diff", "--name-only", since], capture_output=True, text=True, check=False)
    if done.returncode:
        return None  # a clone without history
    files = done.stdout.splitlines()
    numbers = {found[1] for file in files if (found := _NUMBER.search(file))}
    if any(file.startswith(MACHINERY) and not _NUMBER.search(file) for file in files):
        return None
    return sorted(numbers)


def chosen(options: argparse.Namespace) -> Iterator[Job]:
    """The runs that were asked for."""
    numbers: list[str] | None = options.number or (changed(options.since) if options.changed else None)
    lessons = sources(NOTEBOOKS)
    for source in lessons:
        if numbers is None or source.name[:2] in numbers:
            yield from jobs_of(source)
    if not options.number:
        names = {source.name for source in lessons}
        for path in sorted(NOTEBOOKS.glob("*.ipynb")):
            if path.name not in names:
                yield Job(path.stem, path)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 1 when something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.notebooks", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("number", nargs="*", help="of a lesson; without: all, and the other notebooks")
    parser.add_argument("--changed", action="store_true", help="only lessons that changed since --since")
    parser.add_argument("--since", default="HEAD~1", metavar="COMMIT")
    bad = 0
    for job in chosen(parser.parse_args(arguments)):
        done = job.run()
        wrong = list(faults(job, done))
        bad += bool(wrong)
        print(
            f"{'FAULTY' if wrong else 'well':<7}{job.name:<32}{done.took_s:>6.1f} s {done.peak_bytes / 1e6:>6.0f} MB"
            f"  {len(done.passed)} of {len(plan_of(job.lesson).exercises) if job.lesson else 0} checks passed",
            *(f"\n       {fault}" for fault in wrong),
            flush=True,
        )
    print("something is wrong" if bad else "all well")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
