"""How long a stream may be idle, incomplete or open at all, and what its client is told when it is over.

Seen in Envoy 1.40: a stream whose request is complete gets 504, one that still sends gets 408; once headers have gone
out, it is cut. Without a setting the idle time is five minutes, longer than anybody waits here: no timer runs, but it
has its place among the thread's timers (:mod:`meshsim.envoy.rounds`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from meshsim.envoy.config.http import HttpConnectionManager
from meshsim.envoy.local_reply import LocalReply
from meshsim.envoy.rounds import STREAM_IDLE_NS
from meshsim.envoy.routing import Match
from meshsim.envoy.stream import Stream
from meshsim.envoy.stream_states import Response
from meshsim.envoy.threads import Thread, Timer
from meshsim.envoy.timer_heap import Armed

_REQUEST_TIMEOUT, _GATEWAY_TIMEOUT = 408, 504
#: What a call of gRPC is told when a stream has lasted too long: DEADLINE_EXCEEDED.
_GRPC_TOO_LATE = 4


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Times in ns; 0 is for ever."""

    idle_ns: int
    request_ns: int
    total_ns: int
    #: Whether nobody has said how long a stream may be idle.
    has_default: bool = False

    @classmethod
    def of(cls, config: HttpConnectionManager, match: Match | None) -> StreamLimits:
        """Read the limits of a stream; the route's idle time replaces the connection manager's."""
        own = match.route.route.idle_timeout if match and match.route.route else None
        common = config.common_http_protocol_options
        return cls(
            (config.stream_idle_timeout or 0) if own is None else own,
            config.request_timeout or 0,
            (common.max_stream_duration if common else None) or 0,
            config.stream_idle_timeout is None and own is None,
        )


@dataclass(slots=True, eq=False)
class StreamTimers:
    """The timers of one stream."""

    stream: Stream
    thread: Thread
    limits: StreamLimits
    _timers: dict[str, Timer] = field(default_factory=dict)
    _default: Armed | None = None

    def begin(self) -> None:
        """The request's headers have come."""
        self._start("request", self._request_too_slow, self.limits.request_ns)
        self._start("total", self._too_long, self.limits.total_ns)
        self.moved()

    def moved(self) -> None:
        """Something has gone in or out."""
        self._stop("idle")
        if self.stream.request.is_through:
            self._stop("request")
        if not self.stream.over:
            self._start("idle", self._idle, self.limits.idle_ns)
        self.touched()

    def touched(self) -> None:
        """Arm the timer for which nobody waits anew."""
        rounds = self.thread.rounds
        if rounds is not None and self.limits.has_default:
            rounds.disarm(self._default)
            self._default = None if self.stream.over else rounds.arm(STREAM_IDLE_NS)

    def end(self) -> None:
        """The stream is over."""
        for name in list(self._timers):
            self._stop(name)
        self.touched()

    def _start(self, name: str, task: Callable[[], None], delay_ns: int) -> None:
        if delay_ns:
            self._timers[name] = self.thread.timer(task, delay_ns)

    def _stop(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _idle(self) -> None:
        self._answer(self._status, b"stream timeout", "stream_idle_timeout", "SI")

    def _request_too_slow(self) -> None:
        """The end of the request has not come, or a filter holds it; once there is an answer, nobody waits."""
        if self.stream.response is Response.NONE and not self.stream.request.is_through:
            self._answer(self._status, b"request timeout", "request_overall_timeout", "")

    def _too_long(self) -> None:
        self._answer(self._status, b"downstream duration timeout", "max_duration_timeout", "", _GRPC_TOO_LATE)

    @property
    def _status(self) -> int:
        return _GATEWAY_TIMEOUT if self.stream.request_complete else _REQUEST_TIMEOUT

    def _answer(self, status: int, body: bytes, details: str, flag: str, grpc_status: int | None = None) -> None:
        self.stream.reply(LocalReply(status, body, details, grpc_status, flag=flag))
