"""The ``env.*`` host functions, as Envoy's host answers them.

Each method is one import; its name is the import's. Arguments arrive as unsigned integers. A refusal is raised as
:class:`Refusal` and becomes the status that the guest gets, so that a function reads in the order of its checks:
arguments, memory, then the work. The order matters, because a guest can see which check came first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from meshsim.abi import foreign, grpc
from meshsim.abi.callouts import HttpCall, Kind
from meshsim.abi.codec import Pair, Unserialisable, decode_pairs, encode_pairs, encode_value, split_path
from meshsim.abi.constants import (
    AbiVersion,
    BufferType,
    HeaderMapType,
    LogLevel,
    MetricType,
    Status,
    StreamType,
)
from meshsim.abi.dns import encode_addresses
from meshsim.abi.ports import Buffer, HeaderMap, LocalResponse, PropertyUnavailable

if TYPE_CHECKING:
    from meshsim.abi.proxy_wasm import ProxyWasm

_GRPC_STATUS_MAX = 16
#: The low bits of a callout's token.
_KIND_MASK = 3

# Looking a member up in its enum, by name or by number, takes up to half a microsecond: too much for every host call.
_OK = Status.OK
_INVALID_MEMORY_ACCESS = Status.INVALID_MEMORY_ACCESS
_V0_1_0 = AbiVersion.V0_1_0
_HEADER_MAPS = tuple(HeaderMapType)
_BUFFERS = tuple(BufferType)
_LEVELS = tuple(LogLevel)


class Refusal(Exception):
    """A host function ends early with a status."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.name)
        self.status = status


def signed64(value: int) -> int:
    """Read an unsigned 64-bit argument as signed.

    Examples
    --------
    >>> signed64(2**64 - 1)
    -1
    """
    return value - (1 << 64) if value >> 63 else value


def guest_text(data: bytes) -> str:
    """Text of a guest; a byte that is not UTF-8 becomes one surrogate, so nothing is lost and nothing raises."""
    return data.decode("utf-8", "surrogateescape")


class HostCalls:
    """The host functions of one VM."""

    def __init__(self, wasm: ProxyWasm) -> None:
        self._wasm = wasm
        self._host = wasm.host

    # -- memory ---

    def _read(self, pointer: int, size: int) -> bytes:
        data = self._wasm.memory.read(pointer, size)
        if data is None:
            raise Refusal(_INVALID_MEMORY_ACCESS)
        return data

    def _write_u32(self, pointer: int, value: int) -> None:
        if not self._wasm.memory.write_u32(pointer, value):
            raise Refusal(_INVALID_MEMORY_ACCESS)

    def _write_u64(self, pointer: int, value: int) -> None:
        if not self._wasm.memory.write_u64(pointer, value):
            raise Refusal(_INVALID_MEMORY_ACCESS)

    def _give(self, data: bytes, pointer_out: int, size_out: int) -> Status:
        """Hand bytes over in a block of the module's own allocator; no bytes need no block."""
        memory, size, address = self._wasm.memory, len(data), 0
        if data:
            address = self._wasm.allocate(size)
            if not address or not memory.write(address, data):
                return _INVALID_MEMORY_ACCESS
        if memory.write_u32(pointer_out, address) and memory.write_u32(size_out, size):
            return _OK
        return _INVALID_MEMORY_ACCESS

    # -- logging, time, configuration ---

    def proxy_log(self, level: int, message: int, size: int) -> int:
        """Write a log line."""
        if level >= len(_LEVELS):
            return Status.BAD_ARGUMENT
        text = guest_text(self._read(message, size))
        self._host.log(_LEVELS[level], f"wasm log{self._wasm.acting.log_prefix}: {text}")
        return _OK

    def proxy_get_log_level(self, level_out: int) -> int:
        """Give the least level that the host keeps."""
        self._write_u32(level_out, self._host.log_level)
        return _OK

    def proxy_get_current_time_nanoseconds(self, time_out: int) -> int:
        """Give the wall clock."""
        self._write_u64(time_out, self._host.epoch_ns())
        return _OK

    def proxy_set_tick_period_milliseconds(self, period_ms: int) -> int:
        """Set the timer of the context's root."""
        self._host.set_tick_period(self._wasm.acting.root, period_ms)
        return _OK

    def proxy_get_configuration(self, pointer_out: int, size_out: int) -> int:
        """Give the plugin's configuration where it can be seen, else the VM's (ABI 0.1.0)."""
        host = self._wasm.acting.host
        buffer = host.buffer(BufferType.PLUGIN_CONFIGURATION) or host.buffer(BufferType.VM_CONFIGURATION)
        return self._give(buffer.read(0, buffer.size()) if buffer else b"", pointer_out, size_out)

    def proxy_get_status(self, code_out: int, pointer_out: int, size_out: int) -> int:
        """Give the status of the root's last failed callout, with a message while the module is told of it."""
        callouts = self._wasm.callouts
        self._write_u32(code_out, callouts.statuses.get(self._wasm.acting.root.id, Status.OK))
        return self._give(callouts.message, pointer_out, size_out)

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

    # -- header maps ---

    def _map_type(self, kind: int) -> HeaderMapType:
        try:
            return _HEADER_MAPS[kind]
        except IndexError:
            raise Refusal(Status.BAD_ARGUMENT) from None

    def _writable(self, kind: HeaderMapType) -> HeaderMap:
        header_map = self._wasm.acting.host.mutable_header_map(kind)
        if header_map is None:
            raise Refusal(Status.BAD_ARGUMENT)
        return header_map

    def proxy_get_header_map_pairs(self, kind: int, pointer_out: int, size_out: int) -> int:
        """Give all pairs; a map that is not there is an empty one."""
        header_map = self._wasm.acting.host.header_map(self._map_type(kind))
        return self._give(encode_pairs(header_map.pairs()) if header_map else b"", pointer_out, size_out)

    def proxy_set_header_map_pairs(self, kind: int, pairs: int, size: int) -> int:
        """Remove every key there is, then add the given pairs."""
        map_type = self._map_type(kind)
        wanted = decode_pairs(self._read(pairs, size))
        header_map = self._writable(map_type)
        for key, _ in list(header_map.pairs()):
            header_map.remove(key)
        for key, value in wanted:
            header_map.add(key.lower(), value)
        self._wasm.acting.host.headers_changed(map_type)
        return _OK

    def proxy_get_header_map_value(self, kind: int, key: int, key_size: int, pointer_out: int, size_out: int) -> int:
        """Give the first value of a key."""
        map_type = self._map_type(kind)
        name = self._read(key, key_size)
        host = self._wasm.acting.host
        header_map = host.header_map(map_type)
        if header_map is None and not host.in_access_log:
            return Status.BAD_ARGUMENT
        value = None if header_map is None else header_map.get(name.lower())
        if value is None:
            if self._wasm.version is not _V0_1_0:
                return Status.NOT_FOUND
            value = b""
        return self._give(value, pointer_out, size_out)

    def proxy_add_header_map_value(self, kind: int, key: int, key_size: int, value: int, value_size: int) -> int:
        """Append a pair."""
        map_type = self._map_type(kind)
        name, text = self._read(key, key_size), self._read(value, value_size)
        self._writable(map_type).add(name.lower(), text)
        self._wasm.acting.host.headers_changed(map_type)
        return _OK

    def proxy_replace_header_map_value(self, kind: int, key: int, key_size: int, value: int, value_size: int) -> int:
        """Set a key to one value."""
        map_type = self._map_type(kind)
        name, text = self._read(key, key_size), self._read(value, value_size)
        self._writable(map_type).replace(name.lower(), text)
        self._wasm.acting.host.headers_changed(map_type)
        return _OK

    def proxy_remove_header_map_value(self, kind: int, key: int, key_size: int) -> int:
        """Remove a key, if it is there."""
        map_type = self._map_type(kind)
        name = self._read(key, key_size)
        self._writable(map_type).remove(name.lower())
        self._wasm.acting.host.headers_changed(map_type)
        return _OK

    def proxy_get_header_map_size(self, kind: int, size_out: int) -> int:
        """Give the bytes of all keys and values (Envoy asks the writable map)."""
        self._write_u32(size_out, self._writable(self._map_type(kind)).byte_size())
        return _OK

    # -- buffers ---

    def _buffer(self, kind: int) -> Buffer:
        if kind >= len(_BUFFERS):
            raise Refusal(Status.BAD_ARGUMENT)
        buffer = self._wasm.acting.host.buffer(_BUFFERS[kind])
        if buffer is None:
            raise Refusal(Status.NOT_FOUND)
        return buffer

    def proxy_get_buffer_status(self, kind: int, length_out: int, flags_out: int) -> int:
        """Give the length of a buffer; the flags are always 0."""
        self._write_u32(length_out, self._buffer(kind).size())
        self._write_u32(flags_out, 0)
        return _OK

    def proxy_get_buffer_bytes(self, kind: int, start: int, length: int, pointer_out: int, size_out: int) -> int:
        """Give a piece of a buffer, cut to what is there."""
        buffer = self._buffer(kind)
        length = max(0, min(length, buffer.size() - start))
        return self._give(buffer.read(start, length) if length else b"", pointer_out, size_out)

    def proxy_set_buffer_bytes(self, kind: int, start: int, length: int, data: int, size: int) -> int:
        """Prepend, replace from the start, or append."""
        buffer = self._buffer(kind)
        return buffer.splice(start, length, self._read(data, size))

    # -- the stream ---

    def proxy_continue_stream(self, kind: int) -> int:
        """Resume one half of the stream, after this call."""
        if kind > max(StreamType):
            return Status.BAD_ARGUMENT
        if kind == StreamType.UPSTREAM:
            return Status.UNIMPLEMENTED
        self._wasm.acting.host.continue_stream(StreamType(kind))
        return _OK

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
        return _OK

    def proxy_clear_route_cache(self) -> int:
        """Have the route chosen anew (ABI 0.1.0)."""
        self._wasm.acting.host.clear_route_cache()
        return _OK

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
        return _OK

    # -- metrics ---

    def proxy_define_metric(self, kind: int, name: int, name_size: int, id_out: int) -> int:
        """Define a metric."""
        text = guest_text(self._read(name, name_size))
        if kind > max(MetricType):
            return Status.BAD_ARGUMENT
        self._write_u32(id_out, self._wasm.metrics.define(MetricType(kind), text))
        return _OK

    def proxy_increment_metric(self, metric: int, delta: int) -> int:
        """Add to a metric."""
        return self._wasm.metrics.increment(metric, signed64(delta))

    def proxy_record_metric(self, metric: int, value: int) -> int:
        """Set or record a metric."""
        return self._wasm.metrics.record(metric, value)

    def proxy_get_metric(self, metric: int, value_out: int) -> int:
        """Give a counter's or gauge's value."""
        value = self._wasm.metrics.get(metric)
        if isinstance(value, Status):
            return value
        self._write_u64(value_out, value)
        return _OK

    # -- shared data ---

    @property
    def _vm_id(self) -> bytes:
        plugin = self._wasm.acting.plugin
        return plugin.vm_id.encode() if plugin else b""

    def proxy_get_shared_data(self, key: int, key_size: int, pointer_out: int, size_out: int, cas_out: int) -> int:
        """Give value and CAS of a key."""
        found = self._host.shared_data.get(self._vm_id, self._read(key, key_size))
        if found is None:
            return Status.NOT_FOUND
        value, cas = found
        status = self._give(value, pointer_out, size_out)
        self._write_u32(cas_out, cas)
        return status

    def proxy_set_shared_data(self, key: int, key_size: int, value: int, value_size: int, cas: int) -> int:
        """Write a key, if the CAS agrees."""
        name, data = self._read(key, key_size), self._read(value, value_size)
        return self._host.shared_data.set(self._vm_id, name, data, cas)

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
        call = HttpCall(guest_text(cluster), head, content, timeout_ms)
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
        return _OK

    def proxy_grpc_send(self, token: int, message: int, size: int, end: int) -> int:
        """Send a message on a stream."""
        data = self._read(message, size)
        if token & _KIND_MASK != Kind.GRPC_STREAM:
            return Status.BAD_ARGUMENT
        stream = self._wasm.callouts.grpc(token)
        if stream is None:
            return Status.NOT_FOUND
        stream.send(data, end != 0)
        return _OK

    def proxy_grpc_close(self, token: int) -> int:
        """Send no more on a stream; cancel a call."""
        if token & _KIND_MASK == Kind.GRPC_STREAM:
            stream = self._wasm.callouts.grpc(token)
            if stream is None:
                return Status.NOT_FOUND
            stream.close()
            if stream.over:
                self._wasm.callouts.forget(token)
            return _OK
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
        return _OK

    # -- foreign functions ---

    def proxy_call_foreign_function(
        self, name: int, name_size: int, argument: int, argument_size: int, pointer_out: int, size_out: int
    ) -> int:
        """Call a function of this host only; it sees the called context, not the effective one."""
        function = guest_text(self._read(name, name_size))
        result = foreign.call(function, self._wasm.current, self._read(argument, argument_size))
        if isinstance(result, Status):
            return result
        address = 0
        if result is not None and pointer_out:
            # Unlike the other host functions this one asks for a block for no bytes too.
            address = self._wasm.allocate(len(result)) or 0
            if result and not (address and self._wasm.vm.memory.write(address, result)):
                return Status.INVALID_MEMORY_ACCESS
        if pointer_out:
            self._write_u32(pointer_out, address)
        if size_out:
            self._write_u32(size_out, len(result or b""))
        return Status.OK

    # -- shared queues ---

    def proxy_register_shared_queue(self, name: int, name_size: int, token_out: int) -> int:
        """Open a queue; the context's root is told of its messages."""
        queue = self._read(name, name_size)
        consumer = self._host.queue_consumer(self._wasm.acting.root)
        self._write_u32(token_out, self._host.shared_queues.register(self._vm_id, queue, consumer))
        return Status.OK

    def proxy_resolve_shared_queue(self, vm_id: int, vm_id_size: int, name: int, name_size: int, token_out: int) -> int:
        """Find a queue of any VM id; an empty one is the caller's own."""
        space, queue = self._read(vm_id, vm_id_size), self._read(name, name_size)
        token = self._host.shared_queues.resolve(space or self._vm_id, queue)
        if token is None:
            return Status.NOT_FOUND
        self._write_u32(token_out, token)
        return Status.OK

    def proxy_enqueue_shared_queue(self, token: int, message: int, size: int) -> int:
        """Put a message into a queue."""
        found = self._host.shared_queues.enqueue(token, self._read(message, size))
        return Status.OK if found else Status.NOT_FOUND

    def proxy_dequeue_shared_queue(self, token: int, pointer_out: int, size_out: int) -> int:
        """Take the oldest message out of a queue."""
        queue = self._host.shared_queues.find(token)
        if queue is None:
            return Status.NOT_FOUND
        if not queue.messages:
            return Status.EMPTY
        return self._give(queue.messages.popleft(), pointer_out, size_out)

    # -- contexts ---

    def proxy_set_effective_context(self, context_id: int) -> int:
        """Act for another context until this call into the module returns; 0 is the called one again."""
        if context_id and context_id not in self._wasm.contexts:
            return Status.BAD_ARGUMENT
        self._wasm.acting = self._wasm.contexts[context_id] if context_id else self._wasm.current
        return _OK

    def proxy_done(self) -> int:
        """Say that a root context that waited may end."""
        return _OK if self._wasm.finish_plugin(self._wasm.acting.root) else Status.NOT_FOUND

    # -- what Envoy offers beside the ABI ---

    def emscripten_notify_memory_growth(self, memory: int) -> None:
        """Nothing to do: views of the memory are made anew when it has grown."""

    def envoy_resolve_dns(self, name: int, size: int, token_out: int) -> int:
        """Resolve a name for the context's root, which may be told before this call returns."""
        text = guest_text(self._read(name, size))
        wasm, root = self._wasm, self._wasm.acting.root
        token = wasm.new_dns_token()
        self._write_u32(token_out, token)

        def done(addresses: Sequence[str] | None) -> None:
            if wasm.contexts.get(root.id) is root:
                root.dns_resolved(token, encode_addresses(addresses))

        self._host.resolve_dns(text, done)
        return _OK

    def pthread_equal(self, left: int, right: int) -> int:
        """Compare two thread ids."""
        return int(left == right)
