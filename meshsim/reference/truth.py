"""Record what the real Envoy does with each case of the tests, or check that it still does it.

``python -m meshsim.reference.truth CASE... | --all | --sample N --seed TEXT [--check] [--jobs N]``

A case is a folder with ``envoy.yaml``, ``requests.json`` and, where it is not the default, ``case.json``:
``{"concurrency": 2, "level": "calls"}``. Its ``truth.json`` is Replay JSON with two more keys: ``envoy``, the version
that was run, and ``modules``, the sha256 of each file that the bootstrap names. Counters that no rule compares are
left out. A recording that says the same as the one that lies there is not written, so that addresses, dates and
ports of the day do not show up as changes.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from meshsim.envoy.outcome import ReplayResult, dump_lines
from meshsim.envoy.requests import Request, load_requests
from meshsim.errors import ConfigError, MeshsimError, ReferenceUnavailable
from meshsim.reference.compare import Comparison, compare, render
from meshsim.reference.envoy import envoy_version, run_envoy
from meshsim.reference.lines import Level
from meshsim.reference.rules import Scope
from meshsim.reference.tree import compose, walk

CASES = Path("tests/envoy/cases")
BOOTSTRAP, REQUESTS, OPTIONS, TRUTH = "envoy.yaml", "requests.json", "case.json", "truth.json"


@dataclass(frozen=True, slots=True)
class Case:
    """One folder of the recorded cases.

    ``level`` is None when the default rule says what is required.
    """

    folder: Path
    concurrency: int = 1
    level: Level | None = None

    @classmethod
    def load(cls, folder: Path) -> Case:
        """The case in a folder.

        Raises
        ------
        ConfigError
            When the folder holds no case, or ``case.json`` says something unknown.
        """
        if not (folder / BOOTSTRAP).exists():
            raise ConfigError(f"no case here: {BOOTSTRAP} is missing", str(folder))
        path = folder / OPTIONS
        options = _read_json(path) if path.exists() else {}
        known = {"concurrency": int, "level": str}
        for key, value in options.items():
            if key not in known or type(value) is not known[key]:
                raise ConfigError(
                    f"cannot use {key!r}: {value!r}", str(path), 'known: {"concurrency": 2, "level": "calls"}'
                )
        if options.get("level", "exact") not in [level.word for level in Level]:
            raise ConfigError(f"no such level: {options['level']}", str(path), "exact, calls or proxy")
        level = Level.named(options["level"]) if "level" in options else None
        return cls(folder, options.get("concurrency", 1), level)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def bootstrap(self) -> Path:
        """Path of the bootstrap."""
        return self.folder / BOOTSTRAP

    def requests(self) -> list[Request]:
        """The requests to replay; none without a file."""
        path = self.folder / REQUESTS
        return load_requests(path) if path.exists() else []

    def scope(self) -> Scope:
        """Whose counters are compared."""
        return Scope.of_file(self.bootstrap)

    def compare(self, ours: ReplayResult, truth: ReplayResult, *, words: bool = False) -> Comparison:
        """Hold a result against the truth by this case's options."""
        return compare(ours, truth, self.scope(), level=self.level, concurrency=self.concurrency, words=words)


@dataclass(frozen=True, slots=True)
class Truth:
    """What the real Envoy did, and with what."""

    result: ReplayResult
    envoy: str
    modules: Mapping[str, str]

    def dumps(self) -> str:
        """The text of ``truth.json``."""
        return dump_lines({"envoy": self.envoy, "modules": dict(self.modules), **self.result.to_json()}) + "\n"

    @classmethod
    def load(cls, path: Path) -> Truth:
        """Read a ``truth.json``."""
        data = _read_json(path)
        try:
            return cls(ReplayResult.from_json(data, str(path)), str(data["envoy"]), dict(data["modules"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError("not a recorded truth", str(path), "record it: make truth") from error


def cases(root: Path = CASES) -> list[Case]:
    """All cases below a folder, by name."""
    return [Case.load(path.parent) for path in sorted(root.glob(f"*/{BOOTSTRAP}"))]


def record(case: Case, on_start: Callable[[int], None] = lambda pid: None) -> Truth:
    """Run a case in the real Envoy; keep what is compared, and no path of this machine."""
    result = run_envoy(case.bootstrap, case.requests(), case.concurrency, on_start=on_start)
    kept = replace(
        result,
        stats=case.scope().selected(result.stats),
        other=tuple(
            (thread, level, text.replace(str(case.bootstrap), BOOTSTRAP)) for thread, level, text in result.other
        ),
    )
    return Truth(kept, envoy_version(), modules_of(case.bootstrap))


def modules_of(bootstrap: Path) -> dict[str, str]:
    """The sha256 of each file that a bootstrap names, by the name it has there; files that are missing left out."""
    root = compose(bootstrap.read_text(encoding="utf-8-sig"), str(bootstrap))
    names = {str(node.value) for key, node in walk(root) if key == "filename" and isinstance(node, yaml.ScalarNode)}
    sums = {}
    for name in sorted(names):
        path = bootstrap.parent / name
        if path.is_file():
            sums[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return sums


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one case: a word for the list, whether it is well, and what there is to say."""

    word: str
    good: bool
    text: str = ""


#: Does something with one case; it tells the second argument the process id of each Envoy it starts.
Job = Callable[[Case, Callable[[int], None]], Outcome]


def update(case: Case, on_start: Callable[[int], None] = lambda pid: None) -> Outcome:
    """Record a case; write its truth where it says something new."""
    path = case.folder / TRUTH
    new = record(case, on_start)
    if not path.exists():
        path.write_text(new.dumps(), encoding="utf-8")
        return Outcome("recorded", good=True)
    old = Truth.load(path)
    told = case.compare(new.result, old.result, words=True)
    if told.identical and (old.envoy, old.modules) == (new.envoy, new.modules):
        return Outcome("as before", good=True)
    path.write_text(new.dumps(), encoding="utf-8")
    return Outcome("rewritten", good=True, text="" if told.identical else render(told, "now", "before"))


def check(case: Case, on_start: Callable[[int], None] = lambda pid: None) -> Outcome:
    """Record a case and hold it against its truth."""
    path = case.folder / TRUTH
    if not path.exists():
        return Outcome("no truth", good=False, text=f"record it: make truth CASES={case.name}")
    old = Truth.load(path)
    if old.modules != modules_of(case.bootstrap):
        return Outcome("other modules", good=False, text=f"a module changed since: make truth CASES={case.name}")
    told = case.compare(record(case, on_start).result, old.result, words=True)
    return (
        Outcome("same", good=True)
        if told.identical
        else Outcome("changed", good=False, text=render(told, "now", "truth"))
    )


class Recorder:
    """Runs several cases at once; none of its Envoys outlives it."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._running: set[int] = set()
        self._ending = threading.Event()

    def run(self, todo: Sequence[Case], job: Job) -> Iterator[tuple[Case, Outcome]]:
        """The outcome of each case, in the order in which they end."""
        pool = ThreadPoolExecutor(self._jobs)
        futures = {pool.submit(self._guarded, job, case): case for case in todo}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            self._ending.set()
            for pid in list(self._running):
                _kill(pid)
            raise
        finally:
            pool.shutdown()

    def _guarded(self, job: Job, case: Case) -> Outcome:
        mine: list[int] = []

        def on_start(pid: int) -> None:
            mine.append(pid)
            self._running.add(pid)
            if self._ending.is_set():  # started while the others were being ended
                _kill(pid)

        try:
            return job(case, on_start)
        except ReferenceUnavailable:
            raise
        except MeshsimError as error:
            return Outcome("failed", good=False, text=str(error))
        finally:
            self._running.difference_update(mine)


def _kill(pid: int) -> None:
    """End an Envoy: whoever waits for it then finds it gone, and ends too."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 0 when all is well, 1 when a case changed or could not be run, 2 when there is nothing to run."""
    options = _options().parse_args(arguments)
    try:
        todo = _chosen(options)
        if not todo:
            raise ConfigError(f"no cases in {options.cases}")
        bad = 0
        for case, outcome in Recorder(options.jobs).run(todo, check if options.check else update):
            print(f"{case.name}: {outcome.word}" + (f"\n{outcome.text}" if outcome.text else ""), flush=True)
            bad += not outcome.good
    except ReferenceUnavailable as error:
        if options.check and os.environ.get("CI") != "true":
            print(f"skipped: {error}")
            return 0
        print(error, file=sys.stderr)
        return error.exit_status
    except MeshsimError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("interrupted; no Envoy is left running", file=sys.stderr)
        return 130
    print(f"{len(todo) - bad} of {len(todo)} cases are well")
    return 1 if bad else 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m meshsim.reference.truth", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("case", nargs="*", help="name or folder of a case")
    parser.add_argument("--all", action="store_true", help="all cases")
    parser.add_argument("--sample", type=int, metavar="N", help="N cases, drawn by --seed")
    parser.add_argument("--seed", default="0", help="any text, such as a commit's id")
    parser.add_argument("--check", action="store_true", help="compare with the recorded truths instead of writing")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="Envoys at a time (2)")
    parser.add_argument("--cases", type=Path, default=CASES, help=f"folder of the cases ({CASES})")
    return parser


def _chosen(options: argparse.Namespace) -> list[Case]:
    if options.case:
        folders = [Path(name) if Path(name).is_dir() else options.cases / name for name in options.case]
        return [Case.load(folder) for folder in folders]
    every = cases(options.cases)
    if options.all:
        return every
    if options.sample is not None:
        return random.Random(options.seed).sample(every, min(options.sample, len(every)))
    raise ConfigError("which cases?", remedy="name some, or --all, or --sample N --seed TEXT")


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read it: {error}", str(path)) from error


if __name__ == "__main__":
    sys.exit(main())
