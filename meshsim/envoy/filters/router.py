"""The router: the last filter of a request, which finds an answer.

It redirects, answers directly, or forwards to a cluster and brings the response back. Everything that goes wrong on
the way becomes a local reply, in the words of Envoy 1.40.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from meshsim.abi.constants import DataAction, HeadersAction, TrailersAction
from meshsim.envoy.address import Address
from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.cluster import Cluster
from meshsim.envoy.config.core import DataSource, SubstitutionFormatString
from meshsim.envoy.config.http import Router as RouterConfig
from meshsim.envoy.filters.base import HttpFilter
from meshsim.envoy.filters.plan import Plan
from meshsim.envoy.filters.tries import Tries
from meshsim.envoy.formatter import Formatter, content_type, format_body
from meshsim.envoy.hashing import request_hash
from meshsim.envoy.headers import HeaderMap, as_number
from meshsim.envoy.local_reply import LocalReply
from meshsim.envoy.redirect import REDIRECT_STATUS, direct_location, redirect_location
from meshsim.envoy.retry import GRPC_CONDITIONS, HTTP_CONDITIONS, Retries, unknown_conditions
from meshsim.envoy.rewriting import rewrite, set_host
from meshsim.envoy.routing import Match
from meshsim.envoy.stats import Counters
from meshsim.envoy.stream import Stream
from meshsim.envoy.timeouts import Timeouts
from meshsim.envoy.upstream import UpstreamFailure

_NOT_FOUND_STATUS = {"SERVICE_UNAVAILABLE": 503, "NOT_FOUND": 404, "INTERNAL_SERVER_ERROR": 500}
#: Failures of the pool, before there is a connection.
_OF_POOL = frozenset(("UF", "UO"))

#: Headers that can be checked, and what is wrong with a value.
_CHECKS: Mapping[str, Callable[[bytes], bool]] = {
    "x-envoy-upstream-rq-timeout-ms": lambda value: as_number(value) is None,
    "x-envoy-upstream-rq-per-try-timeout-ms": lambda value: as_number(value) is None,
    "x-envoy-max-retries": lambda value: as_number(value) is None,
    "x-envoy-retry-on": lambda value: unknown_conditions(value.decode("latin-1"), HTTP_CONDITIONS),
    "x-envoy-retry-grpc-on": lambda value: unknown_conditions(value.decode("latin-1"), GRPC_CONDITIONS),
}


class Router(HttpFilter):
    """The router of one stream."""

    def __init__(
        self,
        config: RouterConfig,
        clusters: Mapping[str, Cluster],
        stats: Counters,
        now_ns: Callable[[], int],
        values: Callable[[Stream], Formatter],
        random: Random,
        host_name: Callable[[str, Address], str],
        bytes_of: Callable[[DataSource | None], bytes],
    ) -> None:
        self._config = config
        self._clusters = clusters
        self._stats = stats
        self._now_ns = now_ns
        self._values = values
        self._random = random
        self._host_name = host_name
        self._bytes_of = bytes_of
        self._tries: Tries | None = None
        self._answered = False
        self._request_complete_ns = -1
        self._match: Match | None = None

    # -- the request ---

    def decode_headers(self, headers: HeaderMap, end: bool) -> HeadersAction:
        """Decide where the request goes."""
        self._stats.add("rq_total")
        match = self._match = self.stream.take_route()
        if (reply := self._wrong_header(headers)) is not None:
            self._reply(reply)
        elif match is None:
            self._stats.add("no_route")
            self._reply(LocalReply(404, details="route_not_found", flag="NR"))
        elif match.route.direct_response or match.route.redirect:
            self._stats.add("rq_direct_response")
            self._answer_directly(match, headers)
        else:
            self._forward(match, headers, end)
        return HeadersAction.STOP_ITERATION

    def decode_data(self, data: BodyBuffer, end: bool) -> DataAction:
        """Send a piece of the body upstream; what another try may need stays with what filters keep.

        So a filter sees it again when it buffers later, and sends it again when it continues, as in Envoy.
        """
        if end:
            self._request_complete_ns = self._now_ns()
        if self._tries:
            self._tries.send_data(data, end)
        if self._tries and self._tries.may_retry:
            self.stream.request.keep(data, streaming=True)
        else:
            data.data = bytearray()
        return DataAction.STOP_NO_BUFFER

    def kept_body(self) -> BodyBuffer | None:
        """Give what is kept of the request's body."""
        return self.stream.request.buffered

    def decode_trailers(self, trailers: HeaderMap) -> TrailersAction:
        """Send the trailers upstream."""
        self._request_complete_ns = self._now_ns()
        if self._tries:
            self._tries.send_trailers(trailers)
        return TrailersAction.STOP_ITERATION

    def answered_locally(self) -> None:
        """Leave an upstream request that nobody waits for, at once: filters may hold the answer for long."""
        self.destroy()

    def destroy(self) -> None:
        """Leave an upstream request that is still open."""
        if self._tries:
            self._tries.leave()

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
            if direct and direct.body_format:
                self._set_type(response, direct.body_format)

        if direct:
            body = self._bytes_of(direct.body)
            if direct.body_format:
                body = format_body(direct.body_format, self.stream, body)
            self._reply(LocalReply(direct.status, body, "direct_response", edit=edit))
        elif redirect:
            self._reply(LocalReply(REDIRECT_STATUS[redirect.response_code], details="direct_response", edit=edit))

    def _set_type(self, response: HeaderMap, form: SubstitutionFormatString) -> None:
        """Tell the type of a formatted body, but not that of plain text, which need not be told."""
        if form.content_type or form.json_format is not None:
            response.put(b"content-type", content_type(form))

    def _wrong_header(self, headers: HeaderMap) -> LocalReply | None:
        """Answer a request with a header that is to be checked and makes no sense."""
        for name in self._config.strict_check_headers:
            value = headers.get(name.encode())
            if value is not None and _CHECKS[name](value):
                body = f"invalid header '{name}' with value '{value.decode('utf-8', 'surrogateescape')}'"
                details = f"request_headers_failed_strict_check{{{name}}}"
                return LocalReply(400, body.encode("utf-8", "surrogateescape"), details, flag="IH")
        return None

    # -- upstream ---

    def _forward(self, match: Match, headers: HeaderMap, end: bool) -> None:
        cluster = self._clusters.get(match.cluster or "")
        if cluster is None:
            self._stats.add("no_cluster")
            status = _NOT_FOUND_STATUS[match.route.route.cluster_not_found_response_code] if match.route.route else 503
            self._reply(LocalReply(status, details="cluster_not_found", flag="NC"))
            return
        self.stream.info.attempts = 1
        plan = self._plan(match, cluster, headers) if cluster.hosts else self._no_plan(cluster)
        if end:
            self._request_complete_ns = self._now_ns()
        self._tries = Tries(self, plan, headers)
        self._tries.begin(end)

    def _plan(self, match: Match, cluster: Cluster, headers: HeaderMap) -> Plan:
        """Decide how the request is tried, and make of its headers what the upstream gets."""
        visible = not self._config.suppress_envoy_headers
        policy = match.retry_policy
        believed = self._config.respect_expected_rq_timeout
        action, client = match.route.route, self.stream.info.source[0]
        hash_value = request_hash(action.hash_policy, headers, client) if action and action.hash_policy else None
        timeouts = Timeouts.of(match.route.route, policy, headers, believe_expected=believed)
        headers.remove(b"x-envoy-upstream-alt-stat-name")
        if visible:
            timeouts.tell(headers)
        if match.host.include_request_attempt_count:
            headers.put(b"x-envoy-attempt-count", b"1")
        match.edit_request(headers, self._values(self.stream))
        rewrite(match, headers, keep_original=visible)
        limit = self.stream.request.limit_bytes if match.buffer_limit is None else match.buffer_limit
        retries = Retries.of(policy, headers)
        attempts = match.host.include_request_attempt_count
        traced, account = self.stream.traced, self.stream.info.account
        return Plan(cluster, timeouts, retries, self._random, limit, visible, attempts, traced, hash_value, account)

    def _no_plan(self, cluster: Cluster) -> Plan:
        """A request that no host can get stays as it is."""
        return Plan(cluster, Timeouts(0, 0), None, self._random, 0, False, False)

    def upstream_chosen(self, address: Address, sent: HeaderMap) -> None:
        """Take note of the host that gets the request; the route may want its name."""
        assert self._match
        assert self._tries
        info = self.stream.info
        info.upstream, info.attempts = address, self._tries.number
        # Nothing of an earlier try is shown any more.
        info.upstream_connected, info.pool_answered = False, False
        info.transport_failure = info.upstream_protocol = ""
        action = self._match.route.route
        name = self._host_name(self._match.cluster or "", address)
        if action and action.auto_host_rewrite and name:
            visible = not self._config.suppress_envoy_headers
            for headers in (sent, self.stream.request_headers):
                set_host(headers, name.encode(), forwarded=action.append_x_forwarded_host, keep_original=visible)

    def upstream_connected(self) -> None:
        """Take note of the connection: its addresses and protocol can be read from now on."""
        assert self._tries
        self.stream.info.upstream_connected = self.stream.info.pool_answered = True
        self.stream.info.upstream_protocol = "HTTP/2" if self._tries.plan.cluster.http2 else "HTTP/1.1"

    def answer_informational(self, status: int) -> None:
        """Bring back a head that comes before the answer's."""
        self.stream.downstream.pass_informational(status)

    def answer_headers(self, headers: HeaderMap, end: bool) -> None:
        """Bring the response's headers back."""
        self._answered = True
        info = self.stream.info
        info.upstream_answer_ns = self._now_ns()
        if self._tries:
            info.upstream_begin_ns, info.upstream_sent_ns = self._tries.times_ns
        info.details = "via_upstream"
        self._note_end(end)
        info.code = as_number(headers.get(b":status"))
        if self._request_complete_ns >= 0 and not self._config.suppress_envoy_headers:
            elapsed_ms = (self._now_ns() - self._request_complete_ns) // 1_000_000
            headers.put(b"x-envoy-upstream-service-time", b"%d" % elapsed_ms)
        self.stream.response_headers = headers
        self._edit_response(headers)
        self.stream.respond_headers(headers, end)

    def answer_data(self, data: BodyBuffer, end: bool) -> None:
        """Bring a piece of the response's body back."""
        self._note_end(end)
        self.stream.respond_data(data, end)

    def answer_trailers(self, trailers: HeaderMap) -> None:
        """Bring the response's trailers back."""
        self._note_end(True)
        self.stream.respond_trailers(trailers)

    def _note_end(self, end: bool) -> None:
        if end:
            self.stream.info.upstream_complete_ns = self._now_ns()

    def no_answer(self, failure: UpstreamFailure) -> None:
        """Answer for an upstream that did not."""
        if not self.stream.over:
            if failure.flag in _OF_POOL:
                self.stream.info.pool_answered = True
            if self.stream.info.upstream is not None:
                self.stream.info.transport_failure = failure.transport

            def edit(response: HeaderMap) -> None:
                if failure.overload and not self._config.suppress_envoy_headers:
                    response.add(b"x-envoy-overloaded", b"true")
                self._tell_attempts(response)

            self._reply(LocalReply(failure.status, failure.body, failure.details, edit=edit, flag=failure.flag))

    def answer_cut(self, failure: UpstreamFailure) -> None:
        """End a response that has begun and will not be whole: it is cut, unless filters still hold its headers."""
        if not self.stream.over:
            details = failure.details.replace("reset_before_response", "reset_after_response")
            self._reply(LocalReply(failure.status, failure.body, details, flag=failure.flag))

    def retries_used_up(self) -> None:
        """Take note that there would be another try, were there any left."""
        self.stream.info.flags.append("URX")

    def retries_overflow(self) -> None:
        """Take note that there would be another try, did circuit breakers let it be."""
        self.stream.info.flags.append("UO")

    def _edit_response(self, response: HeaderMap) -> None:
        """Change a response's headers as the route says."""
        assert self._match
        self._match.edit_response(response, self._values(self.stream))
        self._tell_attempts(response)

    def _tell_attempts(self, response: HeaderMap) -> None:
        assert self._match
        assert self._tries
        if self._match.host.include_attempt_count_in_response:
            response.put(b"x-envoy-attempt-count", b"%d" % self._tries.number)
