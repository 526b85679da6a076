"""Clusters: choosing a host, connecting to it, and bringing its answer back.

A host is another listener of the same bootstrap, a simulated service, or nothing: then connections are refused, as
they are on a machine where nothing listens. Each worker has connections of its own and keeps them for later requests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from meshsim.envoy import codec2
from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.codec import bodiless_status, request_to_wire, response_from_wire, unsendable
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.stats import Counters
from meshsim.envoy.threads import Thread, Timer
from meshsim.envoy.wire import LOOPBACK_NS, End, Head, MessageReader, Part, Socket, body_parts

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class UpstreamFailure:
    """Why there is no answer: the client gets ``status`` and ``body``; ``flag`` is the access log's."""

    status: int
    body: bytes
    details: str
    flag: str


def _removed(what: str) -> UpstreamFailure:
    """Tell of a request that the filters left in a state that cannot be sent."""
    details = f"filter_removed_required_request_headers{{{'_'.join(what.split())}}}"
    return UpstreamFailure(503, what.encode("utf-8", "surrogateescape"), details, "DPE")


def _reset(reason: str, flag: str) -> UpstreamFailure:
    body = f"upstream connect error or disconnect/reset before headers. reset reason: {reason}"
    details = f"upstream_reset_before_response_started{{{reason.replace(' ', '_')}}}"
    return UpstreamFailure(503, body.encode(), details, flag)


NO_HOST = UpstreamFailure(503, b"no healthy upstream", "no_healthy_upstream", "UH")
REFUSED = replace(
    _reset("remote connection failure", "UF"),
    details="upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}",
)
CUT = _reset("connection termination", "UC")
CUT_STREAM = _reset("remote reset", "UR")
PROTOCOL_ERROR = UpstreamFailure(
    502,
    b"upstream connect error or disconnect/reset before headers. reset reason: protocol error",
    "upstream_reset_before_response_started{protocol_error}",
    "UPE",
)
TIMED_OUT = UpstreamFailure(504, b"upstream request timeout", "response_timeout", "UT")


class Listening(Protocol):
    """What takes connections at an address."""

    def accept(self, client: Thread, *, http2: bool = False) -> Socket:
        """Make a connection; return the client's end."""


class ResponseTaker(Protocol):
    """The router."""

    def upstream_chosen(self, address: Address) -> None: ...
    def upstream_headers(self, headers: HeaderMap, end: bool) -> None: ...
    def upstream_data(self, data: BodyBuffer, end: bool) -> None: ...
    def upstream_trailers(self, trailers: HeaderMap) -> None: ...
    def upstream_failed(self, failure: UpstreamFailure) -> None: ...


@dataclass(slots=True, eq=False)
class Cluster:
    """A cluster on one worker.

    ``find`` gives what listens at an address, or None; ``keep_trailers`` says whether HTTP/1 trailers are passed on,
    ``http2`` which protocol the hosts speak.
    """

    name: str
    hosts: list[Address]
    thread: Thread
    stats: Counters
    find: Callable[[Address], Listening | None]
    keep_trailers: bool = False
    http2: bool = False
    _next: int = 0
    _idle: dict[Address, list[Socket]] = field(default_factory=dict)

    def request(self, taker: ResponseTaker, headers: HeaderMap, end: bool, timeout_ns: int = 0) -> Upstream | None:
        """Begin a request; None when it has failed at once.

        The answer must be complete ``timeout_ns`` after the request is; 0 waits for ever.
        """
        if not self.hosts:
            self.count_failure(NO_HOST)
            taker.upstream_failed(NO_HOST)
            return None
        address = self.hosts[self._next % len(self.hosts)]
        self._next += 1
        taker.upstream_chosen(address)
        return Upstream(self, address, taker, headers, end, timeout_ns)

    def count_failure(self, failure: UpstreamFailure) -> None:
        """Count an answer that Envoy made for this cluster."""
        self.count_answer(failure.status)

    def count_answer(self, status: int) -> None:
        """Count an answer."""
        self.stats.add("upstream_rq_completed")
        self.stats.add_status("upstream_rq", status)

    def idle_connection(self, address: Address) -> Socket | None:
        """Take a connection that is open and free."""
        pool = self._idle.get(address, [])
        while pool:
            socket = pool.pop()
            if not socket.closed:
                return socket
        return None

    def release(self, address: Address, socket: Socket) -> None:
        """Keep a connection for a later request."""
        socket.reader = _Idle()
        self._idle.setdefault(address, []).append(socket)


class _Idle:
    """Nobody waits at this end."""

    def on_read(self, parts: list[Part]) -> None:
        """Nothing is expected."""

    def on_close(self) -> None:
        """The socket knows."""


class Upstream:
    """One request to a host."""

    def __init__(
        self, cluster: Cluster, address: Address, taker: ResponseTaker, headers: HeaderMap, end: bool, timeout_ns: int
    ) -> None:
        self._cluster = cluster
        self._address = address
        self._taker = taker
        self._method = headers.get(b":method")
        self._request_complete = False
        self._over = False
        self._close_after = False
        self._timeout_ns = timeout_ns
        self._deadline: Timer | None = None
        self._reader = MessageReader(self, cluster.keep_trailers, self._has_no_body, cluster.http2)
        self._unsendable = unsendable(headers)
        to_wire = codec2.request_to_wire if cluster.http2 else request_to_wire
        self._pending: list[Part] = [to_wire(headers, end)]
        self._socket: Socket | None = cluster.idle_connection(address)
        if self._socket:
            self._connected(self._socket)
        else:
            cluster.thread.post(self._connect, LOOPBACK_NS)
        if end:
            self._complete_request()

    def _complete_request(self) -> None:
        """Nothing more will be sent: from now on the answer is waited for."""
        self._request_complete = True
        if self._timeout_ns and not self._over:
            self._deadline = self._cluster.thread.timer(self._time_out, self._timeout_ns)

    def _time_out(self) -> None:
        if not self._over:
            self._cluster.stats.add("upstream_rq_timeout")
            self.fail(TIMED_OUT)

    def _end(self) -> None:
        """Nothing of this exchange matters any more."""
        self._over = True
        if self._deadline is not None:
            self._deadline.cancel()

    def _has_no_body(self, head: Head) -> bool:
        return self._method == b"HEAD" or bodiless_status(head.status)

    # -- the request ---

    def send_data(self, data: bytes, end: bool) -> None:
        """Send a piece of the body."""
        for part in body_parts(data, end, http2=self._cluster.http2):
            self._write(part)
        if end:
            self._complete_request()

    def send_trailers(self, trailers: HeaderMap) -> None:
        """Send the end of the body, with trailers."""
        passed_on = self._cluster.keep_trailers or self._cluster.http2
        self._write(End(tuple(trailers.pairs()) if passed_on else ()))
        self._complete_request()

    def cancel(self) -> None:
        """Leave; a connection with an unfinished exchange cannot be used again."""
        if not self._over:
            self._end()
            if self._socket:
                self._socket.close()

    def _write(self, part: Part) -> None:
        if self._socket:
            self._socket.write(part)
        else:
            self._pending.append(part)

    def _connect(self) -> None:
        """Connect; a connection that nobody waits for any more is kept for later requests."""
        server = self._cluster.find(self._address)
        if server is None:
            self._fail(REFUSED)
        elif self._over:
            self._cluster.release(self._address, server.accept(self._cluster.thread, http2=self._cluster.http2))
        else:
            self._connected(server.accept(self._cluster.thread, http2=self._cluster.http2))

    def _connected(self, socket: Socket) -> None:
        self._socket = socket
        socket.reader = self
        self._cluster.stats.add("upstream_rq_total")
        if self._unsendable:
            self._end()
            socket.close()
            self._taker.upstream_failed(_removed(self._unsendable))
            return
        for part in self._pending:
            socket.write(part)
        self._pending.clear()

    # -- the response ---

    def on_read(self, parts: list[Part]) -> None:
        """Take what has arrived."""
        if not self._over:
            self._reader.read(parts)

    def on_close(self) -> None:
        """Take note that the host has closed."""
        self._fail(CUT_STREAM if self._cluster.http2 else CUT)

    def _fail(self, failure: UpstreamFailure) -> None:
        if self._over:
            return
        self._end()
        self._cluster.count_failure(failure)
        self._taker.upstream_failed(failure)

    def fail(self, failure: UpstreamFailure) -> None:
        """Give up, and close."""
        if self._socket:
            self._socket.close()
        self._fail(failure)

    def headers(self, head: Head, end: bool) -> None:
        """Take the response's head."""
        if not head.is_framed:
            self.fail(PROTOCOL_ERROR)
            return
        self._close_after = (head.value(b"connection") or b"").lower() == b"close"
        self._cluster.count_answer(head.status)
        if end:
            self._finish()
        self._taker.upstream_headers(response_from_wire(head), end)

    def data(self, data: BodyBuffer, end: bool) -> None:
        """Take a piece of the response's body."""
        if self._over:
            return
        if end:
            self._finish()
        self._taker.upstream_data(data, end)

    def trailers(self, trailers: HeaderMap) -> None:
        """Take the response's trailers."""
        if not self._over:
            self._finish()
            self._taker.upstream_trailers(trailers)

    def _finish(self) -> None:
        self._end()
        assert self._socket
        if self._close_after or not self._request_complete:
            self._socket.close()
        else:
            self._cluster.release(self._address, self._socket)
