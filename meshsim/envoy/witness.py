"""What a close look at a request wants to know beside the trace: who got what, and what came of it.

At level ``abi`` a witness stands beside each worker's streams and clusters and writes notes: what every filter was
given and what it left, what went upstream and came back, which replies Envoy made itself. It changes nothing. At the
other levels there is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from meshsim.abi.constants import DataAction, HeadersAction, TrailersAction
from meshsim.envoy.account import Account
from meshsim.envoy.address import Address
from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.chain import Chain, FilterHalf
from meshsim.envoy.filters.base import HttpFilter
from meshsim.envoy.filters.wasm import WasmFilter
from meshsim.envoy.headers import HeaderMap, Pair
from meshsim.envoy.local_reply import LocalReply
from meshsim.envoy.outcome import Response
from meshsim.envoy.requests import Request
from meshsim.envoy.stream import Stream
from meshsim.envoy.threads import Thread
from meshsim.envoy.upstream import ResponseTaker, UpstreamFailure
from meshsim.sim import Level, Recorder

SHOWN_BYTES = 4096
"""How much of a body a note keeps."""

Action = HeadersAction | DataAction | TrailersAction
_CAPITAL = re.compile("([A-Z])")


class Message(NamedTuple):
    """A message at one moment: headers, the first bytes of the body that is there, and how many there are."""

    headers: tuple[Pair, ...]
    body: bytes = b""
    size: int = 0


class Sent(NamedTuple):
    """A client has sent a request; they are counted from 0."""

    number: int
    request: Request


class Answered(NamedTuple):
    """It has its answer."""

    number: int
    response: Response


class Opened(NamedTuple):
    """A stream has begun.

    ``filters`` are its filters in the request's order, ``plugins`` those that are modules; ``account`` is what its
    request is charged with, and tells which request that is, where somebody keeps accounts.
    """

    stream: int
    filters: tuple[str, ...]
    plugins: tuple[str, ...]
    account: Account | None = None
    listener: str = ""


class Given(NamedTuple):
    """A filter gets a piece of a message: ``piece`` is ``request headers``, ``response body``..."""

    stream: int
    filter: str
    piece: str
    end: bool
    message: Message


class Left(NamedTuple):
    """The filter has answered with an action, and this is how it leaves the message."""

    stream: int
    filter: str
    piece: str
    action: Action
    message: Message


class Replied(NamedTuple):
    """Envoy makes an answer itself, for a filter or on its own."""

    stream: int
    status: int
    details: str


class Forwarded(NamedTuple):
    """A request leaves for a host of a cluster; ``account`` is charged for it."""

    cluster: str
    address: Address
    message: Message
    account: Account | None = None


class Returned(NamedTuple):
    """The head of an answer has come back, or no answer (``failure`` says why)."""

    cluster: str
    status: int
    head: tuple[Pair, ...] = ()
    failure: str = ""
    account: Account | None = None


class Witness:
    """Writes notes on what happens on one thread."""

    def __init__(self, recorder: Recorder, thread: Thread) -> None:
        self._recorder = recorder
        self._thread = thread

    @classmethod
    def of(cls, recorder: Recorder, thread: Thread) -> Witness | None:
        """Make one where notes are kept."""
        return cls(recorder, thread) if recorder.level >= Level.ABI else None

    def note(self, what: object) -> None:
        """Write a note."""
        self._recorder.note(self._thread.now_ns, self._thread.name, what)

    def watch(self, stream: Stream) -> None:
        """Look at all that a stream's filters are given."""
        number = len(self._recorder.notes)  # nobody else's: the note comes at once
        modules = (each for each in stream.filters if isinstance(each, WasmFilter))
        names, info = tuple(map(title, stream.filters)), stream.info
        self.note(Opened(number, names, tuple(map(title, modules)), info.account, info.listener.name))
        for way, chain, filters in (
            ("request", stream.request, stream.filters),
            ("response", stream.answer, stream.filters[-2::-1]),
        ):
            for slot, http_filter in zip(chain.slots, filters, strict=True):
                slot.half = WatchedHalf(slot.half, chain, number, title(http_filter), way, self.note)

    def replied(self, stream: Stream | None, reply: LocalReply) -> None:
        """Take note of an answer of Envoy's own."""
        half = stream.request.slots[0].half if stream and stream.request.slots else None
        self.note(Replied(half.stream if isinstance(half, WatchedHalf) else -1, reply.status, reply.details))

    def taker(
        self, cluster: str, taker: ResponseTaker, headers: HeaderMap, account: Account | None = None
    ) -> ResponseTaker:
        """Look at what goes to a cluster, and what comes back to ``taker``."""
        return WatchedTaker(taker, cluster, Message(tuple(headers.pairs())), self.note, account)


def title(http_filter: HttpFilter) -> str:
    """Name a filter: a plugin by its own name, a native one by its kind, ``header mutation``."""
    if isinstance(http_filter, WasmFilter):
        plugin = http_filter.context.plugin
        return (plugin and plugin.name) or "wasm"
    return _CAPITAL.sub(r" \1", type(http_filter).__name__.removesuffix("Filter")).strip().lower()


@dataclass(slots=True)
class WatchedHalf:
    """One direction of a filter, with notes before and after each call."""

    half: FilterHalf
    chain: Chain
    stream: int
    filter: str
    way: str
    note: Callable[[object], None]

    def headers(self, headers: HeaderMap, end: bool) -> HeadersAction:
        """Give the filter the headers."""
        self._given("headers", end, None)
        action = self.half.headers(headers, end)
        self._left("headers", action, None)
        return action

    def data(self, data: BodyBuffer, end: bool) -> DataAction:
        """Give the filter a piece of the body."""
        self._given("body", end, data)
        action = self.half.data(data, end)
        self._left("body", action, data)
        return action

    def trailers(self, trailers: HeaderMap) -> TrailersAction:
        """Give the filter the trailers."""
        self._given("trailers", True, None)
        action = self.half.trailers(trailers)
        self._left("trailers", action, None)
        return action

    def _given(self, piece: str, end: bool, data: BodyBuffer | None) -> None:
        self.note(Given(self.stream, self.filter, f"{self.way} {piece}", end, self._message(piece, data)))

    def _left(self, piece: str, action: Action, data: BodyBuffer | None) -> None:
        self.note(Left(self.stream, self.filter, f"{self.way} {piece}", action, self._message(piece, data)))

    def _message(self, piece: str, data: BodyBuffer | None) -> Message:
        """The message now; of the body, what is kept and the piece that is under way."""
        chain = self.chain
        shown = chain.message_trailers if piece == "trailers" else chain.message
        kept = chain.buffered
        parts = [each.data for each in (kept, data if data is not kept else None) if each is not None]
        body = b"".join(bytes(part[:SHOWN_BYTES]) for part in parts)[:SHOWN_BYTES]
        return Message(tuple(shown.pairs()) if shown else (), body, sum(map(len, parts)))


class WatchedTaker:
    """Passes on an upstream's answer, with notes."""

    def __init__(
        self,
        taker: ResponseTaker,
        cluster: str,
        sent: Message,
        note: Callable[[object], None],
        account: Account | None = None,
    ) -> None:
        self._taker = taker
        self._account = account
        self._cluster = cluster
        self._sent = sent
        self._note = note
        self._address: Address = ("", 0)

    def upstream_chosen(self, address: Address) -> None:
        """Pass on which host it is."""
        self._address = address
        self._taker.upstream_chosen(address)

    def upstream_connected(self) -> None:
        """Take note that the request leaves."""
        self._note(Forwarded(self._cluster, self._address, self._sent, self._account))
        self._taker.upstream_connected()

    def upstream_informational(self, status: int) -> None:
        """Pass it on."""
        self._taker.upstream_informational(status)

    def upstream_headers(self, headers: HeaderMap, end: bool) -> None:
        """Take note of the headers."""
        status = headers.get(b":status") or b"0"
        number, head = int(status) if status.isdigit() else 0, tuple(headers.pairs())
        self._note(Returned(self._cluster, number, head, account=self._account))
        self._taker.upstream_headers(headers, end)

    def upstream_data(self, data: BodyBuffer, end: bool) -> None:
        """Pass on a piece of the body."""
        self._taker.upstream_data(data, end)

    def upstream_trailers(self, trailers: HeaderMap) -> None:
        """Pass on the trailers."""
        self._taker.upstream_trailers(trailers)

    def upstream_failed(self, failure: UpstreamFailure) -> None:
        """Take note that there is no answer."""
        self._note(Returned(self._cluster, 0, failure=failure.details, account=self._account))
        self._taker.upstream_failed(failure)
