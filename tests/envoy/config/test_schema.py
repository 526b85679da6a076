from __future__ import annotations

import pytest

from meshsim.envoy.config.descriptors import embedded_files
from meshsim.envoy.config.schema import Schema, known_schema


def test_it_says_which_envoy_it_is_of() -> None:
    assert known_schema().envoy_version == "1.40.0"


@pytest.mark.parametrize(
    "message",
    [
        "envoy.config.bootstrap.v3.Bootstrap",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        "envoy.extensions.filters.http.wasm.v3.Wasm",
        "envoy.extensions.filters.http.lua.v3.Lua",
        "envoy.extensions.filters.network.wasm.v3.Wasm",
        "envoy.extensions.access_loggers.wasm.v3.WasmAccessLog",
        "envoy.extensions.wasm.v3.WasmService",
        "udpa.type.v1.TypedStruct",
        "google.protobuf.StringValue",
    ],
)
def test_it_knows_the_messages_of_bootstraps(message: str) -> None:
    assert known_schema().message(message).name == message


def test_fields_have_both_spellings() -> None:
    listener = known_schema().message("envoy.config.listener.v3.Listener")

    assert listener.spellings["filterChains"] is listener.spellings["filter_chains"]


def test_every_message_can_be_read() -> None:
    schema = known_schema()
    todo, seen = ["envoy.config.bootstrap.v3.Bootstrap"], set()
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            types = [field.type for field in schema.message(name).fields.values()]
            todo += [kind.target for kind in types if kind.kind == "message"]

    assert len(seen) > 200


def test_a_schema_is_made_of_its_table() -> None:
    schema = Schema(
        {
            "envoy": "0",
            "enums": {"a.E": {"X": 0}},
            "messages": {
                "a.M": {
                    "f": {"some_text": "1 s", "many": "2 [m0", "by_name": "3D {se0"},
                    "o": {"pick": [True, "some_text"]},
                    "r": {"some_text": {"string": {"min_len": 1}}},
                }
            },
        }
    )
    message = schema.message("a.M")

    assert message.fields["some_text"].rules == {"string": {"min_len": 1}}
    assert message.required_oneofs == {"pick": ("some_text",)}
    assert (message.fields["many"].shape, message.fields["many"].type.words) == ("many", "message a.M")
    entries = message.fields["by_name"]
    assert (entries.shape, entries.flag, entries.type.words) == ("map", "D", "enum a.E")
    with pytest.raises(KeyError):
        schema.message("a.N")


def test_descriptors_are_found_in_a_binary() -> None:
    file = b"\x0a\x07a.proto\x12\x01p\x22\x05\x0a\x03Msg"

    assert list(embedded_files(b"\x7fELF\x00junk" + file + b"\x00rest")) == [file]
