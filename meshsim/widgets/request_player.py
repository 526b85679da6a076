"""One request through the filters and back, or through a mesh, to be played, stepped and scrubbed."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import traitlets

from meshsim.envoy.proxy import Envoy
from meshsim.envoy.requests import Request
from meshsim.errors import MeshsimError
from meshsim.mesh.result import Result
from meshsim.mesh.rows import HopRow, Hops
from meshsim.widgets._base import View, Widget
from meshsim.widgets._mesh_view import RunRequests
from meshsim.widgets._player_journey import Journey
from meshsim.widgets._player_sent import SentRequests
from meshsim.widgets._still import Still

_SPEEDS = (0.5, 1.0, 2.0, 4.0)


class _Requests(Protocol):
    """Where the requests come from."""

    first: int
    recording: Path | None

    def missing(self, number: int) -> str: ...
    def journey(self, number: int) -> Journey: ...
    def ask(self, number: int, journey: Journey, *, live: bool) -> tuple[str, str]: ...
    def view(self, number: int, journey: Journey) -> View: ...
    def still(self, number: int, journey: Journey) -> Still: ...


class RequestPlayer(Widget, assets="request_player"):
    """A sequence diagram of one request: client, hosts, modules, upstreams, with every callback and host call.

    Parameters
    ----------
    run : Envoy or Result, optional
        A simulated Envoy at level ``abi``, which was sent requests one by one; or what a run of a mesh left, at level
        ``abi`` or ``requests`` (hops only). Without one, a bundled scenario is run: a filter that asks another service
        before it lets a request pass.
    request : Request, int, Hops or HopRow, optional
        Of an Envoy, a :class:`~meshsim.Request` that is sent first; else the last one that was sent is shown. Of a
        mesh, the number of a request, or what ``result.find(...)`` gives, of which the slowest is shown; else the
        slowest of all.

    Attributes
    ----------
    request : int
        Which request is shown: of an Envoy, of those that were sent, counted from 0; of a mesh, its number in the rows.
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
        The Envoy keeps no calls or was sent no request; the run kept no rows, or has no such request.

    Examples
    --------
    >>> player = RequestPlayer()
    >>> player.journey.title, player.journey.status, player.real
    ('POST /orders', 200, 'recorded')
    >>> player.step = 20
    >>> player.view["steps"][20]["text"]
    'env.proxy_add_header_map_value'

    Of a mesh:

    >>> from meshsim.mesh import Call, Mesh, OpenLoop, Service, Topology
    >>> from meshsim.sim import Level
    >>> shop = Mesh(Topology([Service("shop", script=(Call("cart"),)), Service("cart")]))
    >>> result = shop.run(OpenLoop(100), seconds=0.1, seed=1, level=Level.ABI)
    >>> player = RequestPlayer(result, request=result.find("rt > 1 and service == 'cart'"))
    >>> [line["name"] for line in player.view["lifelines"]]
    ['client', 'shop-0 proxy', 'shop-0 app', 'cart-0 proxy', 'cart-0 app']
    """

    request = traitlets.Int(0).tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)
    playing = traitlets.Bool(False).tag(sync=True)
    speed = traitlets.CaselessStrEnum([f"{speed:g}" for speed in _SPEEDS], "1").tag(sync=True)
    real = traitlets.Enum(["", "wanted", "live", "recorded", "unavailable"], "").tag(sync=True)

    def __init__(
        self, run: Envoy | Result | None = None, *, request: Request | int | Hops | HopRow | None = None
    ) -> None:
        self._requests = _requests_of(run, request)
        self._journeys: dict[int, Journey] = {}
        super().__init__()
        self.request = self._requests.first
        if self._requests.recording is not None and request is None:
            self.ask_real(live=False)
        self._show()

    @property
    def journey(self) -> Journey:
        """The request that is shown, step by step."""
        if self.request not in self._journeys:
            self._journeys[self.request] = self._requests.journey(self.request)
        return self._journeys[self.request]

    def ask_real(self, *, live: bool = True) -> str:
        """Hold the request against the real Envoy, and say what came of it.

        Parameters
        ----------
        live : bool
            Run it here and now, if it is installed here; else take what was recorded, if there is a recording.
        """
        self.real, words = self._requests.ask(self.request, self.journey, live=live)
        self._show()
        return words

    def still(self) -> Still:
        """Return the whole request as a picture and a table."""
        return self._requests.still(self.request, self.journey)

    @traitlets.observe("request")
    def _other_request(self, change: object) -> None:
        problem = self._requests.missing(self.request)
        if problem:
            raise traitlets.TraitError(problem)
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

    def _show(self) -> None:
        self.view = self._requests.view(self.request, self.journey)


def _requests_of(run: Envoy | Result | None, request: Request | int | Hops | HopRow | None) -> _Requests:
    if isinstance(run, Result):
        return RunRequests(run, request)
    if request is not None and not isinstance(request, Request):
        raise MeshsimError(
            "an Envoy is sent a request, and not asked for one by number", remedy="set player.request to that number"
        )
    if run is None:
        return SentRequests.bundled(request)
    if request is not None:
        run.send(request)
    return SentRequests(run)
