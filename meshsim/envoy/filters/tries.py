"""The tries that a router makes to get an answer, and how long it waits for them.

Theory of operation. A request is sent to a host of its cluster. An answer or a failure that the retry policy takes
is thrown away, and after a while the request is sent again, its body from a copy; filters see nothing of it. Two
clocks run once the request is complete: one for the whole exchange, one for each try, which matters no more when
the client has got headers. Seen in Envoy 1.40.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from meshsim.envoy.address import Address
from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.filters.plan import Asker, Plan
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.retry import Retries
from meshsim.envoy.threads import Timer
from meshsim.envoy.upstream import CUT, NO_HOST, PROTOCOL_ERROR, Upstream, UpstreamFailure

_GATEWAY_TIMEOUT = 504
_NO_ROOM = UpstreamFailure(
    507,
    b"exceeded request buffer limit while retrying upstream",
    "request_payload_exceeded_retry_buffer_limit",
    "",
)


@dataclass(slots=True, eq=False)
class Tries:
    """One request on its way upstream."""

    asker: Asker
    plan: Plan
    headers: HeaderMap
    number: int = 1
    _retries: Retries | None = None
    _trailers: HeaderMap | None = None
    _complete_ns: int = -1
    _upstream: Upstream | None = None
    _answered: bool = False
    _over: bool = False
    _retrying: bool = False
    _timers: dict[str, Timer] = field(default_factory=dict)

    @property
    def times_ns(self) -> tuple[int, int]:
        """When the first and the last byte of this try left, in ns; -1 before."""
        return (self._upstream.began_ns, self._upstream.sent_ns) if self._upstream else (-1, -1)

    # -- the request ---

    def begin(self, end: bool) -> None:
        """Make the first try; ``end`` says that the request has no body."""
        self._retries = self.plan.retries
        self._send(end)
        if end:
            self._complete()

    def send_data(self, data: BodyBuffer, end: bool) -> None:
        """Send a piece of the body; the asker keeps it for another try while there is room (:attr:`may_retry`)."""
        if self._over:
            return
        self._give_up_retries_without_room(data)
        if self._upstream:
            self._upstream.send_data(bytes(data.data), end)
        if end:
            self._complete()

    def send_trailers(self, trailers: HeaderMap) -> None:
        """Send the end of the body, with trailers."""
        if self._over:
            return
        self._trailers = trailers
        if self._upstream:
            self._upstream.send_trailers(trailers)
        self._complete()

    def leave(self) -> None:
        """Forget the answer; an exchange that goes on is cut."""
        self._end()
        if self._upstream:
            self._upstream.cancel()

    @property
    def may_retry(self) -> bool:
        """Whether another try may need the request's body."""
        return self._retries is not None

    def _give_up_retries_without_room(self, data: BodyBuffer) -> None:
        if self._retries is None:
            return
        kept = self.asker.kept_body()
        before = kept.size() if kept is not None and kept is not data else 0
        if before + data.size() > self.plan.limit_bytes:
            self._retries = None
            if self._upstream is None:
                self._give_up(_NO_ROOM)

    def _send(self, end: bool) -> None:
        if self.plan.traced:
            self.plan.traced.tell_upstream(self.headers)
        sent = self.headers.copy()
        self._upstream = self.plan.cluster.request(
            _Try(self, sent), sent, end, hash_value=self.plan.hash_value, account=self.plan.account
        )

    def _complete(self) -> None:
        """The request has been sent; from now on the answer is waited for."""
        if self._over:
            return
        self._complete_ns = self._now_ns()
        self._start("total", self._time_out, self.plan.timeouts.total_ns)
        self._wait_for_try()

    def _now_ns(self) -> int:
        return self.plan.cluster.thread.now_ns

    # -- clocks ---

    def _start(self, name: str, task: Callable[[], None], delay_ns: int) -> None:
        if delay_ns:
            self._timers[name] = self.plan.cluster.thread.timer(task, delay_ns)

    def _stop(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _wait_for_try(self) -> None:
        self._stop("try")
        if self._complete_ns >= 0 and self._upstream:
            self._start("try", self._try_timed_out, self.plan.timeouts.per_try_ns)

    def _time_out(self) -> None:
        """The whole exchange takes too long."""
        if self._upstream:
            self.plan.cluster.stats.add("upstream_rq_timeout")
        self._abandon(self._timed_out("response_timeout"))

    def _try_timed_out(self) -> None:
        if self._answered:
            return
        self.plan.cluster.stats.add("upstream_rq_per_try_timeout")
        failure = self._timed_out("upstream_per_try_timeout")
        if self._retries is not None and self._tries_again(self._retries.takes_failure(failure.flag)):
            if self._upstream:
                self._upstream.timed_out()
            self._wait_to_retry()
        else:
            self._abandon(failure)

    def _timed_out(self, details: str) -> UpstreamFailure:
        status = self.plan.timeouts.status
        body = b"upstream request timeout" if status == _GATEWAY_TIMEOUT else b""
        return UpstreamFailure(status, body, details, "UT")

    def _abandon(self, failure: UpstreamFailure) -> None:
        """Leave a try that is under way; the time-out is the cluster's answer."""
        if self._upstream:
            self._upstream.timed_out()
            if not self._answered:
                self.plan.cluster.count_failure(failure)
        self._give_up(failure)

    # -- the outcome of a try ---

    def headers_came(self, headers: HeaderMap, end: bool) -> None:
        """Take the head of an answer, or throw it away."""
        if self._retries is not None and self._tries_again(self._retries.takes_answer(headers)):
            if self._upstream and not end:
                self._upstream.cancel()
            self._wait_to_retry()
            return
        self.plan.cluster.count_answer(int(headers.get(b":status") or 0))
        self._answered = True
        self._end_if(end)
        self.asker.answer_headers(headers, end)

    def data_came(self, data: BodyBuffer, end: bool) -> None:
        """Take a piece of the answer's body."""
        self._end_if(end)
        self.asker.answer_data(data, end)

    def trailers_came(self, trailers: HeaderMap) -> None:
        """Take the answer's trailers."""
        self._end_if(True)
        self.asker.answer_trailers(trailers)

    def failed(self, failure: UpstreamFailure) -> None:
        """Take note that a try has failed."""
        self._upstream = None
        if self._answered:
            # A message of HTTP/1.1 that ends too early is one that cannot be read.
            self._give_up(PROTOCOL_ERROR if failure is CUT else failure)
        elif self._retries is not None and self._tries_again(self._retries.takes_failure(failure.flag)):
            self._wait_to_retry()
        else:
            self.plan.cluster.count_failure(failure)
            self._give_up(failure)

    def _give_up(self, failure: UpstreamFailure) -> None:
        self._end()
        if self._answered:
            self.asker.answer_cut(self._in_words(failure))
        else:
            self.asker.no_answer(self._in_words(failure))

    def _in_words(self, failure: UpstreamFailure) -> UpstreamFailure:
        if self.number == 1 or failure is NO_HOST:
            return failure
        body = failure.body.replace(b"headers. reset reason", b"headers. retried and the latest reset reason")
        return replace(failure, body=body)

    def _end_if(self, end: bool) -> None:
        if end:
            self._end()

    def _end(self) -> None:
        self._over = True
        self._retry_is_over()
        for name in list(self._timers):
            self._stop(name)

    # -- trying again ---

    def _tries_again(self, wanted: bool) -> bool:
        """Take one of the retries that are left, if one is wanted."""
        retries, stats = self._retries, self.plan.cluster.stats
        self._retry_is_over()
        if retries is None or not wanted or self._answered:
            if retries is not None and retries.made:
                stats.add("upstream_rq_retry_success")
            return False
        if not retries.left:
            stats.add("upstream_rq_retry_limit_exceeded")
            self.asker.retries_used_up()
            return False
        retries.left -= 1
        allowed = self.plan.cluster.retries
        if allowed is not None:
            if not allowed.is_left():
                stats.add("upstream_rq_retry_overflow")
                self.asker.retries_overflow()
                return False
            allowed.take()
            self._retrying = True
        stats.add("upstream_rq_retry")
        retries.made += 1
        return True

    def _retry_is_over(self) -> None:
        if self._retrying and self.plan.cluster.retries is not None:
            self._retrying = False
            self.plan.cluster.retries.give()

    def _wait_to_retry(self) -> None:
        self._upstream = None
        self._stop("try")
        if self._retries is not None:
            self._start("retry", self._retry, 1 + self._retries.back_off_ns(self.plan.random))

    def _retry(self) -> None:
        self.number += 1
        if self.plan.tells_attempt:
            self.headers.put(b"x-envoy-attempt-count", b"%d" % self.number)
        if self.plan.tells_timeout:
            elapsed_ns = self._now_ns() - self._complete_ns if self._complete_ns >= 0 else 0
            self.plan.timeouts.tell(self.headers, elapsed_ns)
        complete = self._complete_ns >= 0
        end = complete and self._trailers is None
        kept = self.asker.kept_body()
        body = bytes(kept.data) if kept else b""
        self._send(end and not body)
        if self._upstream and body:
            self._upstream.send_data(body, end)
        if self._upstream and self._trailers is not None:
            self._upstream.send_trailers(self._trailers)
        self._wait_for_try()


@dataclass(frozen=True, slots=True)
class _Try:
    """One of the tries, as the cluster sees it."""

    tries: Tries
    sent: HeaderMap

    def upstream_chosen(self, address: Address) -> None:
        self.tries.asker.upstream_chosen(address, self.sent)

    def upstream_connected(self) -> None:
        self.tries.asker.upstream_connected()

    def upstream_informational(self, status: int) -> None:
        self.tries.asker.answer_informational(status)

    def upstream_headers(self, headers: HeaderMap, end: bool) -> None:
        self.tries.headers_came(headers, end)

    def upstream_data(self, data: BodyBuffer, end: bool) -> None:
        self.tries.data_came(data, end)

    def upstream_trailers(self, trailers: HeaderMap) -> None:
        self.tries.trailers_came(trailers)

    def upstream_failed(self, failure: UpstreamFailure) -> None:
        self.tries.failed(failure)
