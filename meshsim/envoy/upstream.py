"""One request to a host of a cluster, and what may become of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Protocol

from meshsim.envoy import codec2
from meshsim.envoy.account import Account
from meshsim.envoy.address import Address
from meshsim.envoy.breakers import Breakers
from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.codec import (
    bodiless_status,
    ends_connection,
    head_bytes,
    is_unframed_status,
    request_to_wire,
    response_from_wire,
    unsendable,
)
from meshsim.envoy.headers import HeaderMap, as_number
from meshsim.envoy.pool import Pool
from meshsim.envoy.stats import Counters
from meshsim.envoy.threads import Thread, Timer
from meshsim.envoy.timer_heap import Armed
from meshsim.envoy.wire import End, Head, MessageReader, Part, Socket, body_parts


def _has_stray_framing(head: Head) -> bool:
    """Whether a response that cannot have a body announces one: the codec takes a length of 0 only."""
    length = as_number(head.value(b"content-length"))
    return is_unframed_status(head.status) and (head.encoding is not None or bool(length))


@dataclass(frozen=True, slots=True)
class UpstreamFailure:
    """Why there is no answer: the client gets ``status`` and ``body``; ``flag`` is the access log's.

    ``counts`` says whether the cluster counts it as an answer of its own, ``overload`` whether circuit breakers did it;
    ``transport`` is what the connection itself says of it.
    """

    status: int
    body: bytes
    details: str
    flag: str
    counts: bool = True
    overload: bool = False
    transport: str = ""


def _removed(what: str) -> UpstreamFailure:
    """Tell of a request that the filters left in a state that cannot be sent."""
    details = f"filter_removed_required_request_headers{{{'_'.join(what.split())}}}"
    return UpstreamFailure(503, what.encode("utf-8", "surrogateescape"), details, "DPE", counts=False)


def _reset(reason: str, flag: str) -> UpstreamFailure:
    body = f"upstream connect error or disconnect/reset before headers. reset reason: {reason}"
    details = f"upstream_reset_before_response_started{{{reason.replace(' ', '_')}}}"
    return UpstreamFailure(503, body.encode(), details, flag)


NO_HOST = UpstreamFailure(503, b"no healthy upstream", "no_healthy_upstream", "UH")
REFUSED = replace(
    _reset("remote connection failure", "UF"),
    details="upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}",
    transport="delayed connect error: Connection refused",
)
OVERFLOW = replace(_reset("overflow", "UO"), overload=True)
CUT = _reset("connection termination", "UC")
CUT_STREAM = _reset("remote reset", "UR")
PROTOCOL_ERROR = UpstreamFailure(
    502,
    b"upstream connect error or disconnect/reset before headers. reset reason: protocol error",
    "upstream_reset_before_response_started{protocol_error}",
    "UPE",
)
#: What a host counts with that has not answered, or not in time.
_NO_ANSWER, _TIMED_OUT = 503, 504
TIMED_OUT = UpstreamFailure(504, b"upstream request timeout", "response_timeout", "UT")


class ResponseTaker(Protocol):
    """Who wants the answer. It counts what comes, for the cluster: an answer that nobody gets is none."""

    def upstream_chosen(self, address: Address) -> None: ...
    def upstream_connected(self) -> None: ...
    def upstream_informational(self, status: int) -> None: ...
    def upstream_headers(self, headers: HeaderMap, end: bool) -> None: ...
    def upstream_data(self, data: BodyBuffer, end: bool) -> None: ...
    def upstream_trailers(self, trailers: HeaderMap) -> None: ...
    def upstream_failed(self, failure: UpstreamFailure) -> None: ...


class UpstreamCluster(Protocol):
    """What a request needs of its cluster."""

    @property
    def thread(self) -> Thread: ...
    @property
    def active(self) -> defaultdict[Address, int] | None: ...
    @property
    def stats(self) -> Counters: ...
    @property
    def answer_ns(self) -> int: ...
    @property
    def keep_trailers(self) -> bool: ...
    @property
    def http2(self) -> bool: ...
    @property
    def response_limits(self) -> tuple[int, int]: ...
    @property
    def breakers(self) -> Breakers | None: ...
    def pool(self, address: Address) -> Pool: ...
    def count_answer(self, status: int) -> None: ...
    def report(self, address: Address, status: int) -> None: ...


class Upstream:
    """One request to a host."""

    def __init__(
        self,
        cluster: UpstreamCluster,
        address: Address,
        taker: ResponseTaker,
        headers: HeaderMap,
        end: bool,
        timeout_ns: int,
        account: Account | None = None,
    ) -> None:
        self._cluster = cluster
        self._address = address
        self._account = account
        self._address = address
        self._asked_ns = cluster.thread.now_ns
        self._taker = taker
        self._method = headers.get(b":method")
        self._request_complete = False
        #: When the first and the last byte of the request left, in ns; -1 before.
        self.began_ns = self.sent_ns = -1
        self._over = False
        self._counted = False
        self._answered = False
        self._close_after = self._is_free = False
        self._idle: Armed | None = None
        self._timeout_ns = timeout_ns
        self._deadline: Timer | None = None
        self._reader = MessageReader(self, cluster.keep_trailers, self._has_no_body, cluster.http2, self._informational)
        self._unsendable = unsendable(headers)
        to_wire = codec2.request_to_wire if cluster.http2 else request_to_wire
        self._pending: list[Part] = [to_wire(headers, end)]
        self._socket: Socket | None = None
        self._pool = cluster.pool(address)
        self._pool.get(self)
        if end:
            self._complete_request()

    def _complete_request(self) -> None:
        """Nothing more will be sent: from now on the answer is waited for."""
        self._request_complete = True
        if self._socket is not None:
            self.sent_ns = self._cluster.thread.now_ns
        if self._timeout_ns and not self._over:
            self._deadline = self._cluster.thread.timer(self._time_out, self._timeout_ns)

    def _time_out(self) -> None:
        if not self._over:
            self._cluster.stats.add("upstream_rq_timeout")
            self.fail(TIMED_OUT)

    def _end(self) -> None:
        """Nothing of this exchange matters any more."""
        if self._socket is not None and not self._over and self._cluster.active is not None:
            self._cluster.active[self._address] -= 1
        self._over = True
        if self._counted and self._cluster.breakers:
            self._counted = False
            self._cluster.breakers.requests.give()
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
            self._pool.leave(self)
            if self._socket:
                self._socket.close()
            self._pool.connect_more()

    def _write(self, part: Part) -> None:
        if self._socket:
            self._socket.write(part)
        else:
            self._pending.append(part)

    def refused(self) -> None:
        """Nothing takes connections there."""
        self._fail(REFUSED)

    def overflowed(self) -> None:
        """Circuit breakers do not let it be."""
        self._fail(OVERFLOW)

    def _is_one_too_many(self, socket: Socket) -> bool:
        """Count a request that gets its connection; one that is too many leaves it to others."""
        breakers = self._cluster.breakers
        if breakers is None:
            return False
        if breakers.requests.is_left():
            breakers.requests.take()
            self._counted = True
            return False
        breakers.stats.add("upstream_rq_active_overflow")
        self._pool.put_back(socket)
        self.overflowed()
        return True

    def connected(self, socket: Socket) -> None:
        """Take a connection, and send what has waited for it."""
        if self._is_one_too_many(socket):
            return
        self._socket = socket
        if self._cluster.active is not None:
            self._cluster.active[self._address] += 1
        socket.reader = self
        socket.charge(self._account)
        if self._account is not None:
            self._account.network_ns += self._cluster.thread.now_ns - self._asked_ns
        self._cluster.stats.add("upstream_rq_total")
        self._taker.upstream_connected()
        if self._unsendable:
            self._end()
            socket.close()
            self._taker.upstream_failed(_removed(self._unsendable))
            return
        self.began_ns = self._cluster.thread.now_ns
        if self._request_complete:
            self.sent_ns = self.began_ns
        for part in self._pending:
            socket.write(part)
        self._pending.clear()

    # -- the response ---

    def on_read(self, parts: list[Part]) -> None:
        """Take what has arrived."""
        if not self._over:
            if not self._answered:
                self._answered = True
                self._cluster.thread.spend(self._cluster.answer_ns)
            self._reader.read(parts)

    def on_close(self) -> None:
        """Take note that the host has closed."""
        self._pool.connect_more()
        self._fail(CUT_STREAM if self._cluster.http2 else CUT)

    def _fail(self, failure: UpstreamFailure) -> None:
        if self._over:
            return
        if not failure.overload:
            self._cluster.report(self._address, _TIMED_OUT if failure is TIMED_OUT else _NO_ANSWER)
        self._end()
        self._taker.upstream_failed(failure)

    def timed_out(self) -> None:
        """Leave, because the answer takes too long."""
        if not self._over:
            self._cluster.report(self._address, _TIMED_OUT)
        self.cancel()

    def fail(self, failure: UpstreamFailure) -> None:
        """Give up, and close."""
        self._pool.leave(self)
        if self._socket:
            self._socket.close()
        self._pool.connect_more()
        self._fail(failure)

    def _informational(self, head: Head) -> None:
        if not self._over:
            self._cluster.count_answer(head.status)
            self._taker.upstream_informational(head.status)

    def headers(self, head: Head, end: bool) -> None:
        """Take the response's head."""
        if not head.is_framed or _has_stray_framing(head) or (not self._cluster.http2 and self._is_too_large(head)):
            self.fail(PROTOCOL_ERROR)
            return
        self._cluster.report(self._address, head.status)
        self._close_after = not self._cluster.http2 and ends_connection(head)
        if end:
            self._finish()
        self._taker.upstream_headers(response_from_wire(head), end)
        self._give_back()

    def _is_too_large(self, head: Head) -> bool:
        max_headers, max_bytes = self._cluster.response_limits
        return len(head.headers) > max_headers or head_bytes(head) > max_bytes

    def data(self, data: BodyBuffer, end: bool) -> None:
        """Take a piece of the response's body."""
        if self._over:
            return
        if end:
            self._finish()
        self._taker.upstream_data(data, end)
        self._give_back()

    def trailers(self, trailers: HeaderMap) -> None:
        """Take the response's trailers."""
        if not self._over:
            self._finish()
            self._taker.upstream_trailers(trailers)
            self._give_back()

    def _finish(self) -> None:
        assert self._socket
        is_last = self._close_after or not self._request_complete
        self._pool.rest(self._socket)
        self._end()
        if is_last:
            self._idle, self._socket.idle = self._socket.idle, None  # the timer goes when the answer has been taken
            self._socket.close()
            self._pool.connect_more()
        else:
            self._is_free = True

    def _give_back(self) -> None:
        """Let others have the connection, once the answer has been taken: what is asked for meanwhile gets another."""
        if self._idle is not None and self._cluster.thread.rounds is not None:
            self._cluster.thread.rounds.disarm(self._idle)
        if self._is_free:
            self._is_free = False
            assert self._socket
            self._pool.release(self._socket)
