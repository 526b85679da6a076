"""What Envoy refuses when it makes a connection manager's tracer."""

from __future__ import annotations

from collections.abc import Iterator

from meshsim.envoy.config.constraints import violations
from meshsim.envoy.config.parsed import ParsedMessage, Problem
from meshsim.envoy.config.schema import Schema

_PACKAGE = "envoy.config.trace.v3."
_UNSET_VERSION = "DEPRECATED_AND_UNAVAILABLE_DO_NOT_USE"
_EXPORTERS = ("grpc_service", "http_service", "exporter")


def tracer_problems(provider: ParsedMessage, schema: Schema, clusters: frozenset[str]) -> Iterator[Problem]:
    """Yield what is wrong with who traces; ``clusters`` are the bootstrap's."""
    packed = provider.packed("typed_config")
    if not packed.message.startswith(_PACKAGE):
        words = (
            f"Didn't find a registered implementation for '{provider.get('name', '')}' with type URL: "
            f"'{packed.message}'"
        )
        yield Problem.said(words, provider.place)
    yield from packed.problems
    if isinstance(packed.value, ParsedMessage):
        yield from violations(packed.value, schema)
        if packed.message == f"{_PACKAGE}ZipkinConfig":
            yield from _zipkin_problems(packed.value, clusters)
        elif packed.message == f"{_PACKAGE}OpenTelemetryConfig":
            yield from _exporter_problems(packed.value)


def _zipkin_problems(zipkin: ParsedMessage, clusters: frozenset[str]) -> Iterator[Problem]:
    if zipkin.get("collector_endpoint_version", _UNSET_VERSION) == _UNSET_VERSION:
        words = (
            f"type {_PACKAGE}ZipkinConfig Using the default now-deprecated value {_UNSET_VERSION} for enum "
            f"'{_PACKAGE}ZipkinConfig.collector_endpoint_version' from file zipkin.proto."
        )
        yield Problem.said(words, zipkin.place)
    if "collector_service" in zipkin.values:
        return
    cluster = zipkin.get("collector_cluster", "")
    if not cluster or not zipkin.get("collector_endpoint"):
        words = "collector_cluster and collector_endpoint must be specified when not using collector_service"
        yield Problem.said(words, zipkin.place)
    if cluster not in clusters:
        yield Problem.said(f"envoy.tracers.zipkin: unknown cluster '{cluster}'", zipkin.place_of("collector_cluster"))


def _exporter_problems(config: ParsedMessage) -> Iterator[Problem]:
    if sum(name in config.values for name in _EXPORTERS) != 1:
        words = "OpenTelemetry Tracer must have exactly one of gRPC, HTTP, or custom exporter configured."
        yield Problem.said(words, config.place)
