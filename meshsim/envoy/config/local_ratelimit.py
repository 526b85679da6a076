"""The local rate limit filter: ``envoy.extensions.filters.http.local_ratelimit.v3``."""

from __future__ import annotations

from typing import Literal

from meshsim.envoy.config.base import DurationNs, Message
from meshsim.envoy.config.core import HeaderValueOption
from meshsim.envoy.config.share import RuntimeFractionalPercent


class TokenBucket(Message):
    """A bucket that fills at a steady rate: ``tokens_per_fill`` (1) each ``fill_interval``."""

    proto = "envoy.type.v3.TokenBucket"
    max_tokens: int = 0
    tokens_per_fill: int | None = None
    fill_interval: DurationNs = 0


class HttpStatus(Message):
    """A status by its name."""

    proto = "envoy.type.v3.HttpStatus"
    code: str | int = ""


class LocalRateLimit(Message):
    """The filter; a route may have another one of its own."""

    proto = "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
    stat_prefix: str = ""
    status: HttpStatus | None = None
    token_bucket: TokenBucket | None = None
    filter_enabled: RuntimeFractionalPercent | None = None
    filter_enforced: RuntimeFractionalPercent | None = None
    request_headers_to_add_when_not_enforced: tuple[HeaderValueOption, ...] = ()
    response_headers_to_add: tuple[HeaderValueOption, ...] = ()
    local_rate_limit_per_downstream_connection: bool = False
    enable_x_ratelimit_headers: Literal["OFF", "DRAFT_VERSION_03"] = "OFF"
    rate_limited_as_resource_exhausted: bool = False
    enable_retry_after_header: bool = False
