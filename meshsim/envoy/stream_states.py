"""How far a stream's response can be, and what becomes of a local reply then: the rules, as tables."""

from __future__ import annotations

from enum import Enum, auto


class Response(Enum):
    """How far the response is."""

    NONE = auto()  # nothing yet
    FILTERING = auto()  # headers are with the filters
    SENT = auto()  # headers have gone out
    COMPLETE = auto()  # everything has gone out
    RESET = auto()  # cut


class Event(Enum):
    """What moves a response on."""

    HEADERS = auto()
    SEND = auto()
    END = auto()
    RESET = auto()


RESPONSE: dict[tuple[Response, Event], Response] = {
    (Response.NONE, Event.HEADERS): Response.FILTERING,
    (Response.FILTERING, Event.SEND): Response.SENT,
    (Response.SENT, Event.END): Response.COMPLETE,
    **{(state, Event.RESET): Response.RESET for state in (Response.NONE, Response.FILTERING, Response.SENT)},
}


class Reply(Enum):
    """What becomes of a local reply."""

    THROUGH_FILTERS = auto()
    STRAIGHT_TO_CLIENT = auto()
    RESET_STREAM = auto()
    NOTHING = auto()


#: Seen in Envoy 1.40: a reply of a response callback goes straight out; once headers are out, only a reset is left.
LOCAL_REPLY: dict[Response, Reply] = {
    Response.NONE: Reply.THROUGH_FILTERS,
    Response.FILTERING: Reply.STRAIGHT_TO_CLIENT,
    Response.SENT: Reply.RESET_STREAM,
    Response.COMPLETE: Reply.NOTHING,
    Response.RESET: Reply.NOTHING,
}
