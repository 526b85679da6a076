"""What all tracers have in common: spans, and how they are told."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from typing import Protocol

from meshsim.envoy.headers import HeaderMap


class Span(Protocol):
    """A request's place in a trace."""

    def child(self) -> Span:
        """Begin a span below this one."""

    def inject(self, headers: HeaderMap) -> None:
        """Tell an upstream."""


@dataclass(frozen=True, slots=True)
class NullSpan:
    """No place: what a client says of its trace is passed on as it is."""

    def child(self) -> NullSpan:
        """Stay nowhere."""
        return self

    def inject(self, headers: HeaderMap) -> None:
        """Say nothing."""


NULL_SPAN = NullSpan()


class Tracer(Protocol):
    """What makes spans."""

    def start(self, headers: HeaderMap, traced: bool) -> Span:
        """Take up the trace that a request belongs to, or begin one."""


class NullTracer:
    """Without a provider, nobody traces."""

    def start(self, headers: HeaderMap, traced: bool) -> Span:
        """Trace nothing."""
        return NULL_SPAN


def append(headers: HeaderMap, key: bytes, value: str) -> None:
    """Set a header as the last one: tracers take the old one out first."""
    headers.remove(key)
    headers.add(key, value.encode())


TRACEPARENT, TRACESTATE = b"traceparent", b"tracestate"
W3C = re.compile(r"[0-9a-f]{2}-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})")
"""A ``traceparent``."""


def new_id(random: Random) -> str:
    """Make a span's id, or half of a trace's."""
    return f"{random.getrandbits(64):016x}"


def text(headers: HeaderMap, name: bytes) -> str:
    """Read a header of a trace, in lower case; empty without one."""
    return (headers.get(name) or b"").decode("latin-1").lower()
