"""The Wasm network filter: a connection as a Proxy-Wasm module sees it.

Theory of operation. The module sees what has gathered and not passed yet, in both directions; data that it keeps
back stays readable, also from its timer. It learns of the upstream's end by an empty last piece, and of the
connection's end when all is over; then the context is done, logs and is deleted (in this order, other than a stream).
Source of the rules: Envoy 1.40, call by call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from meshsim.abi.codec import PropertyValue
from meshsim.abi.constants import BufferType, CloseType, HeaderMapType, Status, StreamType
from meshsim.abi.ports import Buffer, HeaderMap, LocalResponse
from meshsim.envoy.attributes import stream_attribute
from meshsim.envoy.buffer import BodyBuffer, ReadOnlyBuffer
from meshsim.envoy.filters.wasm import leave
from meshsim.envoy.tcp import NetworkFilter

if TYPE_CHECKING:
    from meshsim.envoy.thread_plugin import ThreadPlugin


class WasmNetworkFilter(NetworkFilter):
    """One plugin on one connection."""

    in_access_log = False

    def __init__(self, plugin: ThreadPlugin) -> None:
        self._plugin = plugin
        self._wasm = plugin.wasm
        self.context = plugin.new_stream_context(self)
        self._from_client: BodyBuffer | None = None
        self._from_upstream: BodyBuffer | None = None

    # -- network filter ---

    def new_connection(self) -> bool:
        """Tell the module of the connection."""
        self.context.create()
        return self.context.new_connection()

    def data(self, data: BodyBuffer, end: bool) -> bool:
        """Show the module all that has arrived and not passed yet."""
        self._from_client = data
        passes = self.context.data("proxy_on_downstream_data", data.size(), end)
        if passes:
            self._from_client = None
        return passes

    def write(self, data: BodyBuffer, end: bool) -> bool:
        """Show the module what is to be written; the last piece is followed by the news of the upstream's end."""
        self._from_upstream = data
        passes = self.context.data("proxy_on_upstream_data", data.size(), end)
        if passes:
            self._from_upstream = None
        if end:
            self.context.connection_closed("proxy_on_upstream_connection_close", CloseType.UNKNOWN)
        return passes

    def closed(self, by: CloseType) -> None:
        """End the context."""
        if self.context.created:
            self.context.connection_closed("proxy_on_downstream_connection_close", by)
            self.context.done()
            self.context.log()
        self.context.delete()
        self._plugin.release()

    # -- context host ---

    def header_map(self, kind: HeaderMapType) -> HeaderMap | None:
        """Return a map: only callouts have any."""
        return self._plugin.header_map(kind)

    def mutable_header_map(self, kind: HeaderMapType) -> HeaderMap | None:
        """None: there is no message."""
        return None

    def buffer(self, kind: BufferType) -> Buffer | None:
        """Return a buffer; data that is not there now is empty."""
        match kind:
            case BufferType.DOWNSTREAM_DATA:
                return self._from_client or ReadOnlyBuffer()
            case BufferType.UPSTREAM_DATA:
                return self._from_upstream or ReadOnlyBuffer()
        return self._plugin.buffer(kind)

    def get_property(self, path: Sequence[bytes]) -> PropertyValue | None:
        """Read an attribute of the plugin, the proxy or the connection."""
        return stream_attribute(path, self._plugin, self.connection.subject, self)

    def set_property(self, path: bytes, value: bytes) -> Status:
        """Leave a value on the connection."""
        return leave(self.connection.info.filter_state, self.context.root, path, value)

    def set_filter_state(self, name: bytes, made: bytes | None) -> Status:
        """Put an object on the connection."""
        if made is not None:
            self.connection.info.filter_state[name] = made
        return Status.OK

    def headers_changed(self, kind: HeaderMapType) -> None:
        """Cannot happen without maps."""

    def clear_route_cache(self) -> None:
        """There is no route."""

    def continue_stream(self, kind: StreamType) -> None:
        """Resume after this call, behind this filter."""
        if kind is StreamType.DOWNSTREAM:
            self._wasm.after_call(lambda: self.connection.resume(self))

    def close_stream(self, kind: StreamType) -> None:
        """Close after this call; either direction is the whole connection."""
        if kind in (StreamType.DOWNSTREAM, StreamType.UPSTREAM):
            self._wasm.after_call(lambda: self.connection.close(CloseType.LOCAL))

    def send_local_response(self, response: LocalResponse) -> None:
        """There is nothing to answer."""

    def fail_stream(self) -> None:
        """Close the connection of a module that has failed."""
        self.connection.close(CloseType.LOCAL)


class FailedNetworkFilter(NetworkFilter):
    """Stands for a plugin that cannot run and whose policy is to fail closed: it closes the connection."""

    def new_connection(self) -> bool:
        """Close."""
        self.connection.close(CloseType.LOCAL)
        return False
