"""What an HTTP filter is to a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshsim.abi.constants import DataAction, HeadersAction, TrailersAction
from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.chain import Iteration
from meshsim.envoy.headers import HeaderMap

if TYPE_CHECKING:
    from meshsim.envoy.account import Account
    from meshsim.envoy.chain import Slot
    from meshsim.envoy.stream import Stream


class HttpFilter:
    """A filter that lets everything pass; subclasses override what they care about.

    The stream sets :attr:`stream` and the two slots when it builds its chains.
    """

    stream: Stream
    request_slot: Slot
    response_slot: Slot

    @property
    def account(self) -> Account | None:
        """What the stream's request is charged with."""
        return self.stream.info.account

    @property
    def is_held(self) -> bool:
        """Whether this filter holds the request or the response back."""
        slots = self.request_slot, self.response_slot
        return not self.stream.over and any(slot.state is not Iteration.CONTINUE for slot in slots)

    def decode_headers(self, headers: HeaderMap, end: bool) -> HeadersAction:
        """Take the request's headers."""
        return HeadersAction.CONTINUE

    def decode_data(self, data: BodyBuffer, end: bool) -> DataAction:
        """Take a piece of the request's body."""
        return DataAction.CONTINUE

    def decode_trailers(self, trailers: HeaderMap) -> TrailersAction:
        """Take the request's trailers."""
        return TrailersAction.CONTINUE

    def encode_headers(self, headers: HeaderMap, end: bool) -> HeadersAction:
        """Take the response's headers."""
        return HeadersAction.CONTINUE

    def encode_data(self, data: BodyBuffer, end: bool) -> DataAction:
        """Take a piece of the response's body."""
        return DataAction.CONTINUE

    def encode_trailers(self, trailers: HeaderMap) -> TrailersAction:
        """Take the response's trailers."""
        return TrailersAction.CONTINUE

    def answered_locally(self) -> None:
        """Take note that the proxy itself answers, before the answer is on its way."""

    def log(self) -> None:
        """Write what an access log would: the stream is complete."""

    def destroy(self) -> None:
        """Let go: the stream ends."""


class RequestHalf:
    """A filter as the request's chain sees it."""

    __slots__ = ("data", "headers", "trailers")

    def __init__(self, http_filter: HttpFilter) -> None:
        self.headers = http_filter.decode_headers
        self.data = http_filter.decode_data
        self.trailers = http_filter.decode_trailers


class ResponseHalf:
    """A filter as the response's chain sees it."""

    __slots__ = ("data", "headers", "trailers")

    def __init__(self, http_filter: HttpFilter) -> None:
        self.headers = http_filter.encode_headers
        self.data = http_filter.encode_data
        self.trailers = http_filter.encode_trailers
