"""What happens to a request, as a tree: every moment that depends on others, and what each of their doings leads to.

Between two such moments the stream model is a function: the same request, with the same doings of the modules and
the same answer of the upstream, goes the same way. So a way is rehearsed once (:mod:`meshsim.envoy.express.rehearsal`)
and then known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

from meshsim.envoy.address import Address
from meshsim.envoy.headers import Kind, Pair
from meshsim.envoy.hops import Hop
from meshsim.envoy.wire import Head, Part

if TYPE_CHECKING:
    from meshsim.envoy.account import Account
    from meshsim.envoy.express.passage import Passage
    from meshsim.envoy.express.track import Track
    from meshsim.envoy.pool import Pool
    from meshsim.envoy.threads import Thread

REQUEST_ID = b"00000000-0000-4000-9000-00000000000?"
"""Stands in headers for the request's own ``x-request-id``, which no two requests share."""

CARRIED_ID = b"00000000-0000-4000-9000-00000000001?"
"""The same for an id that the request has brought along from the lane that it comes from."""

DATE = b"Thu, 01 Jan 1970 00:00:00 GMT"
"""Stands in a response for its date."""

CARRIED_DATE = b"Thu, 01 Jan 1970 00:00:01 GMT"
"""The same for the date that an answer has brought along from its host."""


class Piece(IntEnum):
    """What of a message the modules are shown."""

    REQUEST_HEADERS = 0
    REQUEST_DATA = 1
    REQUEST_TRAILERS = 2
    RESPONSE_HEADERS = 3
    RESPONSE_DATA = 4
    RESPONSE_TRAILERS = 5

    @property
    def of_request(self) -> bool:
        """Whether it belongs to the request; modules see a response's in reverse order."""
        return self <= Piece.REQUEST_TRAILERS

    @property
    def kind(self) -> Kind:
        """Which kind of header map it is; data is none, and any answer will do."""
        return _KINDS.get(self, Kind.TRAILERS)


_KINDS = {Piece.REQUEST_HEADERS: Kind.REQUEST, Piece.RESPONSE_HEADERS: Kind.RESPONSE}

Content = tuple[Pair, ...] | bytes
"""Headers or trailers, or data."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The modules are shown a piece; their doing is what they leave of it, :data:`Content` of the same type."""

    piece: Piece
    content: Content
    end: bool


@dataclass(frozen=True, slots=True)
class Sent:
    """A request leaves for a host of a cluster; the doing is :class:`Answer`.

    ``counted`` are the statistics up to here; ``patience_ns`` is how long after the request something else happens
    when no answer comes, 0 for never.
    """

    cluster: str
    address: Address
    parts: tuple[Part, ...]
    counted: Mapping[str, int]
    patience_ns: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a host has answered, and how long after the request, in whole ms."""

    parts: tuple[Part, ...]
    elapsed_ms: int


@dataclass(frozen=True, slots=True)
class Over:
    """The response has gone out. ``counted``: all statistics; ``hop``: the row, whose times do not matter.

    ``size_bytes`` is how long the response is on the wire.
    """

    parts: tuple[Part, ...]
    counted: Mapping[str, int]
    hop: Hop
    request: tuple[Pair, ...]
    response: tuple[Pair, ...]
    trailers: tuple[Pair, ...] | None
    size_bytes: int = 0


Moment = Shown | Sent | Over
Doing = Content | Answer


@dataclass(slots=True, eq=False)
class Node:
    """A moment, what led to it, and what follows each doing that has been met so far.

    ``passed`` counts the requests that have come here and are not yet in the statistics; ``shown`` those whose modules
    were shown this moment without a ride. ``usual`` is what followed the last time; ``track`` a ride that begins here,
    ``onward`` where a request goes that is sent, by the pool of the host and its worker, ``written`` the response that
    was written last, ``answers`` what followed answers that are known by their very lists and the ms that they took.
    """

    moment: Moment
    before: Node | None = None
    doing: Doing | None = None
    then: dict[object, Node] = field(default_factory=dict)
    passed: int = 0
    shown: int = 0
    usual: Node | None = None
    track: Track | None = None
    onward: dict[tuple[Pool, Thread], Onward] = field(default_factory=dict)
    written: Written | None = None
    answers: dict[tuple[int, int], tuple[list[Part], Node, bytes]] = field(default_factory=dict)

    def doings(self) -> list[Doing]:
        """All doings that lead here."""
        if self.before is None or self.doing is None:
            return []
        return [*self.before.doings(), self.doing]

    def way(self) -> list[tuple[Moment, Doing]]:
        """The moments that lead here, each with its doing."""
        if self.before is None or self.doing is None:
            return []
        return [*self.before.way(), (self.before.moment, self.doing)]


class Further(Protocol):
    """A request on the lane behind another one."""

    def derail(self) -> None:
        """Leave as soon as possible: who has asked has left."""


class Ahead(Protocol):
    """A lane, or what else takes requests as one."""

    @property
    def open(self) -> bool:
        """Whether requests should take it."""

    def enter(self, caller: Passage, time_ns: int, carried: bytes, account: Account | None, /) -> Further:
        """Let a request arrive."""


@dataclass(frozen=True, slots=True)
class Onward:
    """The lane behind a connection upstream, None when there is none, for a request that leaves a node.

    ``carries_own`` says which id the request carries, ``size_bytes`` how long it is.
    """

    lane: Ahead | None
    carries_own: bool
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Written:
    """A response in which no id stands, written in one second; the list is the same for all who get it.

    ``date`` is that of the answer that it was made of.
    """

    second: int
    date: bytes
    parts: list[Part]


class Ids:
    """What stands in one request's headers where a tree has marks: its id, one that it carries, its answer's date."""

    __slots__ = ("carried", "date", "own")

    def __init__(self, own: bytes, carried: bytes = CARRIED_ID) -> None:
        self.own = own
        self.carried = carried
        self.date = CARRIED_DATE

    def put_into(self, pairs: Iterable[Pair]) -> tuple[Pair, ...]:
        """Put the ids where the marks are."""
        texts = {REQUEST_ID: self.own, CARRIED_ID: self.carried, CARRIED_DATE: self.date}
        return tuple([(key, texts.get(value, value)) for key, value in pairs])

    def take_from(self, pairs: Iterable[Pair]) -> tuple[Pair, ...]:
        """Put the marks where the ids are."""
        marks = {self.date: CARRIED_DATE, self.carried: CARRIED_ID, self.own: REQUEST_ID}
        return tuple([(key, marks.get(value, value)) for key, value in pairs])

    def take_date(self, parts: Iterable[Part]) -> tuple[Part, ...]:
        """Take the date of an answer that has just come, and put the mark in its place."""
        return tuple([self._take_date(part) if isinstance(part, Head) else part for part in parts])

    def _take_date(self, head: Head) -> Head:
        date = head.value(b"date")
        if date is None or len(date) != len(CARRIED_DATE):
            return head
        self.date = date
        pairs = tuple([(key, CARRIED_DATE if value == date else value) for key, value in head.headers])
        return replace(head, headers=pairs)

    def put_into_parts(self, parts: Iterable[Part], date: bytes = DATE) -> list[Part]:
        """Put the ids, and the date, where the marks are."""
        return [self._put_into_head(part, date) if isinstance(part, Head) else part for part in parts]

    def _put_into_head(self, head: Head, date: bytes) -> Head:
        pairs = self.put_into(head.headers)
        return replace(head, headers=tuple([(key, date if value == DATE else value) for key, value in pairs]))


def carry_on(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Make of a request that leaves one lane what it is on the next: its id, whosever it was, is carried."""
    return tuple(replace(part, headers=_carried(part.headers)) if isinstance(part, Head) else part for part in parts)


def _carried(pairs: Iterable[Pair]) -> tuple[Pair, ...]:
    return tuple((key, CARRIED_ID if value == REQUEST_ID else value) for key, value in pairs)


def has_mark(parts: Iterable[Part], mark: bytes) -> bool:
    """Whether a mark stands in the head of a message."""
    return any(value == mark for part in parts if isinstance(part, Head) for _, value in part.headers)


def status_of(parts: Iterable[Part]) -> int:
    """Return the status of an answer, behind those that only inform; 0 where there is none."""
    return next((part.status for part in parts if isinstance(part, Head) and part.status >= 200), 0)
