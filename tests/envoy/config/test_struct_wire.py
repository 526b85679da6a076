from __future__ import annotations

from typing import Any

import pytest

from meshsim.envoy.config.struct_wire import struct_bytes
from meshsim.envoy.config.wasm import PluginConfig
from meshsim.envoy.loader import parse_bootstrap


def seen_by_module(configuration: str) -> bytes:
    """The bytes of a plugin's configuration that is written like this."""
    bootstrap = parse_bootstrap(
        "static_resources: {listeners: [{name: a, address: {socket_address: {address: 127.0.0.1, port_value: 1}}, "
        "filter_chains: [{filters: [{name: h, typed_config: {'@type': type.googleapis.com/"
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, "
        "stat_prefix: x, route_config: {}, http_filters: ["
        "{name: w, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm, "
        f"config: {{configuration: {configuration}}}}}}},"
        "{name: r, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}"
        "]}}]}]}]}"
    )
    manager = bootstrap.static_resources.listeners[0].filter_chains[0].filters[0].typed_config
    assert manager is not None
    wasm: Any = manager.http_filters[0].typed_config
    result: bytes = wasm.config.configuration_bytes
    return result


# The right side is what a module in Envoy 1.40 read; a Struct with more than one entry comes in any order there.
SEEN = {
    "{'@type': type.googleapis.com/google.protobuf.StringValue, value: hello}": b"hello",
    "{'@type': type.googleapis.com/google.protobuf.StringValue}": b"",
    "{'@type': type.googleapis.com/google.protobuf.BytesValue, value: aGk=}": b"hi",
    "{'@type': type.googleapis.com/google.protobuf.Struct, value: {al: two}}": b"\n\x0b\n\x02al\x12\x05\x1a\x03two",
    "{'@type': type.googleapis.com/google.protobuf.Struct, value: {zeta: 1}}": (
        b"\n\x11\n\x04zeta\x12\x09\x11\0\0\0\0\0\0\xf0\x3f"
    ),
    "{'@type': type.googleapis.com/google.protobuf.Struct, value: {f: 1.5}}": b"\n\x0a\n\x01f\x12\x05\x1a\x031.5",
    "{'@type': type.googleapis.com/google.protobuf.Duration, value: 1.5s}": b"\x08\x01\x10\x80\xca\xb5\xee\x01",
    "{'@type': type.googleapis.com/google.protobuf.Int32Value, value: 7}": b"\x08\x07",
    "{'@type': type.googleapis.com/google.protobuf.Value, value: {a: 1}}": (
        b"*\x10\n\x0e\n\x01a\x12\x09\x11\0\0\0\0\0\0\xf0\x3f"
    ),
    "{'@type': type.googleapis.com/google.protobuf.Empty}": b"",
    "{}": b"",
}


@pytest.mark.parametrize("written", SEEN)
def test_a_module_sees_what_it_sees_in_envoy(written: str) -> None:
    assert seen_by_module(written) == SEEN[written]


def test_every_kind_of_value_of_a_struct() -> None:
    assert struct_bytes({"n": None, "b": False, "l": [True, {}], "s": {"k": ""}, "d": -2}) == (
        b"\n\x07\n\x01n\x12\x02\x08\x00"
        b"\n\x07\n\x01b\x12\x02 \x00"
        b"\n\x0f\n\x01l\x12\n2\x08\n\x02 \x01\n\x02*\x00"
        b"\n\x10\n\x01s\x12\x0b*\x09\n\x07\n\x01k\x12\x02\x1a\x00"
        b"\n\x0e\n\x01d\x12\x09\x11\0\0\0\0\0\0\0\xc0"
    )


def test_an_absent_configuration_is_empty() -> None:
    assert PluginConfig().configuration_bytes == b""
