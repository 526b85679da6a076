"""What the witness of an Envoy has noted, as steps: the client, the filters of a stream, the upstreams."""

from __future__ import annotations

from typing import Any

from meshsim.envoy.headers import Pair
from meshsim.envoy.requests import Request
from meshsim.envoy.witness import (
    SHOWN_BYTES,
    Answered,
    Forwarded,
    Given,
    Left,
    Message,
    Opened,
    Replied,
    Returned,
    Sent,
)
from meshsim.widgets._player_journey import CLIENT, Page, Visit, Way
from meshsim.widgets._player_text import Fields, text_of

#: Filters of Envoy's own that have nothing to show beyond what goes upstream.
PLUMBING = frozenset({"router", "wasm access log"})


class Streams:
    """Takes notes.

    The first stream that is opened is the request's, unless its number is given. Streams that are opened later are
    those of upstreams that are listeners of the same Envoy: of them only the answer is told.
    """

    def __init__(self, page: Page, stream: int = -1) -> None:
        self._page = page
        self._main = stream
        self._upstreams: dict[int, str] = {}
        self._held: dict[Way, int] = {}

    def take(self, time_ns: int, track: str, note: Any) -> None:
        """Take a note; those of others are none of a request's."""
        match note:
            case Sent():
                self._sent(time_ns, note)
            case Answered():
                self._answered(time_ns, note)
            case Opened():
                self._opened(track, note)
            case Given() if note.stream == self._main:
                self._given(time_ns, note)
            case Left() if note.stream == self._main:
                self._left(time_ns, note)
            case Replied():
                self._replied(time_ns, note)
            case Forwarded():
                self._forwarded(time_ns, note)
            case Returned():
                self._returned(time_ns, note)

    # -- the client ---

    def _sent(self, time_ns: int, sent: Sent) -> None:
        page = self._page
        if sent.request is page.journey.request and not page.journey.steps:
            page.start_ns = time_ns
            page.now["request"] = _as_sent(sent.request)
            headers = [list(header) for header in sent.request.headers]
            page.step(time_ns, "wire", CLIENT, page.host, page.journey.title, fields=headers)

    def _answered(self, time_ns: int, answered: Answered) -> None:
        page, response = self._page, answered.response
        journey = page.journey
        journey.status, journey.error, journey.took_ns = response.status, response.error or "", time_ns - page.start_ns
        page.held_by.clear()
        headers = [list(header) for header in response.headers]
        page.step(time_ns, "wire", page.host, CLIENT, response.error or str(response.status), fields=headers)

    # -- filters ---

    def _opened(self, track: str, opened: Opened) -> None:
        journey = self._page.journey
        if self._main < 0:
            self._main = opened.stream
            journey.worker, journey.filters = track, opened.filters
            journey.plugins[:] = dict.fromkeys((*opened.plugins, *journey.plugins))
        elif journey.clusters:
            self._upstreams[opened.stream] = journey.clusters[-1]

    def _given(self, time_ns: int, given: Given) -> None:
        page, way = self._page, _way(given.piece)
        if way == "response":
            page.held_by.pop("request", None)
        if page.held_by.get(way, given.filter) != given.filter:
            self._let_go(time_ns, way)
        page.now[way] = given.message
        if given.filter not in PLUMBING:
            page.journey.visits.append(Visit(given.filter, given.piece, page.number(given.message)))
            page.visiting.append(len(page.journey.visits) - 1)

    def _left(self, time_ns: int, left: Left) -> None:
        page, way = self._page, _way(left.piece)
        page.now[way] = left.message
        if left.filter in PLUMBING:
            return
        number = page.visiting.pop()
        visit = page.journey.visits[number]
        visit.after, visit.action = page.number(left.message), left.action.name
        if left.filter not in page.journey.plugins:
            page.step(
                time_ns,
                "filter",
                page.host,
                page.host,
                left.filter,
                fields=[["piece", left.piece]],
                answer=visit.action,
            )
        if left.action:
            self._hold(time_ns, way, left, number)
        elif way in page.held_by:
            self._let_go(time_ns, way)

    def _hold(self, time_ns: int, way: Way, left: Left, visit: int) -> None:
        """Take note that a filter holds a message; one that has answered itself only waits for the answer to leave."""
        page = self._page
        answered = way == "request" and (page.stand.replying or page.now["response"] is not None)
        if page.held_by.get(way) != left.filter and not answered:
            page.held_by[way], self._held[way] = left.filter, visit
            page.step(time_ns, "pause", page.host, page.host, f"{left.filter} holds the {way}", answer=left.action.name)

    def _let_go(self, time_ns: int, way: Way) -> None:
        """Take note that a message goes on; what the filter did while it held it is its doing too."""
        page = self._page
        filter_, message = page.held_by.pop(way), page.now[way]
        if way in self._held and message is not None:
            page.journey.visits[self._held.pop(way)].after = page.number(message)
        page.step(time_ns, "resume", page.host, page.host, f"{filter_} lets the {way} go on")

    def _replied(self, time_ns: int, replied: Replied) -> None:
        page = self._page
        fields = [["status", str(replied.status)], ["details", replied.details]]
        upstream = self._upstreams.get(replied.stream)
        if upstream is not None:
            page.step(time_ns, "envoy", upstream, upstream, f"answers {replied.status}", fields=fields)
        else:
            page.held_by.pop("request", None)
            page.step(time_ns, "reply", page.host, page.host, f"local reply {replied.status}", fields=fields)

    # -- upstreams ---

    def _forwarded(self, time_ns: int, sent: Forwarded) -> None:
        self._meet(sent.cluster)
        head = dict(sent.message.headers)
        text = " ".join(text_of(head.get(name, b"")) for name in (b":method", b":path"))
        self._page.step(time_ns, "wire", self._page.host, sent.cluster, text, fields=_fields(sent.message.headers))

    def _returned(self, time_ns: int, back: Returned) -> None:
        self._meet(back.cluster)
        text = back.failure or str(back.status)
        self._page.step(time_ns, "wire", back.cluster, self._page.host, text, fields=_fields(back.head))

    def _meet(self, cluster: str) -> None:
        clusters = self._page.journey.clusters
        if cluster not in clusters:
            clusters.append(cluster)


def _way(piece: str) -> Way:
    return "request" if piece.startswith("request") else "response"


def _as_sent(request: Request) -> Message:
    """Return the message that a client sends, as Envoy names its parts."""
    body = (request.body if request.body is not None else "".join(request.chunks or ())).encode()
    line = ((":method", request.method), (":path", request.path), (":authority", request.authority))
    headers = tuple((name.encode(), value.encode()) for name, value in (*line, *request.headers))
    return Message(headers, body[:SHOWN_BYTES], len(body))


def _fields(pairs: tuple[Pair, ...]) -> Fields:
    return [[text_of(name), text_of(value)] for name, value in pairs]
