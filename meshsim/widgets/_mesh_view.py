"""What the player shows of a mesh's run: its requests by number, each from hop to hop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from meshsim.envoy.requests import Request
from meshsim.errors import MeshsimError
from meshsim.figures.provenance import Origin
from meshsim.mesh.result import Result
from meshsim.mesh.rows import HopRow, Hops
from meshsim.widgets._base import View
from meshsim.widgets._mesh_journey import MeshJourney
from meshsim.widgets._mesh_requests import MeshRequests
from meshsim.widgets._player_journey import Journey, Step
from meshsim.widgets._player_picture import picture_of
from meshsim.widgets._player_view import MINOR, STILL_STEPS, summary, view_of
from meshsim.widgets._still import Still

#: So many requests can be chosen by hand; any other one by its number.
_CHOICES = 50
_SIMULATED = "a mesh is simulated only: there is no real one to ask"
_OUTSIDE = (
    "This run kept a row for each call: when it began and ended, and what it took. Run it with level=ms.Level.ABI to "
    "see every proxy on the way, with each callback and host call of its modules."
)
_NO_PROXIES = "This mesh has no proxies, and so no modules: there is nothing inside a call."
_ARRIVALS = "An arrow stands where it arrives."
_COLUMNS = (
    "hop",
    "from",
    "to",
    "pod",
    "began (µs)",
    "took (µs)",
    "proxies",
    "waited",
    "application",
    "network",
    "status",
)
#: What a still shows when there is no room for every step, most of it first.
_OF_INTEREST = (
    frozenset({"wire", "callback", "hostcall", "pause", "resume", "reply", "envoy", "log", "filter"}),
    frozenset({"wire", "callback", "pause", "resume", "reply", "envoy"}),
    frozenset({"wire", "pause", "reply", "envoy"}),
)


class RunRequests:
    """The requests of a mesh's run.

    Parameters
    ----------
    result : Result
        Of a run at level ``requests`` or ``abi``.
    request : int, Hops or HopRow, optional
        Which one is shown first, and which can be chosen: a number, or rows, of whose requests the slowest is first.
        All of the run's, and the slowest, when it is left out.

    Raises
    ------
    MeshsimError
        There is no such request, or none at all.
    """

    recording: Path | None = None

    def __init__(self, result: Result, request: Request | int | Hops | HopRow | None = None) -> None:
        self._requests = MeshRequests(result)
        self._result = result
        chosen = self._requests.slowest
        if isinstance(request, Request):
            raise MeshsimError("a run that is over takes no request", remedy="give the number of one of its requests")
        if isinstance(request, Hops):
            chosen = self._requests.among(request)
            if not chosen:
                raise MeshsimError(
                    "no request to show: nothing was found", remedy="look for something else, as 'rt > 5'"
                )
        elif isinstance(request, HopRow):
            chosen = [request.request]
        elif request is not None:
            chosen = [request]
        self.first = chosen[0]
        problem = self.missing(self.first)
        if problem:
            raise MeshsimError(problem, remedy=f"the slowest is {self._requests.slowest[0]}")
        self._chosen = chosen if isinstance(request, Hops) else self._requests.slowest

    def missing(self, number: int) -> str:
        """Say why a request cannot be shown; nothing when it can."""
        known = number in self._requests
        return "" if known else f"there is no request {number} among the {len(self._requests)} of this run"

    def journey(self, number: int) -> MeshJourney:
        """Return a request, step by step."""
        return self._requests.journey(number)

    def ask(self, number: int, journey: Journey, *, live: bool) -> tuple[str, str]:
        """There is no real mesh to ask."""
        return "unavailable", _SIMULATED

    def view(self, number: int, journey: Journey) -> View:
        """Return all that the player draws."""
        shown = list(self._chosen[:_CHOICES])
        choices = [(each, self._words(each)) for each in (shown if number in shown else [number, *shown])]
        return view_of(journey, None, "", choices, self._result.profile, "") | {"real": None, "note": self._note()}

    def still(self, number: int, journey: Journey) -> Still:
        """Return the request as a picture, and its hops as a table."""
        assert isinstance(journey, MeshJourney)
        steps = shown_steps(journey.steps)
        left_out = len(journey.steps) - len(steps)
        more = [f"{left_out} minor steps are left out of the picture."] if left_out else []
        marks = [f"{origin.mark} {origin.words(self._result.profile)}" for origin in (Origin.COUNTED, Origin.PROFILE)]
        title = f"{journey.title}: {summary(journey)}"
        rows = [_cells(row, journey.rows[0].start_ns) for row in journey.rows[1:]]
        return Still(title, picture_of(journey, steps), _COLUMNS, rows, (*more, self._note(), *marks))

    def _words(self, number: int) -> str:
        return f"{number}: {self._requests.took_ns(number) / 1e6:,.3f} ms"

    def _note(self) -> str:
        if self._result.traces:
            return _ARRIVALS
        return _OUTSIDE if self._result.stats else _NO_PROXIES


def shown_steps(steps: Sequence[Step]) -> list[Step]:
    """Choose what a still shows."""
    kept = list(steps)
    for kinds in _OF_INTEREST:
        if len(kept) <= STILL_STEPS:
            break
        kept = [step for step in steps if step.kind in kinds and step.text not in MINOR]
    return kept[:STILL_STEPS]


def _cells(row: HopRow, start_ns: int) -> tuple[str, ...]:
    times = (row.start_ns - start_ns, row.end_ns - row.start_ns, row.proxy_ns, row.queue_ns, row.app_ns, row.network_ns)
    service = f"{row.service} (callout of {row.filter})" if row.filter else row.service
    status = f"{row.status or 'no answer'}{f' {row.flags}' if row.flags else ''}"
    return (str(row.hop), row.source, service, row.pod, *(f"{ns / 1000:,.1f}" for ns in times), status)
