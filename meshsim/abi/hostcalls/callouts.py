"""Requests that a module sends itself, and foreign functions."""

from __future__ import annotations

from meshsim.abi import foreign, grpc
from meshsim.abi.callouts import HttpCall, Kind
from meshsim.abi.codec import Pair, decode_pairs
from meshsim.abi.constants import Status
from meshsim.abi.hostcalls.base import OK, HostCallsBase, guest_text

#: The low bits of a callout's token.
_KIND_MASK = 3


class CalloutCalls(HostCallsBase):
    """Host functions that reach out of the proxy, or into its extensions."""

    # -- callouts ---

    def proxy_http_call(
        self,
        upstream: int,
        upstream_size: int,
        headers: int,
        headers_size: int,
        body: int,
        body_size: int,
        trailers: int,
        trailers_size: int,
        timeout_ms: int,
        token_out: int,
    ) -> int:
        """Send an HTTP request for the context's root."""
        cluster = self._read(upstream, upstream_size)
        head = decode_pairs(self._read(headers, headers_size))
        content = self._read(body, body_size)
        self._read(trailers, trailers_size)  # checked, and never sent
        self._write_u32(token_out, 0)
        call = HttpCall(guest_text(cluster), head, content, timeout_ms, self._wasm.acting)
        if not call.is_whole or not self._host.has_cluster(call.cluster):
            return Status.BAD_ARGUMENT
        root, callouts = self._wasm.acting.root, self._wasm.callouts
        token = callouts.new_token(Kind.HTTP)
        cancel = self._host.http_call(call, lambda answer: callouts.deliver(root, token, answer))
        if cancel is None:
            return Status.INTERNAL_FAILURE
        callouts.opened(token, cancel)
        self._write_u32(token_out, token)
        return Status.OK

    def proxy_grpc_call(
        self,
        service: int,
        service_size: int,
        name: int,
        name_size: int,
        method: int,
        method_size: int,
        metadata: int,
        metadata_size: int,
        message: int,
        message_size: int,
        timeout_ms: int,
        token_out: int,
    ) -> int:
        """Call a gRPC method once."""
        target = self._read(service, service_size)
        path = self._path(name, name_size, method, method_size)
        pairs = decode_pairs(self._read(metadata, metadata_size))
        return self._begin_grpc(target, path, pairs, self._read(message, message_size), timeout_ms, token_out)

    def proxy_grpc_stream(
        self,
        service: int,
        service_size: int,
        name: int,
        name_size: int,
        method: int,
        method_size: int,
        metadata: int,
        metadata_size: int,
        token_out: int,
    ) -> int:
        """Open a gRPC stream."""
        target = self._read(service, service_size)
        path = self._path(name, name_size, method, method_size)
        pairs = decode_pairs(self._read(metadata, metadata_size))
        return self._begin_grpc(target, path, pairs, None, None, token_out)

    def _path(self, name: int, name_size: int, method: int, method_size: int) -> str:
        return f"/{guest_text(self._read(name, name_size))}/{guest_text(self._read(method, method_size))}"

    def _begin_grpc(
        self, target: bytes, path: str, pairs: list[Pair], message: bytes | None, timeout_ms: int | None, token_out: int
    ) -> int:
        service = grpc.read_service(target, self._host.has_cluster)
        if service is None:
            return Status.PARSE_FAILURE
        request = grpc.GrpcRequest(service, path, pairs, timeout_ms)
        token = grpc.begin(self._wasm.acting.root, request, message)
        if isinstance(token, Status):
            return token
        self._write_u32(token_out, token)
        return OK

    def proxy_grpc_send(self, token: int, message: int, size: int, end: int) -> int:
        """Send a message on a stream."""
        data = self._read(message, size)
        if token & _KIND_MASK != Kind.GRPC_STREAM:
            return Status.BAD_ARGUMENT
        stream = self._wasm.callouts.grpc(token)
        if stream is None:
            return Status.NOT_FOUND
        stream.send(data, end != 0)
        return OK

    def proxy_grpc_close(self, token: int) -> int:
        """Send no more on a stream; cancel a call."""
        if token & _KIND_MASK == Kind.GRPC_STREAM:
            stream = self._wasm.callouts.grpc(token)
            if stream is None:
                return Status.NOT_FOUND
            stream.close()
            if stream.over:
                self._wasm.callouts.forget(token)
            return OK
        return self.proxy_grpc_cancel(token)

    def proxy_grpc_cancel(self, token: int) -> int:
        """Leave a call or a stream."""
        if token & _KIND_MASK not in (Kind.GRPC_CALL, Kind.GRPC_STREAM):
            return Status.BAD_ARGUMENT
        call = self._wasm.callouts.grpc(token)
        if call is None:
            return Status.NOT_FOUND
        self._wasm.callouts.forget(token)
        call.cancel()
        return OK

    # -- foreign functions ---

    def proxy_call_foreign_function(
        self, name: int, name_size: int, argument: int, argument_size: int, pointer_out: int, size_out: int
    ) -> int:
        """Call a function of this host only; it sees the called context, not the effective one."""
        function = guest_text(self._read(name, name_size))
        result = foreign.call(function, self._wasm.current, self._read(argument, argument_size))
        if result is Status.NOT_FOUND:
            return result
        # A function that refuses gives no bytes, and still says so where the guest wants them.
        status, data = (result, None) if isinstance(result, Status) else (Status.OK, result)
        address = 0
        if data is not None and pointer_out:
            # Unlike the other host functions this one asks for a block for no bytes too.
            address = self._wasm.allocate(len(data)) or 0
            if data and not (address and self._wasm.vm.memory.write(address, data)):
                return Status.INVALID_MEMORY_ACCESS
        if pointer_out:
            self._write_u32(pointer_out, address)
        if size_out:
            self._write_u32(size_out, len(data or b""))
        return status
