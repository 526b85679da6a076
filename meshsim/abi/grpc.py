"""gRPC callouts: what a module asks for, and the order in which it hears of what happened.

Theory of operation. A unary call ends in one callback: the message, or the status of its failure. A stream has its
whole course told: initial metadata, messages, trailing metadata, end. Metadata is handed over at once, even from
within the host call that began the stream; messages and ends wait until the module does not run. Rules seen in
Envoy 1.40.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from meshsim.abi.callouts import Kind
from meshsim.abi.codec import Pair
from meshsim.abi.constants import Status
from meshsim.abi.ports import HeaderMap
from meshsim.abi.protobuf import parse
from meshsim.errors import NotModelled

if TYPE_CHECKING:
    from meshsim.abi.context import Context

_ENVOY_GRPC, _GOOGLE_GRPC = 1, 2
_CLUSTER_NAME, _AUTHORITY = 1, 2
_MESSAGES_OF_SERVICE = frozenset({1, 2, 3, 5, 6})
_BYTES = 2
_UNAVAILABLE = 14


@dataclass(frozen=True, slots=True)
class GrpcService:
    """Where a gRPC callout goes; ``authority`` is the cluster's name when nothing else is said."""

    cluster: str
    authority: str


def read_service(service: bytes, has_cluster: Callable[[str], bool]) -> GrpcService | None:
    """Read a ``GrpcService`` message, or else the name of a cluster; None for neither.

    Envoy tries the message first. A message without a target ends its process.
    """
    try:
        fields = {number: value for number, kind, value in parse(service) if _is_target(number, kind, value)}
    except ValueError:
        name = service.decode("utf-8", "surrogateescape")
        return GrpcService(name, name) if has_cluster(name) else None
    if _ENVOY_GRPC not in fields:
        raise NotModelled("a gRPC service that is no Envoy cluster")
    target = {number: value for number, _, value in parse(bytes(fields[_ENVOY_GRPC])) if isinstance(value, bytes)}
    cluster = target.get(_CLUSTER_NAME, b"").decode("utf-8", "surrogateescape")
    return GrpcService(cluster, target.get(_AUTHORITY, b"").decode("utf-8", "surrogateescape") or cluster)


def _is_target(number: int, kind: int, value: object) -> bool:
    """Check what is known of the message's fields; ValueError when one cannot be what it should."""
    if number in _MESSAGES_OF_SERVICE:
        if kind != _BYTES or not isinstance(value, bytes):
            return False
        parse(value)
    return number in (_ENVOY_GRPC, _GOOGLE_GRPC)


@dataclass(frozen=True, slots=True)
class GrpcRequest:
    """A call to begin: ``timeout_ms`` None is a stream, 0 a call without a limit."""

    service: GrpcService
    path: str
    metadata: list[Pair]
    timeout_ms: int | None = None


class GrpcEvents(Protocol):
    """Who hears of a call's course."""

    def initial_metadata(self, metadata: HeaderMap) -> None: ...
    def message(self, message: bytes) -> None: ...
    def trailing_metadata(self, metadata: HeaderMap) -> None: ...
    def closed(self, status: int, message: bytes) -> None: ...


class _Told:
    """What both kinds have in common: a token, a root context, and when the module may be told."""

    def __init__(self, root: Context, token: int) -> None:
        self._root = root
        self._token = token
        self._callouts = root.wasm.callouts

    def closed(self, status: int, message: bytes) -> None:
        """Tell of the end."""
        self._root.wasm.when_idle(lambda: self._tell_closed(status, message))

    def _tell_closed(self, status: int, message: bytes) -> None:
        if not self._callouts.is_open(self._token):
            return
        self._callouts.statuses[self._root.id], self._callouts.message = status, message
        self._root.wasm.after_call(self._end)  # before what the module asks for in the callback
        self._root.grpc_close(self._token, status)
        self._callouts.message = b""
        self._end()

    def _end(self) -> None:
        if not self._outlasts_its_end():
            self._callouts.forget(self._token)

    def _outlasts_its_end(self) -> bool:
        """Whether the token goes on meaning this call when it has ended."""
        return False

    def message(self, message: bytes) -> None:
        """Tell of a message."""
        self._root.wasm.when_idle(lambda: self._tell_message(message))

    def _tell_message(self, message: bytes) -> None:
        if not self._callouts.is_open(self._token):
            return
        self._callouts.show(self._root, message=message)
        self._root.grpc_receive(self._token, len(message))


class UnaryEvents(_Told):
    """The course of a unary call: metadata is not told, and the end only when there is no message."""

    def __init__(self, root: Context, token: int) -> None:
        super().__init__(root, token)
        self._answer: bytes | None = None

    def initial_metadata(self, metadata: HeaderMap) -> None:
        """Nothing is told."""

    def trailing_metadata(self, metadata: HeaderMap) -> None:
        """Nothing is told."""

    def message(self, message: bytes) -> None:
        """Keep the message until the status is known."""
        self._answer = message

    def closed(self, status: int, message: bytes) -> None:
        """Tell of the message, or of the failure."""
        if status:
            super().closed(status, message)
            return
        if self._answer is None:
            super().closed(_INTERNAL, b"")
            return
        super().message(self._answer)
        self._root.wasm.when_idle(lambda: self._callouts.forget(self._token))


_INTERNAL = 13


class StreamEvents(_Told):
    """The course of a stream; until the module too has closed it, its token is one."""

    def _outlasts_its_end(self) -> bool:
        stream = self._callouts.grpc(self._token)
        return stream is not None and not stream.half_closed

    def initial_metadata(self, metadata: HeaderMap) -> None:
        """Tell of the first metadata, at once."""
        if self._callouts.is_open(self._token):
            with self._callouts.showing(self._root, initial=metadata):
                self._root.grpc_initial_metadata(self._token, len(metadata.pairs()))

    def trailing_metadata(self, metadata: HeaderMap) -> None:
        """Tell of the last metadata, at once."""
        if self._callouts.is_open(self._token):
            with self._callouts.showing(self._root, trailing=metadata):
                self._root.grpc_trailing_metadata(self._token, len(metadata.pairs()))


def begin(root: Context, request: GrpcRequest, message: bytes | None) -> int | Status:
    """Begin a call for a root context; give its token, or the status of a refusal.

    A call that fails at once is refused, and its end is told all the same, after the present callback.
    """
    wasm = root.wasm
    kind = Kind.GRPC_STREAM if request.timeout_ms is None else Kind.GRPC_CALL
    token = wasm.callouts.new_token(kind)
    wasm.callouts.opened(token, lambda: None)
    events = StreamEvents(root, token) if kind is Kind.GRPC_STREAM else UnaryEvents(root, token)
    if not wasm.host.has_cluster(request.service.cluster):
        events.closed(_UNAVAILABLE, b"Cluster not available")
        return Status.INTERNAL_FAILURE
    handle = wasm.host.grpc(request, message, events)
    if handle.over:
        return Status.INTERNAL_FAILURE
    wasm.callouts.opened(token, handle.cancel, handle)
    return token
