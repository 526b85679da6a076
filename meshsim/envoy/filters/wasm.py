"""The Wasm HTTP filter: a stream as a Proxy-Wasm module sees it.

Theory of operation. The module may touch a header map or a body only in certain *windows*. A window opens when the
piece arrives and closes when the callback continues; after a stop it stays open, so that a later callback (a timer,
say) can still change the message, until ``proxy_continue_stream`` closes the request's windows. While the filter
buffers a body, the module's view is the whole buffer instead of the newest piece.

Source of the rules: Envoy's ``Context`` (``source/extensions/common/wasm/context.cc``), call by call against
Envoy 1.40.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
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
from meshsim.abi.foreign.declared import UNDECLARED, StateObject
from meshsim.abi.ports import Buffer, LocalResponse
from meshsim.abi.ports import HeaderMap as ReadableMap
from meshsim.envoy.attributes import stream_attribute
from meshsim.envoy.buffer import BodyBuffer, ReadOnlyBuffer
from meshsim.envoy.chain import Chain
from meshsim.envoy.filters.base import HttpFilter
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.local_reply import LocalReply

if TYPE_CHECKING:
    from meshsim.envoy.thread_plugin import ThreadPlugin

_GRPC_UNAVAILABLE = 14
#: Envoy keeps a status in 16 bits.
_STATUS_MASK = 0xFFFF
_FAILED = LocalReply(503, details="wasm_fail_stream", grpc_status=_GRPC_UNAVAILABLE)


class _Windows:
    """What of one direction the module may touch now."""

    __slots__ = ("body", "buffering", "end", "headers", "trailers")

    def __init__(self) -> None:
        self.headers: HeaderMap | None = None
        self.body: BodyBuffer | None = None
        self.trailers: HeaderMap | None = None
        self.buffering = False
        self.end = False

    def close(self) -> None:
        self.headers = self.body = self.trailers = None


def _body(windows: _Windows, chain: Chain) -> Buffer:
    """What a module sees of a body: what is kept, at any time, once its filter has asked to buffer."""
    kept = chain.buffered if windows.buffering else None
    return kept or windows.body or ReadOnlyBuffer()


class WasmFilter(HttpFilter):
    """One plugin on one stream; ``context`` is its stream context where it has one already."""

    def __init__(self, plugin: ThreadPlugin, context: Context | None = None) -> None:
        self._plugin = plugin
        self._wasm = plugin.wasm
        self.context: Context = context or plugin.new_stream_context(self)
        self._request = _Windows()
        self._response = _Windows()
        self._failure_sent = False
        self._closed = False
        self._destroyed = False
        self.in_access_log = False

    # -- the request ---

    def decode_headers(self, headers: HeaderMap, end: bool) -> HeadersAction:
        """Tell the module of the stream and of the request's headers."""
        self.context.create()
        return self._headers("proxy_on_request_headers", self._request, headers, end)

    def decode_data(self, data: BodyBuffer, end: bool) -> DataAction:
        """Show the module a piece of the request's body, or all that is buffered."""
        if not self.context.created:
            return DataAction.CONTINUE
        return self._data("proxy_on_request_body", self._request, self.stream.request, data, end)

    def decode_trailers(self, trailers: HeaderMap) -> TrailersAction:
        """Show the module the request's trailers."""
        if not self.context.created:
            return TrailersAction.CONTINUE
        return self._trailers("proxy_on_request_trailers", self._request, trailers)

    # -- the response ---

    @property
    def _passive(self) -> bool:
        """Whether the response does not concern the module: it was never told, or its failure is the answer."""
        return not self.context.created or self._failure_sent

    def encode_headers(self, headers: HeaderMap, end: bool) -> HeadersAction:
        """Show the module the response's headers."""
        if self._passive:
            return HeadersAction.CONTINUE
        return self._headers("proxy_on_response_headers", self._response, headers, end)

    def encode_data(self, data: BodyBuffer, end: bool) -> DataAction:
        """Show the module a piece of the response's body, or all that is buffered."""
        if self._passive:
            return DataAction.CONTINUE
        return self._data("proxy_on_response_body", self._response, self.stream.answer, data, end)

    def encode_trailers(self, trailers: HeaderMap) -> TrailersAction:
        """Show the module the response's trailers."""
        if self._passive:
            return TrailersAction.CONTINUE
        return self._trailers("proxy_on_response_trailers", self._response, trailers)

    # -- the end ---

    def log(self) -> None:
        """Let the module log; a module that never heard of the stream is told now."""
        self.context.create()
        self.in_access_log = True
        self.context.log()
        self.in_access_log = False

    def destroy(self) -> None:
        """End the stream context."""
        if not self._destroyed and self.context.created:
            self._destroyed = True
            self.context.done()
            self.context.delete()
        self._plugin.release()

    # -- one piece ---

    def _headers(self, callback: str, windows: _Windows, headers: HeaderMap, end: bool) -> HeadersAction:
        windows.headers, windows.end = headers, end
        action = self.context.headers(callback, len(headers), end)
        if action is HeadersAction.CONTINUE_AND_END_STREAM:
            action = HeadersAction.CONTINUE
        if action is HeadersAction.CONTINUE:
            windows.headers = None
        return action

    def _data(self, callback: str, windows: _Windows, chain: Chain, data: BodyBuffer, end: bool) -> DataAction:
        if windows.buffering:
            chain.keep(data, streaming=False)
            if self._destroyed:
                return DataAction.STOP_AND_BUFFER
        windows.body, windows.end = (chain.buffered if windows.buffering else data), end
        action = self.context.body(callback, windows.body.size() if windows.body else 0, end)
        windows.buffering = action is DataAction.STOP_AND_BUFFER
        if action is DataAction.CONTINUE:
            windows.body = None
        return action

    def _trailers(self, callback: str, windows: _Windows, trailers: HeaderMap) -> TrailersAction:
        windows.trailers = trailers
        action = self.context.trailers(callback, len(trailers))
        if action is TrailersAction.CONTINUE:
            windows.trailers = None
        return action

    # -- context host: maps and buffers ---

    def header_map(self, kind: HeaderMapType) -> ReadableMap | None:
        """Return a map for reading; while logging, what the stream had."""
        match kind:
            case HeaderMapType.REQUEST_HEADERS:
                return self.stream.request_headers if self.in_access_log else self._request.headers
            case HeaderMapType.REQUEST_TRAILERS:
                return None if self.in_access_log else self._request.trailers
            case HeaderMapType.RESPONSE_HEADERS:
                return self.stream.response_headers if self.in_access_log else self._response.headers
            case HeaderMapType.RESPONSE_TRAILERS:
                return self.stream.response_trailers if self.in_access_log else self._response.trailers
        return self._plugin.header_map(kind)

    def mutable_header_map(self, kind: HeaderMapType) -> HeaderMap | None:
        """Return a map for writing; trailers are made in the last body callback."""
        match kind:
            case HeaderMapType.REQUEST_HEADERS:
                return self._request.headers
            case HeaderMapType.REQUEST_TRAILERS:
                return self._writable_trailers(self._request, self.stream.request)
            case HeaderMapType.RESPONSE_HEADERS:
                return self._response.headers
            case HeaderMapType.RESPONSE_TRAILERS:
                return self._writable_trailers(self._response, self.stream.answer)
        return None

    def _writable_trailers(self, windows: _Windows, chain: Chain) -> HeaderMap | None:
        if windows.trailers is None and windows.body is not None and windows.end:
            windows.trailers = chain.add_trailers()
        return windows.trailers

    def buffer(self, kind: BufferType) -> Buffer | None:
        """Return a buffer; a body that is not there now is empty."""
        match kind:
            case BufferType.REQUEST_BODY:
                return _body(self._request, self.stream.request)
            case BufferType.RESPONSE_BODY:
                return _body(self._response, self.stream.answer)
        return self._plugin.buffer(kind)

    def headers_changed(self, kind: HeaderMapType) -> None:
        """Choose the route anew when the request has changed."""
        if kind is HeaderMapType.REQUEST_HEADERS:
            self.clear_route_cache()

    def clear_route_cache(self) -> None:
        """Choose the route anew."""
        self.stream.clear_route_cache()

    # -- context host: attributes ---

    def get_property(self, path: Sequence[bytes]) -> PropertyValue | None:
        """Read an attribute of the plugin, the proxy or the stream."""
        return stream_attribute(path, self._plugin, self.stream, self)

    def set_property(self, path: bytes, value: bytes) -> Status:
        """Leave a value on the stream, for every Wasm filter of it."""
        return leave(self.stream.info.filter_state, self.context.root, path, value)

    def set_filter_state(self, name: bytes, made: bytes | None) -> Status:
        """Put an object on the stream."""
        if made is not None:
            self.stream.info.filter_state[name] = made
        return Status.OK

    # -- context host: the stream's course ---

    @property
    def _is_over(self) -> bool:
        """Whether the stream is only logged and taken down: Envoy has no more of it than that."""
        return self.in_access_log or self._destroyed

    def continue_stream(self, kind: StreamType) -> None:
        """Resume after this call; the request's windows close at once, whichever half of the stream resumes."""
        if kind is StreamType.RESPONSE and self.stream.response_headers is None:
            self._plugin.note_crash("the response is continued before there is one")
        if kind is StreamType.REQUEST:
            self._wasm.after_call(lambda: self.stream.request.resume(self.request_slot))
        elif kind is StreamType.RESPONSE:
            self._wasm.after_call(lambda: self.stream.answer.resume(self.response_slot))
        else:
            return
        self._request.close()

    def close_stream(self, kind: StreamType) -> None:
        """Reset after this call."""
        if kind in (StreamType.REQUEST, StreamType.RESPONSE):
            if self._is_over or self._closed:
                self._plugin.note_crash("a stream is closed that is over")
            self._closed = True
            self.stream.info.details = self.stream.info.details or "wasm_close_stream"
            self._wasm.after_call(self.stream.reset)

    def send_local_response(self, response: LocalResponse) -> None:
        """Answer after this call."""

        def edit(headers: HeaderMap) -> None:
            for key, value in response.headers:
                name = key.lower()
                if name != b":status":
                    headers.add(name, value)

        if self._is_over:
            self._plugin.note_crash("a stream is answered that is over")
        reply = LocalReply(
            response.status & _STATUS_MASK,
            response.body,
            "_".join(response.details.decode("utf-8", "surrogateescape").split()),
            response.grpc_status,
            edit,
        )
        self._wasm.after_call(lambda: self.stream.reply(reply))

    def fail_stream(self) -> None:
        """Answer 503, once, for a module that has failed."""
        if not self._failure_sent:
            self._failure_sent = True
            self.stream.reply(_FAILED)


def leave(state: MutableMapping[bytes, bytes], root: Context, path: bytes, value: bytes) -> Status:
    """Leave a value on a stream or connection; what was declared of it stays with it."""
    name = b"wasm." + path
    before = state.get(name)
    if isinstance(before, StateObject):
        declaration = before.declaration
        if declaration.read_only:
            return Status.BAD_ARGUMENT
    else:
        declaration = root.foreign.declarations.get(path, UNDECLARED)
    state[name] = StateObject(value, declaration)
    return Status.OK


class FailedFilter(HttpFilter):
    """Stands for a plugin that cannot run and whose policy is to fail closed: it answers 503."""

    def decode_headers(self, headers: HeaderMap, end: bool) -> HeadersAction:
        """Answer."""
        self.stream.reply(_FAILED)
        return HeadersAction.STOP_ALL_AND_WATERMARK
