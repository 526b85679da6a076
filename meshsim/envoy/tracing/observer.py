"""A connection manager's part in tracing: what a request's upstreams and its client are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from meshsim.envoy.config.listener import Listener
from meshsim.envoy.config.route import Route
from meshsim.envoy.config.tracing import OpenTelemetryConfig, Tracing, ZipkinConfig
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.stats import Counters
from meshsim.envoy.tracing.decision import Reason, Sampling, decide
from meshsim.envoy.tracing.opentelemetry import OpenTelemetryTracer
from meshsim.envoy.tracing.span import NullTracer, Span, Tracer
from meshsim.envoy.tracing.zipkin import ZipkinTracer

_OPERATION = b"x-envoy-decorator-operation"

_COUNTERS = {
    Reason.SAMPLED: "tracing.random_sampling",
    Reason.FORCED: "tracing.service_forced",
    Reason.CLIENT: "tracing.client_enabled",
    Reason.NONE: "tracing.not_traceable",
}


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
