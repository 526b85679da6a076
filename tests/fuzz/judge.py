"""Run batches of seeds in the real Envoy and in the simulator, and find out which seed it is that differs."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from meshsim.envoy.outcome import ReplayResult
from meshsim.envoy.replay import replay
from meshsim.envoy.requests import Request
from meshsim.errors import MeshsimError
from meshsim.reference.compare import Comparison, compare, render
from meshsim.reference.differences import Difference
from meshsim.reference.envoy import EnvoyCrashed, run_envoy
from meshsim.reference.lines import Call, Level, by_thread, split_ticks
from meshsim.reference.truth import Case
from tests.fuzz.cases import write_batch
from tests.fuzz.cells import Cell
from tests.fuzz.coverage import executed
from tests.fuzz.guests import NUMBERS
from tests.fuzz.programs import MARK

#: Names of plugins, roots, VMs and listeners in logs and texts.
_NAMED = re.compile(r"\bs(\d+)(?:-free|-dying)?\b")
_RESPONSE = re.compile(r"response (\d+)")
_BUG = re.compile(r"envoy bug failure: |stacktrace for envoy bug|#\d+ ")
#: In seconds: streams that nobody resumes are ended by Envoy before.
PATIENCE_S = 2.0
_LINE = re.compile(r"(\w+), line (\d+)")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of some seeds that ran together; ``first`` says what differs and is empty where that is nothing."""

    seeds: tuple[int, ...]
    word: str
    first: str = ""
    where: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        return bool(self.first)

    @property
    def good(self) -> bool:
        return self.word == "ok"


@dataclass(slots=True)
class Judgement:
    """The verdicts on a batch, and what was executed in it; ``suspects`` are seeds that may have caused the first."""

    verdicts: list[Verdict]
    counts: Counter[Cell] = field(default_factory=Counter)
    suspects: frozenset[int] = frozenset()


def judge(seeds: Sequence[int], keep: Path | None = None) -> Judgement:
    """Run seeds together. Those that a difference points at run alone, and the others together again.

    So each difference gets the name of its seed. One that shows only together is a failure of them all.
    """
    together = _run(tuple(seeds), keep)
    (verdict,) = together.verdicts
    if verdict.good or len(seeds) == 1:
        return together
    apart = together.suspects or frozenset(seeds)
    parts = [_run((seed,), keep) for seed in sorted(apart)]
    if all(inner.good for part in parts for inner in part.verdicts):
        parts.append(Judgement([replace(verdict, seeds=())]))
    rest = [seed for seed in seeds if seed not in apart]
    if rest:
        parts.append(judge(rest, keep))
    counts: Counter[Cell] = sum((part.counts for part in parts), Counter())
    return Judgement([inner for part in parts for inner in part.verdicts], counts)


def _run(seeds: tuple[int, ...], keep: Path | None) -> Judgement:
    with _folder(seeds, keep) as folder:
        case, programs = write_batch(seeds, folder)
        requests = case.requests()
        try:
            truth = run_envoy(case.bootstrap, requests, patience_s=PATIENCE_S)
        except EnvoyCrashed:
            return Judgement([Verdict(seeds, "envoy crashed")])
        except MeshsimError as error:
            return Judgement([Verdict(seeds, "envoy failed", str(error))])
        counts = executed(truth.abi, programs.by_number)
        if not truth.ready:
            said = "\n".join(text for _, _, text in truth.other[-6:])
            return Judgement([Verdict(seeds, "refused", said)], counts, _named(said.splitlines()))
        try:
            ours = replay(case.bootstrap, requests)
        except Exception as error:  # whatever it is, Envoy came through this case
            return Judgement([Verdict(seeds, "simulator failed", f"{type(error).__name__}: {error}")], counts)
        comparison = _compare(ours, truth, case)
        if not comparison.identical:
            comparison = _second_opinion(ours, case) or comparison
        suspects = frozenset(_suspects(comparison.differences, truth, requests)) & frozenset(seeds)
        return Judgement([_verdict(seeds, comparison)], counts, suspects)


def _compare(ours: ReplayResult, truth: ReplayResult, case: Case) -> Comparison:
    """Hold our run against Envoy's, as strictly as can be.

    Straight code repeats itself also where it reads clocks, and the texts of traps belong to it.
    """
    return compare(ours, _without_bugs(truth), case.scope(), level=Level.EXACT, concurrency=1, words=True)


def _second_opinion(ours: ReplayResult, case: Case) -> Comparison | None:
    """The comparison with another run of Envoy, if that is the same as ours: then Envoy differs from itself.

    A time of the machine's has so many digits in one run and so many in the next (``x-envoy-upstream-service-time``).
    """
    with contextlib.suppress(MeshsimError):
        again = _compare(ours, run_envoy(case.bootstrap, case.requests(), patience_s=PATIENCE_S), case)
        return again if again.identical else None
    return None


def _without_bugs(truth: ReplayResult) -> ReplayResult:
    """Without what Envoy says of mistakes in its own code, with the addresses of its stack."""
    return replace(truth, other=tuple(line for line in truth.other if not _BUG.match(line[2])))


def _verdict(seeds: tuple[int, ...], comparison: Comparison) -> Verdict:
    if comparison.identical:
        return Verdict(seeds, "ok")
    first = render(replace(comparison, differences=comparison.differences[:1]))
    return Verdict(seeds, "differs", first, tuple(difference.where for difference in comparison.differences))


# --- whose is a difference?


def _suspects(differences: Iterable[Difference], truth: ReplayResult, requests: Sequence[Request]) -> Iterator[int]:
    for difference in differences:
        if match := _LINE.fullmatch(difference.where):
            yield from _marked_before(truth, match[1], int(match[2]))
        elif match := _RESPONSE.fullmatch(difference.where):
            yield from _named([requests[int(match[1]) - 1].listener or ""])
        else:
            yield from _named([*difference.left[:1], *difference.right[:1]])


def _marked_before(truth: ReplayResult, thread: str, number: int) -> Iterator[int]:
    """The seed of the last program that began before a line of a thread."""
    rest, _ = split_ticks(by_thread(truth.abi).get(thread, []))
    for line in reversed(rest[:number]):
        call = Call.read(line)
        if call and call.name == "env.proxy_log" and call.arguments and call.arguments[0] == str(MARK):
            yield int(call.arguments[1]) // NUMBERS
            return


def _named(texts: Iterable[str]) -> frozenset[int]:
    return frozenset(int(match[1]) for text in texts for match in _NAMED.finditer(text))


@contextlib.contextmanager
def _folder(seeds: Sequence[int], keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        yield keep / (str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]}-{seeds[-1]}")
        return
    with tempfile.TemporaryDirectory(prefix="meshsim-fuzz-") as folder:
        yield Path(folder)
