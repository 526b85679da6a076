"""Envoy's tracing, as far as a filter or an upstream can see it: the mark in a request's id, and trace headers.

Theory of operation. A connection manager decides once, when a request comes, whether it is traced, and marks the
decision in ``x-request-id`` (in the digit that otherwise says which version of UUID it is), so that the next Envoy
decides alike. Its tracer then takes up the trace that the request belongs to, or begins one, and the router tells
each upstream by headers. Filters see a request's own headers; what the router tells comes behind them. Spans
themselves are sent nowhere: nothing that is simulated collects them.

All rules were seen in Envoy 1.40 (``ConnectionManagerUtility::mutateTracingRequestHeader``, the tracers' extractors).

==============  ===================================================
observer        a connection manager's part
decision        who is traced, and the mark of it
span            what all tracers have in common
zipkin          b3 headers
opentelemetry   ``traceparent`` and ``tracestate``
==============  ===================================================
"""

from meshsim.envoy.tracing.observer import Observer, Traced

__all__ = ["Observer", "Traced"]
