"""The same request in the real Envoy: run here where it is installed, else as it was recorded; line by line.

A replay sends what the simulated Envoy was sent so far, one request after the other, so that each module has the same
past. Lines of the trace are compared as ``meshsim replay --on both`` does at level ``calls``: without addresses and
sizes, which the module's allocator decides.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from meshsim.abi.events import Crossing
from meshsim.envoy.outcome import Line, ReplayResult
from meshsim.envoy.proxy import Envoy
from meshsim.envoy.witness import Sent
from meshsim.errors import MeshsimError
from meshsim.reference.envoy import envoy_version, release, run_envoy
from meshsim.reference.lines import Call, Level, normal
from meshsim.reference.truth import Truth
from meshsim.widgets._player_journey import MAIN, Journey
from meshsim.widgets._player_steps import requests_of

#: Beyond so many lines they are held against each other one by one, without looking for what was put in between.
_MATCHED_LINES = 5_000


@dataclass(frozen=True, slots=True)
class Real:
    """What the real Envoy did.

    Attributes
    ----------
    live : bool
        Whether it ran here and now; else it is a recording.
    origin : str
        A sentence that says which.
    statuses : tuple of int
        The simulated answer's, and the real one's; 0 for none.
    same : tuple of bool
        For each line of the journey's trace, whether the real Envoy has it too.
    only : tuple of str
        Lines that the real Envoy has there, and the simulation has not.
    """

    live: bool
    origin: str
    statuses: tuple[int, int]
    same: tuple[bool, ...]
    only: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """The comparison in a sentence."""
        differing, lines = self.same.count(False) + len(self.only), len(self.same) + len(self.only)
        ours, theirs = self.statuses
        answer = "" if ours == theirs else f"; it answers {theirs}, not {ours}"
        if not lines:
            return f"no call into a module to compare{answer or f'; the answer is {theirs} as well'}"
        if not differing:
            return f"all {lines} lines of the trace are the same{answer}"
        return f"{differing} of {lines} lines of the trace differ{answer}"

    @property
    def identical(self) -> bool:
        """Whether trace and answer are the same."""
        return all(self.same) and not self.only and self.statuses[0] == self.statuses[1]


def run_here(envoy: Envoy) -> tuple[ReplayResult, str]:
    """Run what an Envoy was sent in the real one.

    Returns
    -------
    tuple of ReplayResult and str
        What happened, and a sentence that says where.

    Raises
    ------
    MeshsimError
        The bootstrap is not known as a file or text, an upstream is scripted, or there is no real Envoy here.
    """
    if envoy.source is None:
        raise MeshsimError("the bootstrap is not known", remedy="make the Envoy with ms.Envoy.from_yaml")
    if envoy.scripted_upstreams:
        names = ", ".join(envoy.scripted_upstreams)
        raise MeshsimError(f"scripted upstreams are simulated only: {names}")
    version = release(envoy_version())
    requests, concurrency = requests_of(envoy), len(envoy.workers)
    origin = f"Envoy {version}, run here just now"
    if isinstance(envoy.source, Path) or "\n" not in envoy.source:
        return run_envoy(envoy.source, requests, concurrency), origin
    with tempfile.TemporaryDirectory(prefix="meshsim-player-") as folder:
        bootstrap = _lay_out(envoy, Path(folder), envoy.source)
        return run_envoy(bootstrap, requests, concurrency), origin


def _lay_out(envoy: Envoy, folder: Path, text: str) -> Path:
    """Write a bootstrap and the files that it names relative to itself."""
    for name, content in envoy.bootstrap.sources.files.items():
        path = folder / name
        if not Path(name).is_absolute() and folder in path.resolve().parents:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    bootstrap = folder / "envoy.yaml"
    bootstrap.write_text(text, encoding="utf-8")
    return bootstrap


def recorded(path: Path) -> tuple[ReplayResult, str]:
    """Return a recorded run."""
    truth = Truth.load(path)
    return truth.result, f"Envoy {truth.envoy.split('/')[1]}, a recorded run"


def hold_against(envoy: Envoy, number: int, journey: Journey, real: ReplayResult, origin: str, live: bool) -> Real:
    """Hold a request against the real Envoy's.

    Parameters
    ----------
    number : int
        Which of the requests that were sent one by one.
    journey : Journey
        What the simulated Envoy did for it.
    """
    trace = journey.trace
    offset, ours = _ours(envoy, number)
    theirs = list(_theirs(real.abi))
    same, only = _matched(_normal(ours), _normal(theirs), range(offset, offset + len(trace)), theirs)
    answer = real.responses[number].status if number < len(real.responses) else 0
    return Real(live, origin, (journey.status, answer), tuple(same), tuple(only))


def _ours(envoy: Envoy, number: int) -> tuple[int, list[str]]:
    """Return the workers' trace since the first request, and where in it a request begins."""
    sent = [note for note in envoy.recorder.notes if isinstance(note.what, Sent)]
    first = sent[0].place
    entries = [
        (place, entry.event.text)
        for place, entry in enumerate(envoy.recorder.events[first:], first)
        if isinstance(entry.event, Crossing) and entry.track != MAIN
    ]
    begins = next(note.place for note in sent if isinstance(note.what, Sent) and note.what.number == number)
    return sum(place < begins for place, _ in entries), [text for _, text in entries]


def _theirs(trace: Iterable[Line]) -> Iterator[str]:
    """Go through the workers' lines, each from its first stream on."""
    begun: set[str] = set()
    for thread, line in trace:
        if thread == MAIN:
            continue
        if thread not in begun:
            call = Call.read(line)
            if not (
                call and call.name == "proxy_on_context_create" and call.arguments and call.arguments[1:] != ("0",)
            ):
                continue
            begun.add(thread)
        yield line


def _normal(lines: Sequence[str]) -> list[str]:
    return [normal(line, Level.CALLS) or line for line in lines]


def _matched(
    ours: Sequence[str], theirs: Sequence[str], part: range, shown: Sequence[str]
) -> tuple[list[bool], list[str]]:
    """Return which lines of a part of ours are theirs too, and which of theirs stand between those."""
    same = [False] * len(ours)
    only: list[str] = []
    if ours == theirs[: len(ours)]:
        return [True] * len(part), only
    if len(ours) > _MATCHED_LINES:
        return [i < len(theirs) and ours[i] == theirs[i] for i in part], only
    for kind, i, i_end, j, j_end in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if kind == "equal":
            same[i:i_end] = [True] * (i_end - i)
        elif part.start <= i < part.stop:
            only += shown[j:j_end]
    return [same[i] for i in part], only
