"""Header maps."""

from __future__ import annotations

from meshsim.abi.codec import decode_pairs, encode_pairs
from meshsim.abi.constants import AbiVersion, HeaderMapType, Status
from meshsim.abi.hostcalls.base import OK, HostCallsBase, Refusal
from meshsim.abi.ports import HeaderMap

_HEADER_MAPS = tuple(HeaderMapType)
_V0_1_0 = AbiVersion.V0_1_0


class HeaderCalls(HostCallsBase):
    """Host functions that read and write header maps; the shim has them too (:mod:`meshsim.abi.shim`)."""

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
        return OK

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
        return OK

    def proxy_replace_header_map_value(self, kind: int, key: int, key_size: int, value: int, value_size: int) -> int:
        """Set a key to one value."""
        map_type = self._map_type(kind)
        name, text = self._read(key, key_size), self._read(value, value_size)
        self._writable(map_type).replace(name.lower(), text)
        self._wasm.acting.host.headers_changed(map_type)
        return OK

    def proxy_remove_header_map_value(self, kind: int, key: int, key_size: int) -> int:
        """Remove a key, if it is there."""
        map_type = self._map_type(kind)
        name = self._read(key, key_size)
        self._writable(map_type).remove(name.lower())
        self._wasm.acting.host.headers_changed(map_type)
        return OK

    def proxy_get_header_map_size(self, kind: int, size_out: int) -> int:
        """Give the bytes of all keys and values (Envoy asks the writable map)."""
        self._write_u32(size_out, self._writable(self._map_type(kind)).byte_size())
        return OK
