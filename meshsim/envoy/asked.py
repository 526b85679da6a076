"""Requests that filters send themselves: who asks, and what keeps their accounts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from meshsim.envoy.account import Account


@runtime_checkable
class Charged(Protocol):
    """A filter on one stream."""

    @property
    def account(self) -> Account | None:
        """What the stream's request is charged with."""

    @property
    def is_held(self) -> bool:
        """Whether the filter holds the request or the response back, as one does that waits for an answer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that a filter is about to send itself.

    Attributes
    ----------
    asker : Charged
        The filter, on the stream that it works on; that has an account.
    filter, cluster : str
        The filter's name, and where its own request goes.
    now_ns : callable
        The clock of the filter's thread.
    """

    asker: Charged
    filter: str
    cluster: str
    now_ns: Callable[[], int]


OpenAccount = Callable[[Asked], Account]
