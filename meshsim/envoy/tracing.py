"""Envoy's tracing, as far as a filter or an upstream can see it: the mark in a request's id, and trace headers.

Theory of operation. A connection manager decides once, when a request comes, whether it is traced, and marks the
decision in ``x-request-id`` (in the digit that otherwise says which version of UUID it is), so that the next Envoy
decides alike. Its tracer then takes up the trace that the request belongs to, or begins one, and the router tells
each upstream by headers. Filters see a request's own headers; what the router tells comes behind them. Spans
themselves are sent nowhere: nothing that is simulated collects them.

All rules were seen in Envoy 1.40 (``ConnectionManagerUtility::mutateTracingRequestHeader``, the tracers' extractors).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from random import Random
from typing import Protocol

from meshsim.envoy.config.listener import Listener
from meshsim.envoy.config.route import FractionalPercent, Route
from meshsim.envoy.config.tracing import OpenTelemetryConfig, Percent, Tracing, ZipkinConfig
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.stats import Counters

_REQUEST_ID = b"x-request-id"
_ID_LENGTH, _MARK = 36, 14
_OPERATION = b"x-envoy-decorator-operation"


class Reason(Enum):
    """Why a request is traced, by the digit that marks it in a request's id."""

    SAMPLED = b"9"
    FORCED = b"a"
    CLIENT = b"b"
    NONE = b"4"


_COUNTERS = {
    Reason.SAMPLED: "tracing.random_sampling",
    Reason.FORCED: "tracing.service_forced",
    Reason.CLIENT: "tracing.client_enabled",
    Reason.NONE: "tracing.not_traceable",
}

_DENOMINATORS = {"HUNDRED": 100, "TEN_THOUSAND": 10_000, "MILLION": 1_000_000}


@dataclass(frozen=True, slots=True)
class Share:
    """A share of all requests: ``part`` of ``whole``."""

    part: int = 10_000
    whole: int = 10_000

    @classmethod
    def of(cls, given: FractionalPercent | Percent | None) -> Share:
        """Read a share; all when none is given."""
        match given:
            case FractionalPercent():
                return cls(given.numerator, _DENOMINATORS[given.denominator])
            case Percent():
                return cls(round(given.value * 100))
        return cls()

    def takes(self, number: int) -> bool:
        """Whether a request of this number is among them."""
        return number % self.whole < self.part


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which requests are traced: of those whose client asks for it, of all, and at most."""

    client: Share
    random: Share
    overall: Share

    @classmethod
    def of(cls, config: Tracing, route: Route | None) -> Sampling:
        """Take a route's shares, or the connection manager's."""
        own = route.tracing if route else None
        if own is not None:
            return cls(Share.of(own.client_sampling), Share.of(own.random_sampling), Share.of(own.overall_sampling))
        given = config.client_sampling, config.random_sampling, config.overall_sampling
        return cls(*map(Share.of, given))


def decide(headers: HeaderMap, sampling: Sampling, random: Random) -> Reason:
    """Decide whether a request is traced, and mark its id; one without a readable id is not."""
    request_id = headers.get(_REQUEST_ID) or b""
    number = _hexadecimal(request_id[:8])
    if number is None:
        return Reason.NONE
    number %= 10_000
    before = reason = _marked(request_id)
    if reason is Reason.NONE:
        if b"x-client-trace-id" in headers and sampling.client.takes(random.randrange(sampling.client.whole)):
            reason = Reason.CLIENT
        elif b"x-envoy-force-trace" in headers:
            reason = Reason.FORCED
        elif sampling.random.takes(number):
            reason = Reason.SAMPLED
    if not sampling.overall.takes(number):
        reason = Reason.NONE
    if reason is not before and len(request_id) == _ID_LENGTH:
        headers.put(_REQUEST_ID, request_id[:_MARK] + reason.value + request_id[_MARK + 1 :])
    return reason


def _marked(request_id: bytes) -> Reason:
    mark = request_id[_MARK : _MARK + 1] if len(request_id) == _ID_LENGTH else b""
    return next((reason for reason in Reason if reason.value == mark), Reason.NONE)


def _hexadecimal(digits: bytes) -> int | None:
    return int(digits, 16) if re.fullmatch(rb"[0-9a-fA-F]{1,8}", digits) else None


# --- trace contexts ---


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


def _append(headers: HeaderMap, key: bytes, value: str) -> None:
    """Set a header as the last one: tracers take the old one out first."""
    headers.remove(key)
    headers.add(key, value.encode())


# --- Zipkin

_TRACE_ID, _SPAN_ID, _PARENT_ID, _SAMPLED = b"x-b3-traceid", b"x-b3-spanid", b"x-b3-parentspanid", b"x-b3-sampled"
_B3, _TRACEPARENT, _TRACESTATE = b"b3", b"traceparent", b"tracestate"
_TRACE, _SPAN = r"[0-9a-f]{32}|[0-9a-f]{16}", r"[0-9a-f]{16}"
_B3_SINGLE = re.compile(rf"(?P<trace>{_TRACE})-(?P<span>{_SPAN})(?:-(?P<sampled>[01d])(?:-(?P<parent>{_SPAN}))?)?")
_B3_SAMPLED = {"0": False, "1": True, "d": True}
_W3C = re.compile(r"[0-9a-f]{2}-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class ZipkinSpan:
    """A span of Zipkin's; ``single`` says that one header tells all of it, ``w3c`` that ``traceparent`` is told too."""

    random: Random
    trace: str
    span: str
    parent: str
    sampled: bool
    single: bool = False
    w3c: bool = False

    def child(self) -> ZipkinSpan:
        """Begin a span below this one."""
        return replace(self, span=_new_id(self.random), parent=self.span)

    def inject(self, headers: HeaderMap) -> None:
        """Tell an upstream by b3 headers."""
        sampled = "1" if self.sampled else "0"
        if self.single:
            _append(headers, _B3, "-".join(filter(None, (self.trace, self.span, sampled, self.parent))))
        else:
            _append(headers, _TRACE_ID, self.trace)
            _append(headers, _SPAN_ID, self.span)
            if self.parent:
                _append(headers, _PARENT_ID, self.parent)
            _append(headers, _SAMPLED, sampled)
        if self.w3c:
            _append(headers, _TRACEPARENT, f"00-{self.trace:0>32}-{self.span}-0{sampled}")


@dataclass(frozen=True, slots=True)
class ZipkinTracer:
    """Zipkin's; ``joins`` says that a server's span is its client's, ``random`` makes ids."""

    config: ZipkinConfig
    joins: bool
    random: Random

    def start(self, headers: HeaderMap, traced: bool) -> Span:
        """Take up the trace of b3 headers, or begin one; what cannot be read is passed on as it is."""
        if (one := _text(headers, _B3)) in _B3_SAMPLED:
            return self._begin(_B3_SAMPLED[one], single=True)
        if _B3 in headers:
            found = self._from_one(one, traced)
        elif _TRACE_ID in headers and _SPAN_ID in headers:
            found = self._from_many(headers, traced)
        elif self._w3c and (match := _W3C.fullmatch(_text(headers, _TRACEPARENT))):
            sampled = bool(int(match["flags"], 16) & 1)
            found = ZipkinSpan(self.random, match["trace"], match["span"], "", sampled, w3c=True)
        else:
            return self._begin(traced if (given := _given(headers)) is None else given)
        if found is None:
            return NULL_SPAN
        return found if self.joins else found.child()

    @property
    def _w3c(self) -> bool:
        return self.config.trace_context_option == "USE_B3_WITH_W3C_PROPAGATION"

    def _begin(self, sampled: bool, *, single: bool = False) -> ZipkinSpan:
        span = _new_id(self.random)
        trace = (_new_id(self.random) if self.config.trace_id_128bit else "") + span
        return ZipkinSpan(self.random, trace, span, "", sampled, single, self._w3c)

    def _from_many(self, headers: HeaderMap, traced: bool) -> ZipkinSpan | None:
        trace, span, parent = (_text(headers, name) for name in (_TRACE_ID, _SPAN_ID, _PARENT_ID))
        if not (re.fullmatch(_TRACE, trace) and re.fullmatch(_SPAN, span) and re.fullmatch(f"({_SPAN})?", parent)):
            return None
        given = _given(headers)
        return ZipkinSpan(self.random, trace, span, parent, traced if given is None else given, False, self._w3c)

    def _from_one(self, text: str, traced: bool) -> ZipkinSpan | None:
        match = _B3_SINGLE.fullmatch(text)
        if match is None:
            return None
        sampled = _B3_SAMPLED[match["sampled"]] if match["sampled"] else traced
        return ZipkinSpan(self.random, match["trace"], match["span"], match["parent"] or "", sampled, True, self._w3c)


def _given(headers: HeaderMap) -> bool | None:
    """What the client says about tracing, if it does."""
    value = headers.get(_SAMPLED)
    return None if value is None else value in (b"1", b"true")


def _new_id(random: Random) -> str:
    return f"{random.getrandbits(64):016x}"


def _text(headers: HeaderMap, name: bytes) -> str:
    return (headers.get(name) or b"").decode("latin-1").lower()


# --- OpenTelemetry


@dataclass(frozen=True, slots=True)
class OpenTelemetrySpan:
    """A span of OpenTelemetry's."""

    random: Random
    trace: str
    span: str
    sampled: bool
    state: str

    def child(self) -> OpenTelemetrySpan:
        """Begin a span below this one."""
        return replace(self, span=_new_id(self.random))

    def inject(self, headers: HeaderMap) -> None:
        """Tell an upstream; a state that there is not is told as well."""
        _append(headers, _TRACEPARENT, f"00-{self.trace}-{self.span}-0{int(self.sampled)}")
        _append(headers, _TRACESTATE, self.state)


@dataclass(frozen=True, slots=True)
class OpenTelemetryTracer:
    """OpenTelemetry's; ``random`` makes ids."""

    random: Random

    def start(self, headers: HeaderMap, traced: bool) -> Span:
        """Take up the trace of ``traceparent``, or begin one; what cannot be read is passed on as it is."""
        if _TRACEPARENT not in headers:
            trace = _new_id(self.random) + _new_id(self.random)
            return OpenTelemetrySpan(self.random, trace, _new_id(self.random), traced, "")
        match = _W3C.fullmatch(_text(headers, _TRACEPARENT))
        if match is None or not int(match["trace"], 16) or not int(match["span"], 16):
            return NULL_SPAN
        sampled = traced and bool(int(match["flags"], 16) & 1)
        state = b",".join(value for key, value in headers.pairs() if key == _TRACESTATE).decode("latin-1")
        return OpenTelemetrySpan(self.random, match["trace"], _new_id(self.random), sampled, state)


# --- the connection manager's part ---


@dataclass(slots=True)
class Traced:
    """One request's tracing: what its upstreams and its client are told.

    ``operation`` is the route's name for what is done, and empty where it is not told.
    """

    span: Span
    operation: str = ""
    is_egress: bool = False
    spawns: bool = False
    tells: bool = True

    def tell_upstream(self, headers: HeaderMap) -> None:
        """Tell one try to get an answer where it belongs."""
        if self.tells:
            (self.span.child() if self.spawns else self.span).inject(headers)

    def finish(self, headers: HeaderMap) -> None:
        """Tell a client the operation's name, or keep what an upstream tells of its own."""
        if self.is_egress:
            headers.remove(_OPERATION)
        elif self.operation:
            headers.put(_OPERATION, self.operation.encode())


class Observer:
    """Decides about a connection manager's requests."""

    def __init__(
        self, config: Tracing, listener: Listener, stats: Counters, stream: Callable[[str], Random], *, spawns: bool
    ) -> None:
        self._config = config
        self._is_egress = listener.traffic_direction == "OUTBOUND"
        self._stats = stats
        self._random = stream("tracing")
        self._spawns = spawns or bool(config.spawn_upstream_span)
        self._tracer = self._new_tracer()

    def _new_tracer(self) -> Tracer:
        match self._config.provider.typed_config if self._config.provider else None:
            case ZipkinConfig() as zipkin:
                is_server = self._spawns or not self._is_egress
                return ZipkinTracer(zipkin, is_server and zipkin.shared_span_context is not False, self._random)
            case OpenTelemetryConfig():
                return OpenTelemetryTracer(self._random)
        return NullTracer()

    def begin(self, headers: HeaderMap, route: Route | None) -> Traced:
        """Decide about a request, and change its headers accordingly."""
        reason = decide(headers, Sampling.of(self._config, route), self._random)
        self._stats.add(_COUNTERS[reason])
        span = self._tracer.start(headers, reason is not Reason.NONE)
        tells = not self._config.no_context_propagation
        traced = Traced(span, self._operation(route), self._is_egress, self._spawns, tells)
        if self._is_egress:
            if traced.operation:
                headers.put(_OPERATION, traced.operation.encode())
        elif _OPERATION in headers:
            if headers.get(_OPERATION):
                traced.operation = ""
            headers.remove(_OPERATION)
        return traced

    @staticmethod
    def _operation(route: Route | None) -> str:
        decorator = route.decorator if route else None
        return decorator.operation if decorator and decorator.propagate is not False else ""
