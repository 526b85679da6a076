"""Names for numbers: the table covers every function, and says what its numbers mean."""

from __future__ import annotations

import pytest

from meshsim.abi import describe
from meshsim.abi.signatures import ALLOCATOR_TYPE, ALLOCATORS, CALLBACKS, HOST_FUNCTIONS
from meshsim.wasm.types import FuncType

FUNCTIONS = {(f.name, f.type) for f in (*HOST_FUNCTIONS, *CALLBACKS)} | {(name, ALLOCATOR_TYPE) for name in ALLOCATORS}
#: ABI 0.1.0 does not pass the last one.
SHORTER = {("proxy_on_request_headers", 2), ("proxy_on_response_headers", 2)}


@pytest.mark.parametrize(("name", "type_"), sorted(FUNCTIONS, key=str))
def test_the_table_names_every_argument_of_every_function(name: str, type_: FuncType) -> None:
    named = describe.parameters(name)
    assert named is not None
    expected = len(type_.params) + ((name, len(type_.params)) in SHORTER)
    assert sum(parameter.width for parameter in named) == expected


@pytest.mark.parametrize(("name", "type_"), sorted(FUNCTIONS, key=str))
def test_every_call_can_be_shown_whatever_its_numbers(name: str, type_: FuncType) -> None:
    for value in (0, 1, 2**32 - 1):
        text = describe.call(name, (value,) * len(type_.params))
        assert text.startswith(f"{name}(")
        assert "argument" not in text.replace("argument=", "")


def test_a_pair_is_one_argument() -> None:
    shown = describe.arguments("env.proxy_get_header_map_value", (2, 16, 13, 0, 4))
    assert [tuple(argument) for argument in shown] == [
        ("map", "RESPONSE_HEADERS"),
        ("key", "13 B at 0x10"),
        ("value", "to 0x0, 0x4"),
    ]


def test_brief_leaves_out_addresses_and_nothing_else() -> None:
    values = (1, 0, 100, 8, 12)
    assert describe.call("env.proxy_get_buffer_bytes", values, brief=True) == (
        "proxy_get_buffer_bytes(buffer=RESPONSE_BODY, start=0, max=100 B)"
    )


def test_a_number_without_a_name_is_shown_as_a_number() -> None:
    assert describe.call("env.proxy_log", (9, 0, 0)) == "proxy_log(level=9 (unknown), message=empty)"


def test_an_unknown_function_keeps_its_numbers() -> None:
    assert describe.call("env.something_new", (3, 4)) == "something_new(argument 0=3, argument 1=4)"


def test_signs_come_back() -> None:
    assert "grpc_status=-1" in describe.call("env.proxy_send_local_response", (401, 0, 0, 0, 0, 0, 0, 2**32 - 1))
    assert "offset=-5" in describe.call("env.proxy_increment_metric", (1, 2**64 - 5))


@pytest.mark.parametrize(
    ("function", "values", "word"),
    [
        ("proxy_on_configure", (1,), "true"),
        ("proxy_on_request_headers", (1,), "STOP_ITERATION"),
        ("proxy_on_request_body", (1,), "STOP_AND_BUFFER"),
        ("env.proxy_set_shared_data", (8,), "CAS_MISMATCH"),
        ("wasi_snapshot_preview1.fd_write", (8,), "8"),
        ("malloc", (4096,), "0x1000"),
        ("proxy_on_delete", (), "void"),
    ],
)
def test_answers_have_names(function: str, values: tuple[int, ...], word: str) -> None:
    assert describe.result(function, values) == word
