"""Callouts: requests that a module sends itself, and how their answers come back to it.

Theory of operation. A callout belongs to a root context, whoever asked for it, and has a token: a number whose two
low bits are its kind. The answer is handed to the module in ``proxy_on_http_call_response`` of the root context;
during that call, and only then, its headers, body and trailers can be read. An answer never arrives while the module
runs. When a callout fails before it has begun, the host call says so and no answer follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import TYPE_CHECKING

from meshsim.abi.codec import Pair
from meshsim.abi.constants import Status
from meshsim.abi.ports import GrpcHandle, HeaderMap

if TYPE_CHECKING:
    from meshsim.abi.context import Context

_STEP = 4
_AUTHORITY = frozenset((b":authority", b"host"))


class Kind(IntEnum):
    """Kinds of callouts; the two low bits of a token."""

    HTTP = 0
    GRPC_CALL = 1
    GRPC_STREAM = 2


@dataclass(frozen=True, slots=True)
class HttpCall:
    """What a module wants to send; ``timeout_ms`` 0 waits for ever; ``asker`` is the context that acts."""

    cluster: str
    headers: list[Pair]
    body: bytes
    timeout_ms: int
    asker: Context

    @property
    def is_whole(self) -> bool:
        """Whether the time-out is not negative (as a signed number) and the headers name what they must."""
        names = {key.lower() for key, _ in self.headers}
        return not self.timeout_ms >> 31 and {b":method", b":path"} <= names and bool(names & _AUTHORITY)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back from an HTTP callout."""

    headers: HeaderMap
    body: bytes
    trailers: HeaderMap | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """What a module can read while it is told of a callout's course."""

    root_id: int = 0
    answer: HttpAnswer | None = None
    message: bytearray | None = None
    initial: HeaderMap | None = None
    trailing: HeaderMap | None = None


_NOTHING = Shown()

#: Takes the answer of an HTTP callout, or None when there is none.
Done = Callable[[HttpAnswer | None], None]
Cancel = Callable[[], None]


@dataclass(slots=True)
class Callouts:
    """The callouts of one VM.

    Attributes
    ----------
    statuses : dict of int to Status
        Status code that ``proxy_get_status`` gives, by root context. Seen in Envoy 1.40: it stays when it is set once.
    message : bytes
        The message beside it, while the module is told.
    """

    _open: dict[int, Cancel] = field(default_factory=dict)
    _grpc: dict[int, GrpcHandle] = field(default_factory=dict)
    _next: dict[Kind, int] = field(default_factory=lambda: {kind: _STEP + kind for kind in Kind})
    _shown: Shown | None = None
    statuses: dict[int, int] = field(default_factory=dict)
    message: bytes = b""

    def new_token(self, kind: Kind) -> int:
        """Give the next token of a kind."""
        token = self._next[kind]
        self._next[kind] += _STEP
        return token

    def opened(self, token: int, cancel: Cancel, grpc: GrpcHandle | None = None) -> None:
        """Take note of a callout that is under way."""
        self._open[token] = cancel
        if grpc is not None:
            self._grpc[token] = grpc

    def is_open(self, token: int) -> bool:
        """Whether a callout is under way."""
        return token in self._open

    def grpc(self, token: int) -> GrpcHandle | None:
        """Return a gRPC call that is under way."""
        return self._grpc.get(token)

    def forget(self, token: int) -> None:
        """Take note of a callout's end."""
        self._open.pop(token, None)
        self._grpc.pop(token, None)

    def deliver(self, root: Context, token: int, answer: HttpAnswer | None) -> None:
        """Tell the module of an answer, or (None) that there is none; nothing for a callout that was cancelled."""
        if self._open.pop(token, None) is None:
            return
        if answer is None:
            self.statuses[root.id], self.message = Status.BROKEN_CONNECTION, b"reset"
        sizes = (0, 0, 0) if answer is None else _sizes(answer)
        self.show(root, answer=answer)
        root.http_call_response(token, *sizes)
        self.message = b""

    def show(self, root: Context, *, answer: HttpAnswer | None = None, message: bytes | None = None) -> None:
        """Let a root context read an answer, or a gRPC message, in the callback that follows.

        It is gone before anything happens that the module asks for in the callback, as in Envoy; and also when a
        callback within the callback has ended.
        """
        self._shown = Shown(root.id, answer, None if message is None else bytearray(message))
        root.wasm.after_call(self._hide)

    def _hide(self) -> None:
        if self._shown is not None:
            self._shown = replace(self._shown, answer=None, message=None)

    @contextmanager
    def showing(
        self, root: Context, *, initial: HeaderMap | None = None, trailing: HeaderMap | None = None
    ) -> Iterator[None]:
        """Let a root context read metadata of a gRPC stream, until its callback has returned."""
        before = self._shown
        now = before if before is not None and before.root_id == root.id else Shown(root.id)
        self._shown = replace(
            now,
            initial=now.initial if initial is None else initial,
            trailing=now.trailing if trailing is None else trailing,
        )
        try:
            yield
        finally:
            after = self._shown
            self._shown = None if before is None else replace(before, answer=after.answer, message=after.message)

    def shown_to(self, root: Context) -> Shown:
        """Return what a root context can read now."""
        return self._shown if self._shown and self._shown.root_id == root.id else _NOTHING

    def cancel_all(self) -> None:
        """Cancel what is under way: the VM ends."""
        self._grpc.clear()
        while self._open:
            _, cancel = self._open.popitem()
            cancel()


def _sizes(answer: HttpAnswer) -> tuple[int, int, int]:
    trailers = len(answer.trailers.pairs()) if answer.trailers else 0
    return len(answer.headers.pairs()), len(answer.body), trailers
