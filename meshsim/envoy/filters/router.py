"""The router: the last filter of a request, which finds an answer.

It redirects, answers directly, or forwards to a cluster and brings the response back. Everything that goes wrong on
the way becomes a local reply, in the words of Envoy 1.40.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from meshsim.abi.constants import DataAction, HeadersAction, TrailersAction
from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.cluster import Cluster
from meshsim.envoy.config.http import Router as RouterConfig
from meshsim.envoy.filters.base import HttpFilter
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.local_reply import LocalReply
from meshsim.envoy.redirect import REDIRECT_STATUS, direct_location, redirect_location
from meshsim.envoy.routing import Match, rewrite
from meshsim.envoy.stats import Counters
from meshsim.envoy.upstream import Upstream, UpstreamFailure

if TYPE_CHECKING:
    from meshsim.envoy.formatter import Values

_NOT_FOUND_STATUS = {"SERVICE_UNAVAILABLE": 503, "NOT_FOUND": 404, "INTERNAL_SERVER_ERROR": 500}
_DEFAULT_TIMEOUT_NS = 15_000_000_000


class Router(HttpFilter):
    """The router of one stream."""

    def __init__(
        self,
        config: RouterConfig,
        clusters: Mapping[str, Cluster],
        stats: Counters,
        now_ns: Callable[[], int],
        values: Callable[..., Values],
    ) -> None:
        self._config = config
        self._clusters = clusters
        self._stats = stats
        self._now_ns = now_ns
        self._values = values
        self._upstream: Upstream | None = None
        self._answered = False
        self._request_complete_ns = -1
        self._match: Match | None = None

    # -- the request ---

    def decode_headers(self, headers: HeaderMap, end: bool) -> HeadersAction:
        """Decide where the request goes."""
        self._stats.add("rq_total")
        match = self._match = self.stream.route
        if match is None:
            self._stats.add("no_route")
            self._reply(LocalReply(404, details="route_not_found", flag="NR"))
        elif match.route.direct_response or match.route.redirect:
            self._stats.add("rq_direct_response")
            self._answer_directly(match, headers)
        else:
            self._forward(match, headers, end)
        return HeadersAction.STOP_ITERATION

    def decode_data(self, data: BodyBuffer, end: bool) -> DataAction:
        """Send a piece of the body upstream."""
        piece, data.data = bytes(data.data), bytearray()
        if self._upstream:
            self._upstream.send_data(piece, end)
        if end:
            self._request_complete_ns = self._now_ns()
        return DataAction.STOP_NO_BUFFER

    def decode_trailers(self, trailers: HeaderMap) -> TrailersAction:
        """Send the trailers upstream."""
        if self._upstream:
            self._upstream.send_trailers(trailers)
        self._request_complete_ns = self._now_ns()
        return TrailersAction.STOP_ITERATION

    def destroy(self) -> None:
        """Leave an upstream request that is still open."""
        if self._upstream:
            self._upstream.cancel()

    # -- answers without an upstream ---

    def _reply(self, reply: LocalReply) -> None:
        self._answered = True
        self.stream.reply(reply)

    def _answer_directly(self, match: Match, headers: HeaderMap) -> None:
        direct, redirect = match.route.direct_response, match.route.redirect
        values = self._values(self.stream)
        location = ""
        if direct:
            location = direct_location(direct.status, headers)
        elif redirect:
            location = redirect_location(redirect, match.route.match, headers)

        def edit(response: HeaderMap) -> None:
            if location:
                response.add(b"location", location.encode("utf-8", "surrogateescape"))
            match.edit_response(response, values)

        if direct:
            body = (direct.body.inline if direct.body else None) or b""
            self._reply(LocalReply(direct.status, body, "direct_response", edit=edit))
        elif redirect:
            self._reply(LocalReply(REDIRECT_STATUS[redirect.response_code], details="direct_response", edit=edit))

    # -- upstream ---

    def _forward(self, match: Match, headers: HeaderMap, end: bool) -> None:
        cluster = self._clusters.get(match.cluster or "")
        if cluster is None:
            self._stats.add("no_cluster")
            status = _NOT_FOUND_STATUS[match.route.route.cluster_not_found_response_code] if match.route.route else 503
            self._reply(LocalReply(status, details="cluster_not_found", flag="NC"))
            return
        timeout_ns = _DEFAULT_TIMEOUT_NS if match.route.route is None else match.route.route.timeout
        timeout_ns = _DEFAULT_TIMEOUT_NS if timeout_ns is None else timeout_ns
        visible = not self._config.suppress_envoy_headers
        if timeout_ns and visible:
            headers.put(b"x-envoy-expected-rq-timeout-ms", b"%d" % (timeout_ns // 1_000_000))
        match.edit_request(headers, self._values(self.stream))
        rewrite(match, headers, keep_original=visible)
        if end:
            self._request_complete_ns = self._now_ns()
        self._upstream = cluster.request(self, headers.copy(), end, timeout_ns)

    def upstream_chosen(self, address: tuple[str, int]) -> None:
        """Take note of the host that gets the request."""
        self.stream.info.upstream = address
        self.stream.info.attempts += 1

    def upstream_headers(self, headers: HeaderMap, end: bool) -> None:
        """Bring the response's headers back."""
        assert self._match
        self._answered = True
        info = self.stream.info
        info.upstream_connected = True
        info.details = "via_upstream"
        info.first_upstream_byte_ns = self._now_ns()
        if self._request_complete_ns >= 0 and not self._config.suppress_envoy_headers:
            elapsed_ms = (self._now_ns() - self._request_complete_ns) // 1_000_000
            headers.put(b"x-envoy-upstream-service-time", b"%d" % elapsed_ms)
        self._match.edit_response(headers, self._values(self.stream))
        self.stream.respond_headers(headers, end)

    def upstream_data(self, data: BodyBuffer, end: bool) -> None:
        """Bring a piece of the response's body back."""
        self.stream.respond_data(data, end)

    def upstream_trailers(self, trailers: HeaderMap) -> None:
        """Bring the response's trailers back."""
        self.stream.respond_trailers(trailers)

    def upstream_failed(self, failure: UpstreamFailure) -> None:
        """Answer for an upstream that did not: a reply, or a cut when the response has begun."""
        self._upstream = None
        if self.stream.over:
            return
        if self._answered:
            self.stream.info.flags.append(failure.flag)
            self.stream.reset()
            return
        match = self._match

        def edit(response: HeaderMap) -> None:
            if match:
                match.edit_response(response, self._values(self.stream))

        self._reply(LocalReply(failure.status, failure.body, failure.details, edit=edit, flag=failure.flag))
