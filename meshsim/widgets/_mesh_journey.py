"""One request of a mesh's run as steps: from hop to hop, and, where it was recorded, through each proxy on the way."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from meshsim.abi.events import Crossing, LogLine
from meshsim.envoy.requests import Request
from meshsim.envoy.witness import Forwarded, Given, Left, Opened, Returned
from meshsim.mesh.legs import Leg
from meshsim.mesh.result import Result
from meshsim.mesh.rows import CLIENT, HopRow
from meshsim.widgets._mesh_reading import BETWEEN, Happened
from meshsim.widgets._player_border import Border
from meshsim.widgets._player_journey import Journey, Page, Stand, Step
from meshsim.widgets._player_streams import PLUMBING, Streams
from meshsim.widgets._player_text import Fields

#: The clusters of a proxy's own applications, as its bootstrap names them.
_LOCAL = re.compile(r"app\d+")
_NO_ANSWER = "no answer"


@dataclass(slots=True)
class MeshJourney(Journey):
    """One request of a mesh: ``rows`` are its hops in order of start, ``inside`` says whether proxies recorded it."""

    number: int = 0
    rows: Sequence[HopRow] = ()
    inside: bool = False

    @property
    def title(self) -> str:
        """Its number, and where it went first."""
        return f"request {self.number} to {self.rows[1].service if len(self.rows) > 1 else 'nobody'}"


def journey_of(result: Result, number: int, happened: Sequence[Happened]) -> MeshJourney:
    """Return one request of a run, step by step.

    Parameters
    ----------
    number : int
        Which, by its number in the rows.
    happened : sequence of Happened
        What proxies recorded of it, in order of time.
    """
    rows = sorted(result.find(f"request == {number:d}"), key=lambda row: row.hop)
    return _Writer(result, rows, happened).write()


class _End(NamedTuple):
    """A call is over, as who made it saw it."""

    row: HopRow


class _Begin(NamedTuple):
    """A call is sent."""

    row: HopRow


class _Writer:
    """Writes the journey of one request."""

    def __init__(self, result: Result, rows: Sequence[HopRow], happened: Sequence[Happened]) -> None:
        root = rows[0]
        self._rows = {row.hop: row for row in rows}
        self._happened = happened
        self._begun_ns = result.begun_ns
        self._pods = {use.pod for use in result.usage if use.track == "app"}
        journey = MeshJourney(
            Request(None, "GET", "/", rows[1].service if len(rows) > 1 else ""),
            status=root.status,
            error="" if root.status else _NO_ANSWER,
            took_ns=root.end_ns - root.start_ns,
            lifelines=[CLIENT],
            number=root.request,
            rows=rows,
            inside=bool(happened),
        )
        self._page = Page(journey)
        self._journey = journey
        self._page.start_ns = result.begun_ns + root.start_ns
        self._stands: dict[tuple[str, int, int], Stand] = {}
        self._streams: dict[tuple[str, int, int], Streams] = {}
        self._borders: dict[tuple[str, int], Border] = {}
        #: By hop: which proxies it has come to, and which sent it on last.
        self._came: dict[int, list[str]] = {}
        self._sender: dict[int, str] = {}
        #: The proxy that each lifeline belongs to.
        self._homes: dict[str, str] = {}

    def write(self) -> MeshJourney:
        """Take everything in order of time."""
        for time_ns, item in self._in_order():
            match item:
                case _Begin(row):
                    self._stand(row.source)
                    self._arrow(time_ns, self._origin(row), row.pod or row.service, _asked(row), row)
                case _End(row) if row.hop in self._came:
                    self._arrow(time_ns, self._came[row.hop][0], self._origin(row), _answer(row), row)
                case _End(row):
                    self._arrow(time_ns, row.pod or row.service, self._origin(row), _answer(row), row)
                case Happened():
                    self._take(item)
        for border in self._borders.values():
            border.finish()
        self._journey.filters = tuple(self._journey.plugins)
        self._journey.lifelines.sort(key=self._rank)
        return self._journey

    def _rank(self, name: str) -> tuple[int, int]:
        """Where a lifeline stands: the client, then each proxy with its modules and its applications."""
        if name == CLIENT:
            return -1, 0
        proxies = list(self._homes.values())
        home = self._homes.get(name, name)
        kind = 1 if name in self._journey.plugins else 2 if name in self._journey.clusters else 0
        return proxies.index(home) if home in proxies else len(proxies), kind

    def _in_order(self) -> Iterator[tuple[int, Any]]:
        """What happened inside, and the ends of calls; of calls that no proxy recorded, their beginnings too."""
        calls = [row for row in self._rows.values() if row.parent >= 0]
        came = {each.leg.hop for each in self._happened if isinstance(each.what, Opened)}
        items: list[tuple[int, int, int, Any]] = [(each.time_ns, 0, 0, each) for each in self._happened]
        for row in calls:
            if row.hop not in came:
                items.append((row.start_ns + self._begun_ns, 1, row.hop, _Begin(row)))
            if row.hop not in came or not row.filter:  # an answer to a callout comes to its proxy, which records it
                items.append((row.end_ns + self._begun_ns, 0, -row.hop, _End(row)))
        for time_ns, _, _, item in sorted(items, key=lambda item: item[:3]):
            yield time_ns, item

    # -- lifelines ---

    def _stand(self, host: str) -> None:
        """Stand where no proxy shows a message."""
        self._page.stand = Stand(host)

    def _line(self, name: str) -> str:
        if name not in self._journey.lifelines:
            self._journey.lifelines.append(name)
        return name

    def _app(self, happened: Happened, proxy: str) -> str:
        """The lifeline of the application behind a proxy; a node's proxy has several."""
        name = _app(happened.pod if happened.pod in self._pods else happened.leg.pod)
        if name not in self._journey.clusters:
            self._journey.clusters.append(name)
            self._homes[self._line(name)] = proxy
        return name

    def _origin(self, row: HopRow) -> str:
        """Where a call comes from: the client, an application, or, for a callout, a proxy."""
        if row.parent == 0:
            return CLIENT
        caller = self._rows.get(row.parent)
        pod = (caller.pod if caller else "") or row.source
        return _app(pod) if self._journey.inside and not row.filter else pod

    def _arrow(self, time_ns: int, source: str, target: str, text: str, row: HopRow | None = None) -> Step:
        step = self._page.step(time_ns, "wire", self._line(source), self._line(target), text)
        if row is not None:
            step.about = facts(row)
        return step

    # -- inside ---

    def _take(self, happened: Happened) -> None:
        time_ns, pod, _, track, leg, _, what = happened
        proxy = self._line(_proxy(pod))
        self._homes.setdefault(proxy, proxy)
        self._page.stand = self._stand_of(happened)
        match what:
            case Opened():
                self._opened(happened, proxy)
            case Forwarded():
                self._sender[leg.hop] = proxy
                if _LOCAL.fullmatch(what.cluster):
                    self._page.step(time_ns, "wire", proxy, self._app(happened, proxy), "GET /")
            case Returned():
                self._returned(happened, proxy)
            case Crossing():
                self._border(happened).take(time_ns, track, self._renamed(what, pod))
            case LogLine():
                self._border(happened).take_log(time_ns, track, what)
            case _ if happened.stream != BETWEEN:
                self._streams_of(happened).take(time_ns, track, self._renamed(what, pod))

    def _opened(self, happened: Happened, proxy: str) -> None:
        """A request comes to a proxy: from its client, an application, or another proxy."""
        leg, opened = happened.leg, happened.what
        row = self._rows.get(leg.hop)
        origin = self._sender.get(leg.hop) or (self._origin(row) if row else CLIENT)
        self._came.setdefault(leg.hop, []).append(proxy)
        for plugin in opened.plugins:
            name = _named(plugin, happened.pod)
            if name not in self._journey.plugins:
                self._journey.plugins.append(name)
                self._homes[self._line(name)] = proxy
        step = self._arrow(happened.time_ns, origin, proxy, _asked(leg, opened.listener), row)
        step.about = [["listener", opened.listener], ["its worker", happened.track], *step.about]
        self._streams_of(happened)

    def _returned(self, happened: Happened, proxy: str) -> None:
        time_ns, back = happened.time_ns, happened.what
        if back.failure:
            self._page.step(time_ns, "envoy", proxy, proxy, f"{back.cluster}: {back.failure}")
            return
        others = [name for name in self._came.get(happened.leg.hop, ()) if name != proxy]
        local = bool(_LOCAL.fullmatch(back.cluster)) or not others
        source = self._app(happened, proxy) if local else others[-1]
        self._page.step(time_ns, "wire", source, proxy, str(back.status))

    def _key(self, happened: Happened) -> tuple[str, int, int]:
        return happened.pod, happened.generation, happened.stream

    def _stand_of(self, happened: Happened) -> Stand:
        stand = self._stands.get(self._key(happened))
        if stand is None:
            stand = self._stands[self._key(happened)] = Stand(_proxy(happened.pod))
            self._page.stands.append(stand)
        return stand

    def _streams_of(self, happened: Happened) -> Streams:
        streams = self._streams.get(self._key(happened))
        if streams is None:
            streams = self._streams[self._key(happened)] = Streams(self._page, happened.stream)
        return streams

    def _border(self, happened: Happened) -> Border:
        return self._borders.setdefault(self._key(happened)[:2], Border(self._page))

    def _renamed(self, what: Any, pod: str) -> Any:
        """Name a filter by its lifeline: each proxy has its own."""
        match what:
            case Crossing(plugin=plugin) if plugin:
                return what._replace(plugin=_named(plugin, pod))
            case Given(filter=name) | Left(filter=name) if name not in PLUMBING:
                return what._replace(filter=_named(name, pod))
        return what


def _proxy(pod: str) -> str:
    return f"{pod} proxy"


def _app(pod: str) -> str:
    return f"{pod} app"


def _named(plugin: str, pod: str) -> str:
    return f"{plugin} in {pod}"


def _asked(call: HopRow | Leg, listener: str = "") -> str:
    said = [part for part in (listener, f"callout of {call.filter}" if call.filter else "") if part]
    return f"GET {call.service}" + (f" ({', '.join(said)})" if said else "")


def _answer(row: HopRow) -> str:
    return str(row.status) if row.status else _NO_ANSWER


def facts(row: HopRow) -> Fields:
    """Return what a row says of a call, in words.

    Examples
    --------
    >>> row = HopRow(0, 1, 0, "client", "cart", "cart-0", "worker_1", "", 0, 900_000, 20_000, 0, 800_000,
    ...              80_000, 200, "", 1, 5, 1)
    >>> facts(row)[:4]
    [['hop', '1'], ['pod', 'cart-0'], ['worker', 'worker_1'], ['took', '900.0 µs']]
    """
    times = {"took": row.end_ns - row.start_ns, "proxies": row.proxy_ns, "waited": row.queue_ns}
    times |= {"application": row.app_ns, "network": row.network_ns}
    texts = {"hop": str(row.hop), "pod": row.pod, "worker": row.worker, "zone": row.zone}
    words = {**texts, **{name: f"{ns / 1000:,.1f} µs" for name, ns in times.items()}, "flags": row.flags}
    if row.tries > 1:
        words["tries"] = str(row.tries)
    return [[name, text] for name, text in words.items() if text]
