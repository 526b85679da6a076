"""OpenTelemetry's tracer: a trace in the W3C's headers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.tracing.span import NULL_SPAN, TRACEPARENT, TRACESTATE, W3C, Span, append, new_id, text


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
        return replace(self, span=new_id(self.random))

    def inject(self, headers: HeaderMap) -> None:
        """Tell an upstream; a state that there is not is told as well."""
        append(headers, TRACEPARENT, f"00-{self.trace}-{self.span}-0{int(self.sampled)}")
        append(headers, TRACESTATE, self.state)


@dataclass(frozen=True, slots=True)
class OpenTelemetryTracer:
    """OpenTelemetry's; ``random`` makes ids."""

    random: Random

    def start(self, headers: HeaderMap, traced: bool) -> Span:
        """Take up the trace of ``traceparent``, or begin one; what cannot be read is passed on as it is."""
        if TRACEPARENT not in headers:
            trace = new_id(self.random) + new_id(self.random)
            return OpenTelemetrySpan(self.random, trace, new_id(self.random), traced, "")
        match = W3C.fullmatch(text(headers, TRACEPARENT))
        if match is None or not int(match["trace"], 16) or not int(match["span"], 16):
            return NULL_SPAN
        sampled = traced and bool(int(match["flags"], 16) & 1)
        state = b",".join(value for key, value in headers.pairs() if key == TRACESTATE).decode("latin-1")
        return OpenTelemetrySpan(self.random, match["trace"], new_id(self.random), sampled, state)
