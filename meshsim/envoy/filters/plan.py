"""What is decided before the first try to get an answer, and who asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Protocol

from meshsim.envoy.account import Account
from meshsim.envoy.address import Address
from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.cluster import Cluster
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.retry import Retries
from meshsim.envoy.timeouts import Timeouts
from meshsim.envoy.tracing import Traced
from meshsim.envoy.upstream import UpstreamFailure


class Asker(Protocol):
    """Who wants the answer."""

    def upstream_chosen(self, address: Address, sent: HeaderMap) -> None:
        """Take note of the host; what is sent to it may still be changed."""

    def upstream_connected(self) -> None:
        """Take note of a connection to the host; an idle one is there at once."""

    def kept_body(self) -> BodyBuffer | None:
        """Give what is kept of the request's body."""

    def answer_informational(self, status: int) -> None:
        """Take note of a head that comes before the answer's."""

    def answer_headers(self, headers: HeaderMap, end: bool) -> None:
        """Take the answer's headers."""

    def answer_data(self, data: BodyBuffer, end: bool) -> None:
        """Take a piece of the answer's body."""

    def answer_trailers(self, trailers: HeaderMap) -> None:
        """Take the answer's trailers."""

    def no_answer(self, failure: UpstreamFailure) -> None:
        """Take note that there is no answer."""

    def answer_cut(self, failure: UpstreamFailure) -> None:
        """Take note that the answer has no end."""

    def retries_used_up(self) -> None:
        """Take note that there would be another try, were there any left."""

    def retries_overflow(self) -> None:
        """Take note that there would be another try, did circuit breakers let it be."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is decided before the first try.

    ``tells_timeout`` and ``tells_attempt`` say which of Envoy's own headers each try carries, ``traced`` which of a
    tracer's; ``limit_bytes`` bounds the copy of the body, ``hash_value`` decides among hosts; ``account`` is
    what the request is charged to.
    """

    cluster: Cluster
    timeouts: Timeouts
    retries: Retries | None
    random: Random
    limit_bytes: int
    tells_timeout: bool
    tells_attempt: bool
    traced: Traced | None = None
    hash_value: int | None = None
    account: Account | None = None
