"""One request through the filters and back, to be played, stepped and scrubbed."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import traitlets

from meshsim.envoy.proxy import Envoy
from meshsim.envoy.requests import Request, load_requests
from meshsim.errors import MeshsimError, ReferenceUnavailable
from meshsim.figures.provenance import Origin
from meshsim.widgets._base import Widget
from meshsim.widgets._player_journey import Journey
from meshsim.widgets._player_real import Real, hold_against, recorded, run_here
from meshsim.widgets._player_steps import journey_of, requests_of
from meshsim.widgets._player_view import still_of, view_of
from meshsim.widgets._still import Still

#: What the player shows when it is given nothing: a callout, a pause, two kinds of local replies.
_SCENARIO = "one_request"
_UNASKED = "Not asked yet."
_SPEEDS = (0.5, 1.0, 2.0, 4.0)


class RequestPlayer(Widget, assets="request_player"):
    """A sequence diagram of one request: client, host, modules, upstreams, with every callback and host call.

    Parameters
    ----------
    envoy : Envoy, optional
        A simulated Envoy at level ``abi``, which was sent requests one by one. Without one, a bundled scenario is run:
        a filter that asks another service before it lets a request pass.
    request : Request, optional
        Sent first; else the last request that was sent is shown.

    Attributes
    ----------
    request : int
        Which of the requests that were sent is shown, counted from 0.
    step : int
        The step that is looked at, counted from 0.
    playing : bool
        Whether the steps go on by themselves, ``speed`` times 1.25 a second.
    real : str
        Set it to ``"wanted"`` to have the same requests sent to the real Envoy (:meth:`ask_real`); then ``live``,
        ``recorded`` or ``unavailable``.

    Raises
    ------
    MeshsimError
        The Envoy keeps no calls, or was sent no request.

    Examples
    --------
    >>> player = RequestPlayer()
    >>> player.journey.title, player.journey.status, player.real
    ('POST /orders', 200, 'recorded')
    >>> player.step = 20
    >>> player.view["steps"][20]["text"]
    'env.proxy_add_header_map_value'
    """

    request = traitlets.Int(0).tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)
    playing = traitlets.Bool(False).tag(sync=True)
    speed = traitlets.CaselessStrEnum([f"{speed:g}" for speed in _SPEEDS], "1").tag(sync=True)
    real = traitlets.Enum(["", "wanted", "live", "recorded", "unavailable"], "").tag(sync=True)

    def __init__(self, envoy: Envoy | None = None, *, request: Request | None = None) -> None:
        self._recording: Path | None = None
        if envoy is None:
            envoy, self._recording = _bundled(request)
        elif request is not None:
            envoy.send(request)
        self._envoy = envoy
        self._sent = requests_of(envoy)
        self._number = len(self._sent) - 1
        self._journeys: dict[int, Journey] = {}
        self._found: Real | None = None
        self._about = _UNASKED
        journey_of(envoy, self._number)  # a clear error before anything is drawn
        super().__init__()
        self.request = self._number
        if self._recording is not None and request is None:
            self.ask_real(live=False)
        self._show()

    @property
    def journey(self) -> Journey:
        """The request that is shown, step by step."""
        if self.request not in self._journeys:
            self._journeys[self.request] = journey_of(self._envoy, self.request)
        return self._journeys[self.request]

    def ask_real(self, *, live: bool = True) -> str:
        """Hold the request against the real Envoy, and say what came of it.

        Parameters
        ----------
        live : bool
            Run it here and now, if it is installed here; else take what was recorded, if there is a recording.
        """
        self._found, self._about = None, _UNASKED
        try:
            result, origin, ran = self._result(live)
        except MeshsimError as error:
            self._about = f"{error.what}{f' ({error.remedy})' if error.remedy else ''}"
            self.real = "unavailable"
        else:
            self._found = hold_against(self._envoy, self.request, self.journey, result, origin, ran)
            self.real = "live" if ran else "recorded"
        self._show()
        return self._found.verdict if self._found else self._about

    def still(self) -> Still:
        """Return the whole request as a picture and a table."""
        profile = self._envoy.process.costs.profile
        notes = [f"{origin.mark} {origin.words(profile.name)}" for origin in (Origin.COUNTED, Origin.PROFILE)]
        return still_of(self.journey, self._found, notes)

    @traitlets.observe("request")
    def _other_request(self, change: object) -> None:
        if not 0 <= self.request < len(self._sent):
            raise traitlets.TraitError(f"there is no request {self.request}: {len(self._sent)} were sent")
        self.step, self.playing = 0, False
        if self.real in ("live", "recorded"):
            self.ask_real(live=self.real == "live")
        else:
            self._show()

    @traitlets.observe("real")
    def _wanted(self, change: object) -> None:
        if self.real == "wanted":
            self.ask_real()

    @traitlets.validate("step")
    def _within(self, proposal: dict[str, int]) -> int:
        return max(0, min(proposal["value"], len(self.journey.steps) - 1))

    def _result(self, live: bool):  # type: ignore[no-untyped-def]
        if live:
            try:
                return *run_here(self._envoy), True
            except ReferenceUnavailable:
                if self._recording is None:
                    raise
        if self._recording is None:
            raise MeshsimError("there is no recorded run")
        return *recorded(self._recording), False

    def _show(self) -> None:
        profile = self._envoy.process.costs.profile
        choices = [f"{i + 1}: {request.method} {request.path}" for i, request in enumerate(self._sent)]
        self.view = view_of(
            self.journey, self._found, self._about, choices, profile.name, profile.measured.get("date", "")[:10]
        )


def _bundled(request: Request | None) -> tuple[Envoy, Path]:
    """Run the bundled scenario; its recording is of its own requests."""
    folder = Path(str(files("meshsim") / "scenarios" / _SCENARIO))
    envoy = Envoy.from_yaml(folder / "envoy.yaml")
    for each in [request] if request else load_requests(folder / "requests.json"):
        envoy.send(each)
    return envoy, folder / "truth.json"
