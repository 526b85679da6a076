"""Properties, and the course of a stream."""

from __future__ import annotations

from meshsim.abi.codec import Unserialisable, decode_pairs, encode_value, split_path
from meshsim.abi.constants import Status, StreamType
from meshsim.abi.hostcalls.base import OK, HostCallsBase
from meshsim.abi.ports import LocalResponse, PropertyUnavailable

_GRPC_STATUS_MAX = 16


class StreamCalls(HostCallsBase):
    """Host functions about a stream as a whole."""

    # -- properties ---

    def proxy_get_property(self, path: int, path_size: int, pointer_out: int, size_out: int) -> int:
        """Give an attribute, serialised."""
        segments = split_path(self._read(path, path_size))
        if not segments:
            return Status.SERIALIZATION_FAILURE
        try:
            value = encode_value(self._wasm.acting.host.get_property(segments))
        except PropertyUnavailable as unavailable:
            return unavailable.status
        except Unserialisable:
            return Status.SERIALIZATION_FAILURE
        return self._give(value, pointer_out, size_out)

    def proxy_set_property(self, path: int, path_size: int, value: int, value_size: int) -> int:
        """Leave a value on the stream."""
        return self._wasm.acting.host.set_property(self._read(path, path_size), self._read(value, value_size))

    # -- the stream ---

    def proxy_continue_stream(self, kind: int) -> int:
        """Resume one half of the stream, after this call."""
        if kind > max(StreamType):
            return Status.BAD_ARGUMENT
        if kind == StreamType.UPSTREAM:
            return Status.UNIMPLEMENTED
        self._wasm.acting.host.continue_stream(StreamType(kind))
        return OK

    def proxy_continue_request(self) -> int:
        """Resume the request (ABI 0.1.0)."""
        return self.proxy_continue_stream(StreamType.REQUEST)

    def proxy_continue_response(self) -> int:
        """Resume the response (ABI 0.1.0)."""
        return self.proxy_continue_stream(StreamType.RESPONSE)

    def proxy_close_stream(self, kind: int) -> int:
        """Reset the stream, after this call."""
        if kind > max(StreamType):
            return Status.BAD_ARGUMENT
        self._wasm.acting.host.close_stream(StreamType(kind))
        return OK

    def proxy_clear_route_cache(self) -> int:
        """Have the route chosen anew (ABI 0.1.0)."""
        self._wasm.acting.host.clear_route_cache()
        return OK

    def proxy_send_local_response(
        self,
        status: int,
        details: int,
        details_size: int,
        body: int,
        body_size: int,
        headers: int,
        headers_size: int,
        grpc_status: int,
    ) -> int:
        """Answer from the proxy, after this call; whatever the callback returns, the chain stops."""
        response_body = self._read(body, body_size)
        pairs = decode_pairs(self._read(headers, headers_size))
        why = self._read(details, details_size)
        response = LocalResponse(
            status, why, response_body, tuple(pairs), grpc_status if grpc_status <= _GRPC_STATUS_MAX else None
        )
        self._wasm.acting.host.send_local_response(response)
        self._wasm.stopped = True
        return OK
