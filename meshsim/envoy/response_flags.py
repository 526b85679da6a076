"""Response flags: why a response is as it is, in a short name, a bit (``response.flags``) and a long name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class ResponseFlag(NamedTuple):
    """One flag of Envoy's ``CoreResponseFlag``."""

    bit: int
    long_name: str


FLAGS: Mapping[str, ResponseFlag] = {
    "UH": ResponseFlag(1, "NoHealthyUpstream"),
    "UT": ResponseFlag(2, "UpstreamRequestTimeout"),
    "UR": ResponseFlag(4, "UpstreamRemoteReset"),
    "UF": ResponseFlag(5, "UpstreamConnectionFailure"),
    "UC": ResponseFlag(6, "UpstreamConnectionTermination"),
    "UO": ResponseFlag(7, "UpstreamOverflow"),
    "NR": ResponseFlag(8, "NoRouteFound"),
    "DI": ResponseFlag(9, "DelayInjected"),
    "FI": ResponseFlag(10, "FaultInjected"),
    "RL": ResponseFlag(11, "RateLimited"),
    "DC": ResponseFlag(14, "DownstreamConnectionTermination"),
    "URX": ResponseFlag(15, "UpstreamRetryLimitExceeded"),
    "SI": ResponseFlag(16, "StreamIdleTimeout"),
    "IH": ResponseFlag(17, "InvalidEnvoyRequestHeaders"),
    "DPE": ResponseFlag(18, "DownstreamProtocolError"),
    "NFCF": ResponseFlag(21, "NoFilterConfigFound"),
    "UPE": ResponseFlag(23, "UpstreamProtocolError"),
    "NC": ResponseFlag(24, "NoClusterFound"),
}


def flag_bits(flags: Iterable[str]) -> int:
    """Give flags as one number.

    Examples
    --------
    >>> flag_bits(["NR", "UF", "NR"])
    288
    """
    return sum(1 << FLAGS[flag].bit for flag in set(flags))
