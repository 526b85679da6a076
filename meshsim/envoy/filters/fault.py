"""The fault filter: requests that wait, and requests that are answered with an error, by lot."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from meshsim.abi.constants import DataAction, HeadersAction, TrailersAction
from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.config.fault import HTTPFault
from meshsim.envoy.filters.base import HttpFilter
from meshsim.envoy.headers import HeaderMap, as_number
from meshsim.envoy.local_reply import LocalReply
from meshsim.envoy.routing import header_matches
from meshsim.envoy.stats import Counters
from meshsim.envoy.thread_host import ThreadHost
from meshsim.envoy.threads import Thread, Timer

_BODY = "fault filter abort"
_MS = 1_000_000


@dataclass(frozen=True, eq=False, slots=True)
class FaultUse:
    """A fault filter in a chain, by its name in the configuration."""

    name: str
    config: HTTPFault
    stats: Counters

    def on_stream(self, host: ThreadHost) -> HttpFilter:
        """Make the filter for a stream on a worker."""
        host.thread.spend(host.process.costs.native_filter_ns)
        return FaultFilter(self, host.thread, host.process.random("faults"))


class FaultFilter(HttpFilter):
    """The filter on one stream."""

    def __init__(self, use: FaultUse, thread: Thread, random: Random) -> None:
        self._use = use
        self._thread = thread
        self._random = random
        self._fault = use.config
        self._waits: Timer | None = None
        self._active = False

    def decode_headers(self, headers: HeaderMap, end: bool) -> HeadersAction:
        """Let the request wait, answer it, or let it pass."""
        match = self.stream.take_route()
        own = match.own_config(self._use.name) if match else None
        if isinstance(own, HTTPFault):
            self._fault = own
        if not self._concerns(headers):
            return HeadersAction.CONTINUE
        delay_ns = self._delay_ns(headers)
        if delay_ns and self._begin():
            self._use.stats.add("delays_injected")
            self._count_client(headers, "delays_injected")
            self.stream.info.flags.append("DI")
            self._waits = self._thread.timer(lambda: self._go_on(headers), delay_ns)
            return HeadersAction.STOP_ITERATION
        return HeadersAction.STOP_ITERATION if self._aborts(headers) else HeadersAction.CONTINUE

    def decode_data(self, data: BodyBuffer, end: bool) -> DataAction:
        """Hold the body of a request that waits."""
        return DataAction.STOP_AND_WATERMARK if self._waits else DataAction.CONTINUE

    def decode_trailers(self, trailers: HeaderMap) -> TrailersAction:
        """Hold the trailers of a request that waits."""
        return TrailersAction.STOP_ITERATION if self._waits else TrailersAction.CONTINUE

    def destroy(self) -> None:
        """End what is under way."""
        if self._waits:
            self._waits.cancel()
        if self._active:
            self._use.stats.add("active_faults", -1)

    # -- whom it concerns ---

    def _concerns(self, headers: HeaderMap) -> bool:
        fault, match = self._fault, self.stream.route
        forwards_to = match.cluster if match and match.route.route else None
        node = (headers.get(b"x-envoy-downstream-service-node") or b"").decode("utf-8", "surrogateescape")
        return (
            (not fault.upstream_cluster or fault.upstream_cluster == forwards_to)
            and (not fault.downstream_nodes or node in fault.downstream_nodes)
            and all(header_matches(condition, headers) for condition in fault.headers)
        )

    def _begin(self) -> bool:
        """Count a stream with a fault, once; False when there are as many as there may be."""
        if self._active:
            return True
        limit = self._fault.max_active_faults
        if limit is not None and self._use.stats.value("active_faults") >= limit:
            self._use.stats.add("faults_overflow")
            return False
        self._use.stats.add("active_faults")
        self._active = True
        return True

    def _count_client(self, headers: HeaderMap, what: str) -> None:
        """Count for the cluster that the request says it comes from."""
        client = headers.get(b"x-envoy-downstream-service-cluster")
        if client and not self._fault.disable_downstream_cluster_stats:
            self._use.stats.add(f"{client.decode('utf-8', 'surrogateescape')}.{what}")

    # -- delays ---

    def _delay_ns(self, headers: HeaderMap) -> int:
        delay = self._fault.delay
        if delay is None or not delay.percentage.takes(self._random, _share(headers, b"delay", delay.header_delay)):
            return 0
        if delay.header_delay is not None:
            return (as_number(headers.get(b"x-envoy-fault-delay-request")) or 0) * _MS
        return delay.fixed_delay or 0

    def _go_on(self, headers: HeaderMap) -> None:
        self._waits = None
        if not self._aborts(headers):
            self.stream.request.resume(self.request_slot)

    # -- aborts ---

    def _aborts(self, headers: HeaderMap) -> bool:
        abort = self._fault.abort
        if abort is None or not abort.percentage.takes(self._random, _share(headers, b"abort", abort.header_abort)):
            return False
        status, grpc_status = abort.http_status, abort.grpc_status
        if abort.header_abort is not None:
            status = as_number(headers.get(b"x-envoy-fault-abort-request"))
            status = status if status is not None and 200 <= status < 600 else None
            grpc_status = as_number(headers.get(b"x-envoy-fault-abort-grpc-request")) if status is None else None
        if (status is None and grpc_status is None) or not self._begin():
            return False
        self._use.stats.add("aborts_injected")
        self._count_client(headers, "aborts_injected")
        body = (abort.response_body or _BODY).encode()
        self.stream.reply(LocalReply(status or 200, body, "fault_filter_abort", grpc_status, flag="FI"))
        return True


def _share(headers: HeaderMap, what: bytes, by_header: object) -> int | None:
    """Return the share that a request wants for itself, where its headers decide."""
    return as_number(headers.get(b"x-envoy-fault-%b-request-percentage" % what)) if by_header is not None else None
