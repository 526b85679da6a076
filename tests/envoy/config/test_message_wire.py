"""Messages as bytes, beside the recorded case ``abi-configuration-messages``."""

from __future__ import annotations

import pytest

from meshsim.envoy.config.document import Node
from meshsim.envoy.config.message_wire import message_bytes
from meshsim.envoy.config.protojson import Reader
from meshsim.envoy.config.schema import known_schema
from meshsim.envoy.loader import parse_bootstrap
from meshsim.errors import MeshsimError
from tests.envoy.config.test_struct_wire import seen_by_module


def as_node(value: object) -> Node:
    if isinstance(value, dict):
        return Node({key: as_node(item) for key, item in value.items()}, 1)
    return Node([as_node(item) for item in value] if isinstance(value, list) else value, 1)


def written(message: str, **fields: object) -> bytes:
    reader = Reader(known_schema(), message)
    parsed = reader.read(as_node(fields))
    assert not reader.problems
    return message_bytes(parsed)


def test_fields_come_in_the_order_of_their_numbers_and_defaults_are_left_out() -> None:
    assert written("envoy.config.core.v3.HeaderValue", value="v", key="k") == b"\n\x01k\x12\x01v"
    assert written("envoy.config.core.v3.HeaderValue", value="", key="k") == b"\n\x01k"


def test_a_member_of_a_oneof_is_there_even_with_the_default() -> None:
    assert written("envoy.config.core.v3.DataSource", inline_string="") == b"\x1a\0"


def test_numbers_of_a_list_are_packed_and_enums_are_numbers() -> None:
    policy = written("envoy.config.route.v3.RetryPolicy", retriable_status_codes=[5, 300])
    assert policy == b"\x3a\x03\x05\xac\x02"
    assert written("envoy.type.v3.FractionalPercent", denominator="MILLION") == b"\x10\x02"
    assert written("envoy.type.v3.FractionalPercent", denominator="HUNDRED") == b""


def test_a_map_has_an_entry_with_key_and_value_each() -> None:
    variables = written("envoy.extensions.wasm.v3.EnvironmentVariables", key_values={"A": ""})
    assert variables == b"\x12\x05\n\x01A\x12\0"


def test_a_negative_number_has_ten_bytes() -> None:
    assert written("envoy.type.v3.Int64Range", start=-1) == b"\x08" + b"\xff" * 9 + b"\x01"


def test_a_time_that_is_none_is_not_modelled() -> None:
    with pytest.raises(MeshsimError, match="no time: yesterday"):
        seen_by_module("{'@type': type.googleapis.com/google.protobuf.Timestamp, value: yesterday}")


def test_a_time_is_counted_from_1970_in_utc() -> None:
    early = "{'@type': type.googleapis.com/google.protobuf.Timestamp, value: '1970-01-01T01:00:01+01:00'}"
    assert seen_by_module(early) == b"\x08\x01"


def test_null_in_a_map_of_messages_is_a_message_without_fields() -> None:
    text = "{node: {id: a, cluster: b, dynamic_parameters: {q: null}}}"
    assert parse_bootstrap(text, ignore_unmodelled=True).node.id == "a"
