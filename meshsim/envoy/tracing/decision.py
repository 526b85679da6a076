"""Who is traced, and the mark of it in a request's id."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from random import Random

from meshsim.envoy.config.route import Route
from meshsim.envoy.config.share import FractionalPercent
from meshsim.envoy.config.tracing import Percent, Tracing
from meshsim.envoy.headers import HeaderMap

_REQUEST_ID = b"x-request-id"
_ID_LENGTH, _MARK = 36, 14


class Reason(Enum):
    """Why a request is traced, by the digit that marks it in a request's id."""

    SAMPLED = b"9"
    FORCED = b"a"
    CLIENT = b"b"
    NONE = b"4"


_DENOMINATORS = {"HUNDRED": 100, "TEN_THOUSAND": 10_000, "MILLION": 1_000_000}


@dataclass(frozen=True, slots=True)
class Share:
    """A share of all requests: ``part`` of ``whole``."""

    part: int = 10_000
    whole: int = 10_000

    @classmethod
    def of(cls, given: FractionalPercent | Percent | None) -> Share:
        """Read a share; all when none is given."""
        match given:
            case FractionalPercent():
                return cls(given.numerator, _DENOMINATORS[given.denominator])
            case Percent():
                return cls(round(given.value * 100))
        return cls()

    def takes(self, number: int) -> bool:
        """Whether a request of this number is among them."""
        return number % self.whole < self.part


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which requests are traced: of those whose client asks for it, of all, and at most."""

    client: Share
    random: Share
    overall: Share

    @classmethod
    def of(cls, config: Tracing, route: Route | None) -> Sampling:
        """Take a route's shares, or the connection manager's."""
        own = route.tracing if route else None
        if own is not None:
            return cls(Share.of(own.client_sampling), Share.of(own.random_sampling), Share.of(own.overall_sampling))
        given = config.client_sampling, config.random_sampling, config.overall_sampling
        return cls(*map(Share.of, given))


def decide(headers: HeaderMap, sampling: Sampling, random: Random) -> Reason:
    """Decide whether a request is traced, and mark its id; one without a readable id is not."""
    request_id = headers.get(_REQUEST_ID) or b""
    number = _hexadecimal(request_id[:8])
    if number is None:
        return Reason.NONE
    number %= 10_000
    before = reason = _marked(request_id)
    if reason is Reason.NONE:
        if b"x-client-trace-id" in headers and sampling.client.takes(random.randrange(sampling.client.whole)):
            reason = Reason.CLIENT
        elif b"x-envoy-force-trace" in headers:
            reason = Reason.FORCED
        elif sampling.random.takes(number):
            reason = Reason.SAMPLED
    if not sampling.overall.takes(number):
        reason = Reason.NONE
    if reason is not before and len(request_id) == _ID_LENGTH:
        headers.put(_REQUEST_ID, request_id[:_MARK] + reason.value + request_id[_MARK + 1 :])
    return reason


def _marked(request_id: bytes) -> Reason:
    mark = request_id[_MARK : _MARK + 1] if len(request_id) == _ID_LENGTH else b""
    return next((reason for reason in Reason if reason.value == mark), Reason.NONE)


def _hexadecimal(digits: bytes) -> int | None:
    return int(digits, 16) if re.fullmatch(rb"[0-9a-fA-F]{1,8}", digits) else None
