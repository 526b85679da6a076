"""The local rate limit filter: a bucket of tokens for all workers, and 429 when it is empty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from meshsim.abi.constants import HeadersAction
from meshsim.envoy import formatter
from meshsim.envoy.config.core import HeaderValueOption
from meshsim.envoy.config.local_ratelimit import LocalRateLimit, TokenBucket
from meshsim.envoy.config.schema import known_schema
from meshsim.envoy.config.share import RuntimeFractionalPercent
from meshsim.envoy.filters.base import HttpFilter
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.local_reply import LocalReply
from meshsim.envoy.routing import edit_headers
from meshsim.envoy.thread_host import ThreadHost
from meshsim.envoy.threads import Thread

_S = 1_000_000_000
_RESOURCE_EXHAUSTED, _UNAVAILABLE = 8, 14
_TOO_MANY = 429


@dataclass(slots=True, eq=False)
class Bucket:
    """A bucket of tokens that fills all the time, as Envoy's does; full at first.

    Examples
    --------
    >>> bucket = Bucket(TokenBucket(max_tokens=1, fill_interval=1_000_000_000), 0)
    >>> bucket.take(0), bucket.take(500_000_000), bucket.take(1_000_000_000)
    (True, False, True)
    """

    config: TokenBucket
    time_ns: int
    _parts: int = -1

    @property
    def _interval_ns(self) -> int:
        return self.config.fill_interval

    def _fill(self, now_ns: int) -> None:
        """Tokens are counted in parts: one token is ``fill_interval`` parts, so that no fraction is lost."""
        full = self.config.max_tokens * self._interval_ns
        if self._parts < 0:
            self._parts = full
        rate = self.config.tokens_per_fill or 1
        self._parts = min(full, self._parts + (now_ns - self.time_ns) * rate)
        self.time_ns = now_ns

    def take(self, now_ns: int) -> bool:
        """Take a token; False when there is none."""
        self._fill(now_ns)
        if self._parts < self._interval_ns:
            return False
        self._parts -= self._interval_ns
        return True

    def left(self) -> int:
        """Return how many whole tokens are left."""
        return self._parts // self._interval_ns

    def next_ns(self) -> int:
        """Return how long it takes until the next token is there; 0 when one is."""
        missing = self._interval_ns - self._parts
        return max(0, -(-missing // (self.config.tokens_per_fill or 1)))


@dataclass(eq=False, slots=True)
class RateLimitUse:
    """A local rate limit filter in a chain; each of its configurations, by ``id``, has a bucket of its own."""

    name: str
    config: LocalRateLimit
    buckets: dict[object, Bucket] = field(default_factory=dict)

    def on_stream(self, host: ThreadHost) -> HttpFilter:
        """Make the filter for a stream on a worker."""
        host.thread.spend(host.process.costs.native_filter_ns)
        return RateLimitFilter(self, host)

    def bucket(self, config: LocalRateLimit, connection: int, now_ns: int) -> Bucket | None:
        """Return the bucket of a configuration, or of a connection where each has its own; None without any."""
        if config.token_bucket is None:
            return None
        key = (id(config), connection if config.local_rate_limit_per_downstream_connection else None)
        if key not in self.buckets:
            self.buckets[key] = Bucket(config.token_bucket, now_ns)
        return self.buckets[key]


class RateLimitFilter(HttpFilter):
    """The filter on one stream."""

    def __init__(self, use: RateLimitUse, host: ThreadHost) -> None:
        self._use = use
        self._thread: Thread = host.thread
        self._random: Random = host.process.random("rate limit")
        self._stats = host.process.stats
        self._config = use.config
        self._bucket: Bucket | None = None

    def decode_headers(self, headers: HeaderMap, end: bool) -> HeadersAction:
        """Take a token, or answer."""
        match = self.stream.take_route()
        own = match.own_config(self._use.name) if match else None
        if isinstance(own, LocalRateLimit):
            self._config = own
        config = self._config
        if not self._takes(config.filter_enabled):
            return HeadersAction.CONTINUE
        stats = self._stats.scope(f"{config.stat_prefix}.http_local_rate_limit")
        stats.add("enabled")
        now_ns = self._thread.now_ns
        self._bucket = self._use.bucket(config, self.stream.info.connection_id, now_ns)
        if self._bucket is None or self._bucket.take(now_ns):
            stats.add("ok")
            return HeadersAction.CONTINUE
        stats.add("rate_limited")
        if not self._takes(config.filter_enforced):
            self._edit(headers, config.request_headers_to_add_when_not_enforced)
            return HeadersAction.CONTINUE
        stats.add("enforced")
        self._refuse(config)
        return HeadersAction.STOP_ITERATION

    def encode_headers(self, headers: HeaderMap, end: bool) -> HeadersAction:
        """Tell what is left, where the configuration wants that."""
        if self._bucket is not None and self._config.enable_x_ratelimit_headers == "DRAFT_VERSION_03":
            headers.add(b"x-ratelimit-limit", b"%d" % self._bucket.config.max_tokens)
            headers.add(b"x-ratelimit-remaining", b"%d" % self._bucket.left())
            headers.add(b"x-ratelimit-reset", b"%d" % -(-self._bucket.next_ns() // _S))
        return HeadersAction.CONTINUE

    def _takes(self, share: RuntimeFractionalPercent | None) -> bool:
        return share is not None and share.default_value.takes(self._random)

    def _refuse(self, config: LocalRateLimit) -> None:
        status = status_of(config)

        def edit(headers: HeaderMap) -> None:
            self._edit(headers, config.response_headers_to_add)
            if config.enable_retry_after_header and status == _TOO_MANY and self._bucket is not None:
                headers.add(b"retry-after", b"%d" % -(-self._bucket.next_ns() // _S))

        grpc_status = _RESOURCE_EXHAUSTED if config.rate_limited_as_resource_exhausted else _UNAVAILABLE
        reply = LocalReply(status, b"local_rate_limited", "local_rate_limited", grpc_status, edit, flag="RL")
        self.stream.reply(reply)

    def _edit(self, headers: HeaderMap, options: Sequence[HeaderValueOption]) -> None:
        edit_headers(headers, (), options, formatter.values_of(self.stream))


def status_of(config: LocalRateLimit) -> int:
    """Return the status of who is refused; what is no error is 429, too.

    Examples
    --------
    >>> from meshsim.envoy.config.local_ratelimit import HttpStatus
    >>> status_of(LocalRateLimit()), status_of(LocalRateLimit(status=HttpStatus(code="ServiceUnavailable")))
    (429, 503)
    """
    code = config.status.code if config.status else 0
    status = known_schema().enum("envoy.type.v3.StatusCode").get(code, 0) if isinstance(code, str) else code
    return status if status >= 400 else _TOO_MANY
