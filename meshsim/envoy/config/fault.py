"""The fault filter: ``envoy.extensions.filters.http.fault.v3``, and what it has of ``common.fault.v3``."""

from __future__ import annotations

from meshsim.envoy.config.base import DurationNs, Message
from meshsim.envoy.config.matcher import HeaderMatcher
from meshsim.envoy.config.share import FractionalPercent

_COMMON = "envoy.extensions.filters.common.fault.v3"
_FAULT = "envoy.extensions.filters.http.fault.v3"


class HeaderDelay(Message):
    """The delay is what a request's header says."""

    proto = f"{_COMMON}.FaultDelay.HeaderDelay"


class FaultDelay(Message):
    """How long requests wait, and what share of them."""

    proto = f"{_COMMON}.FaultDelay"
    fixed_delay: DurationNs | None = None
    header_delay: HeaderDelay | None = None
    percentage: FractionalPercent = FractionalPercent()


class HeaderAbort(Message):
    """The status is what a request's header says."""

    proto = f"{_FAULT}.FaultAbort.HeaderAbort"


class FaultAbort(Message):
    """What requests are answered, and what share of them."""

    proto = f"{_FAULT}.FaultAbort"
    http_status: int | None = None
    grpc_status: int | None = None
    header_abort: HeaderAbort | None = None
    percentage: FractionalPercent = FractionalPercent()
    response_body: str = ""


class HTTPFault(Message):
    """The filter; a route may have another one of its own."""

    proto = f"{_FAULT}.HTTPFault"
    delay: FaultDelay | None = None
    abort: FaultAbort | None = None
    upstream_cluster: str = ""
    headers: tuple[HeaderMatcher, ...] = ()
    downstream_nodes: tuple[str, ...] = ()
    max_active_faults: int | None = None
    disable_downstream_cluster_stats: bool = False
