"""Zipkin's tracer: a trace in b3 headers, one or several, and in the W3C's if it is wanted."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from random import Random

from meshsim.envoy.config.tracing import ZipkinConfig
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.tracing.span import NULL_SPAN, TRACEPARENT, W3C, Span, append, new_id, text

_TRACE_ID, _SPAN_ID, _PARENT_ID, _SAMPLED = b"x-b3-traceid", b"x-b3-spanid", b"x-b3-parentspanid", b"x-b3-sampled"
_B3 = b"b3"
_TRACE, _SPAN = r"[0-9a-f]{32}|[0-9a-f]{16}", r"[0-9a-f]{16}"
_B3_SINGLE = re.compile(rf"(?P<trace>{_TRACE})-(?P<span>{_SPAN})(?:-(?P<sampled>[01d])(?:-(?P<parent>{_SPAN}))?)?")
_B3_SAMPLED = {"0": False, "1": True, "d": True}


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
        return replace(self, span=new_id(self.random), parent=self.span)

    def inject(self, headers: HeaderMap) -> None:
        """Tell an upstream by b3 headers."""
        sampled = "1" if self.sampled else "0"
        if self.single:
            append(headers, _B3, "-".join(filter(None, (self.trace, self.span, sampled, self.parent))))
        else:
            append(headers, _TRACE_ID, self.trace)
            append(headers, _SPAN_ID, self.span)
            if self.parent:
                append(headers, _PARENT_ID, self.parent)
            append(headers, _SAMPLED, sampled)
        if self.w3c:
            append(headers, TRACEPARENT, f"00-{self.trace:0>32}-{self.span}-0{sampled}")


@dataclass(frozen=True, slots=True)
class ZipkinTracer:
    """Zipkin's; ``joins`` says that a server's span is its client's, ``random`` makes ids."""

    config: ZipkinConfig
    joins: bool
    random: Random

    def start(self, headers: HeaderMap, traced: bool) -> Span:
        """Take up the trace of b3 headers, or begin one; what cannot be read is passed on as it is."""
        if (one := text(headers, _B3)) in _B3_SAMPLED:
            return self._begin(_B3_SAMPLED[one], single=True)
        if _B3 in headers:
            found = self._from_one(one, traced)
        elif _TRACE_ID in headers and _SPAN_ID in headers:
            found = self._from_many(headers, traced)
        elif self._w3c and (match := W3C.fullmatch(text(headers, TRACEPARENT))):
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
        span = new_id(self.random)
        trace = (new_id(self.random) if self.config.trace_id_128bit else "") + span
        return ZipkinSpan(self.random, trace, span, "", sampled, single, self._w3c)

    def _from_many(self, headers: HeaderMap, traced: bool) -> ZipkinSpan | None:
        trace, span, parent = (text(headers, name) for name in (_TRACE_ID, _SPAN_ID, _PARENT_ID))
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
