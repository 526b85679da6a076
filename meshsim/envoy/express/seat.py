"""What stands behind a stream context on a lane: one Wasm filter of a passage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from meshsim.abi.codec import PropertyValue
from meshsim.abi.constants import (
    BufferType,
    DataAction,
    HeaderMapType,
    HeadersAction,
    Status,
    StreamType,
    TrailersAction,
)
from meshsim.abi.context import Context
from meshsim.abi.ports import Buffer, HeaderMap, LocalResponse, NoStream
from meshsim.envoy.account import Account
from meshsim.envoy.attributes import plugin_attribute
from meshsim.envoy.buffer import ReadOnlyBuffer
from meshsim.envoy.express.course import Over, Piece, Shown
from meshsim.envoy.express.track import BODIES, CALLBACKS, MAPS
from meshsim.envoy.filters.wasm import WasmFilter
from meshsim.envoy.thread_plugin import ThreadPlugin

if TYPE_CHECKING:
    from meshsim.envoy.express.foot import Foot
    from meshsim.envoy.express.passage import Passage

Action = HeadersAction | DataAction | TrailersAction

_PLUGIN_NAMES = frozenset((b"plugin_name", b"plugin_root_id", b"plugin_vm_id"))
_OF_STREAM = frozenset(MAPS.values())

NOBODY = NoStream()
"""Stands behind a context before its seat."""


class Seat:
    """One filter's place in a passage.

    It shows the module what the moment shows. What it has not, the stream model has: asked for that, it makes the
    passage leave its lane, and hands on.
    """

    __slots__ = ("_foot", "_passage", "context", "creating", "in_access_log", "passed", "piece", "plugin")

    def __init__(self, plugin: ThreadPlugin, passage: Passage, foot: Foot, context: Context) -> None:
        self.plugin = plugin
        self._passage = passage
        self._foot = foot
        self.piece = Piece.REQUEST_HEADERS
        self.context = context
        context.host = self
        self.in_access_log = False
        #: Whether the module is being told of the stream.
        self.creating = False
        #: The filter of the stream model, once the passage has left.
        self.passed: WasmFilter | None = None

    @property
    def account(self) -> Account | None:
        """What the request is charged with."""
        return self._passage.account

    @property
    def is_held(self) -> bool:
        """Whether the module holds a message back; a passage that goes on is held by nobody."""
        return self.passed is not None and self.passed.is_held

    # -- what happens ---

    def show(self, moment: Shown) -> Action:
        """Call the module for a piece; return what it wants of the stream."""
        piece, foot, context = moment.piece, self._foot, self.context
        if not context.created:
            self.creating = True
            context.create()
            self.creating = False
            if self.passed is not None:
                return HeadersAction.CONTINUE
        self.piece, foot.shown_to = piece, self
        if foot.body is not None:
            return context.body(CALLBACKS[piece], len(foot.body.data), moment.end)
        assert foot.headers is not None
        if piece is Piece.REQUEST_HEADERS or piece is Piece.RESPONSE_HEADERS:
            return context.headers(CALLBACKS[piece], len(foot.headers), moment.end)
        return context.trailers(CALLBACKS[piece], len(foot.headers))

    def concluded(self, result: int | None) -> Action:
        """Behind a callback that was called otherwise: what it wants of the stream."""
        if self.piece is Piece.REQUEST_HEADERS or self.piece is Piece.RESPONSE_HEADERS:
            return self.context.headers_done(result)
        if self.piece in BODIES:
            return self.context.body_done(result)
        return self.context.trailers_done(result)

    def log(self) -> None:
        """Let the module log."""
        self.in_access_log = True
        self.context.log()
        self.in_access_log = False

    def done(self) -> None:
        """Ask the module whether it is done; of a stream, it always is."""
        self.context.done()

    def delete(self) -> None:
        """End the stream context."""
        self.context.delete()

    # -- context host: maps and buffers ---

    def header_map(self, kind: HeaderMapType) -> HeaderMap | None:
        """Return the map of the moment; while logging, what the stream had."""
        if self.passed is not None:
            return self.passed.header_map(kind)
        if kind not in _OF_STREAM:
            return self.plugin.header_map(kind)
        if self.in_access_log:
            return self._passage.logged_map(kind)
        return self._map(kind)

    def _map(self, kind: HeaderMapType) -> HeaderMap | None:
        """The map of the moment, while this module is shown it."""
        foot = self._foot
        return foot.headers if foot.shown_to is self and MAPS.get(self.piece) is kind else None

    def mutable_header_map(self, kind: HeaderMapType) -> HeaderMap | None:
        """Return the map of the moment; trailers can be made in the last piece of data, by the stream model."""
        if self.passed is not None:
            return self.passed.mutable_header_map(kind)
        if self._foot.shown_to is self and self.piece in BODIES and kind in _OF_STREAM:
            return self._filter().mutable_header_map(kind)
        return None if self.in_access_log else self._map(kind)

    def buffer(self, kind: BufferType) -> Buffer | None:
        """Return the body of the moment; a body that is not there now is empty."""
        if self.passed is not None:
            return self.passed.buffer(kind)
        if kind is BufferType.REQUEST_BODY or kind is BufferType.RESPONSE_BODY:
            there = BODIES.get(self.piece) is kind and self._foot.shown_to is self
            if not there:
                return ReadOnlyBuffer()
            self._foot.changed = True
            return self._foot.body
        return self.plugin.buffer(kind)

    def headers_changed(self, kind: HeaderMapType) -> None:
        """Note that what the module leaves is not what it was shown."""
        self._foot.changed = True
        if self.passed is not None:
            self.passed.headers_changed(kind)

    # -- context host: all the rest is the stream's ---

    def _filter(self) -> WasmFilter:
        if self.passed is None:
            self._passage.leave_within()
        assert self.passed is not None
        return self.passed

    def clear_route_cache(self) -> None:
        """Choose the route anew."""
        self._filter().clear_route_cache()

    def get_property(self, path: Sequence[bytes]) -> PropertyValue | None:
        """Read an attribute: the plugin's names here, the stream's where the stream is."""
        if path[0] in _PLUGIN_NAMES and len(path) == 1:
            return plugin_attribute(path, self.plugin)
        return self._filter().get_property(path)

    def set_property(self, path: bytes, value: bytes) -> Status:
        """Leave a value on the stream."""
        return self._filter().set_property(path, value)

    def set_filter_state(self, name: bytes, made: bytes | None) -> Status:
        """Put an object on the stream."""
        return self._filter().set_filter_state(name, made)

    def continue_stream(self, kind: StreamType) -> None:
        """Resume after this call."""
        self._filter().continue_stream(kind)

    def close_stream(self, kind: StreamType) -> None:
        """Reset after this call."""
        self._filter().close_stream(kind)

    def send_local_response(self, response: LocalResponse) -> None:
        """Answer after this call."""
        self._filter().send_local_response(response)

    def fail_stream(self) -> None:
        """End the stream as the plugin's policy says."""
        self._filter().fail_stream()


def of_log(over: Over, kind: HeaderMapType) -> tuple[tuple[bytes, bytes], ...] | None:
    """Return what a stream had, for its log."""
    match kind:
        case HeaderMapType.REQUEST_HEADERS:
            return over.request
        case HeaderMapType.RESPONSE_HEADERS:
            return over.response
        case HeaderMapType.RESPONSE_TRAILERS:
            return over.trailers
    return None
