"""What the player shows of one Envoy: the requests that it was sent, and beside them the real Envoy's."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from meshsim.envoy.outcome import ReplayResult
from meshsim.envoy.proxy import Envoy
from meshsim.envoy.requests import Request, load_requests
from meshsim.errors import MeshsimError, ReferenceUnavailable
from meshsim.figures.provenance import Origin
from meshsim.widgets._base import View
from meshsim.widgets._player_journey import Journey
from meshsim.widgets._player_real import Real, hold_against, recorded, run_here
from meshsim.widgets._player_steps import journey_of, requests_of
from meshsim.widgets._player_view import still_of, view_of
from meshsim.widgets._still import Still

#: What the player shows when it is given nothing: a callout, a pause, two kinds of local replies.
_SCENARIO = "one_request"
_UNASKED = "Not asked yet."


class SentRequests:
    """The requests that a simulated Envoy was sent one by one.

    Parameters
    ----------
    envoy : Envoy
        At level ``abi``.
    recording : Path, optional
        What the real Envoy did for the same requests.

    Attributes
    ----------
    first : int
        The request that is shown first: the last that was sent.

    Raises
    ------
    MeshsimError
        The Envoy keeps no calls, or was sent no request.
    """

    def __init__(self, envoy: Envoy, recording: Path | None = None) -> None:
        self._envoy = envoy
        self.recording = recording
        self._sent = requests_of(envoy)
        self.first = len(self._sent) - 1
        journey_of(envoy, self.first)  # a clear error before anything is drawn
        self._found: Real | None = None
        self._about = _UNASKED

    @classmethod
    def bundled(cls, request: Request | None) -> SentRequests:
        """Run the bundled scenario; its recording is of its own requests."""
        folder = Path(str(files("meshsim") / "scenarios" / _SCENARIO))
        envoy = Envoy.from_yaml(folder / "envoy.yaml")
        for each in [request] if request else load_requests(folder / "requests.json"):
            envoy.send(each)
        return cls(envoy, folder / "truth.json")

    def missing(self, number: int) -> str:
        """Say why a request cannot be shown; nothing when it can."""
        known = 0 <= number < len(self._sent)
        return "" if known else f"there is no request {number}: {len(self._sent)} were sent"

    def journey(self, number: int) -> Journey:
        """Return a request, step by step."""
        return journey_of(self._envoy, number)

    def ask(self, number: int, journey: Journey, *, live: bool) -> tuple[str, str]:
        """Ask the real Envoy; return ``live``, ``recorded`` or ``unavailable``, and what came of it in words."""
        self._found, self._about = None, _UNASKED
        try:
            result, origin, ran = self._result(live)
        except MeshsimError as error:
            self._about = f"{error.what}{f' ({error.remedy})' if error.remedy else ''}"
            return "unavailable", self._about
        self._found = hold_against(self._envoy, number, journey, result, origin, ran)
        return "live" if ran else "recorded", self._found.verdict

    def _result(self, live: bool) -> tuple[ReplayResult, str, bool]:
        if live:
            try:
                return *run_here(self._envoy), True
            except ReferenceUnavailable:
                if self.recording is None:
                    raise
        if self.recording is None:
            raise MeshsimError("there is no recorded run")
        return *recorded(self.recording), False

    def view(self, number: int, journey: Journey) -> View:
        """Return all that the player draws."""
        profile = self._envoy.process.costs.profile
        choices = [(i, f"{i + 1}: {request.method} {request.path}") for i, request in enumerate(self._sent)]
        return view_of(journey, self._found, self._about, choices, profile.name, profile.measured.get("date", "")[:10])

    def still(self, number: int, journey: Journey) -> Still:
        """Return the whole request as a picture and a table."""
        profile = self._envoy.process.costs.profile
        notes = [f"{origin.mark} {origin.words(profile.name)}" for origin in (Origin.COUNTED, Origin.PROFILE)]
        return still_of(journey, self._found, notes)
