"""Guests that do what is written in their memory: a row of records, one a host call, for each callback."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache

from meshsim.abi.constants import AbiVersion
from meshsim.abi.signatures import HOST_FUNCTIONS, HostFunction, offered

#: Host functions that scripts call: those of the shim, and others that see or change what the shim keeps.
CALLED = (
    "proxy_log",
    "proxy_get_log_level",
    "proxy_get_current_time_nanoseconds",
    "proxy_get_property",
    "proxy_get_header_map_pairs",
    "proxy_set_header_map_pairs",
    "proxy_get_header_map_value",
    "proxy_add_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_remove_header_map_value",
    "proxy_get_header_map_size",
    "proxy_get_buffer_status",
    "proxy_get_buffer_bytes",
    "proxy_set_buffer_bytes",
    "proxy_increment_metric",
    "proxy_record_metric",
    "proxy_get_metric",
    "proxy_define_metric",
    "proxy_set_property",
    "proxy_set_effective_context",
    "proxy_continue_stream",
    "proxy_continue_request",
    "proxy_send_local_response",
    "proxy_get_status",
    "proxy_get_shared_data",
    "proxy_set_shared_data",
    "envoy_resolve_dns",
    "fd_write",
    "clock_time_get",
)

CALLBACKS = {
    "proxy_on_context_create": ("i32 i32", ""),
    "proxy_on_request_headers": ("i32 i32 i32", "i32"),
    "proxy_on_request_body": ("i32 i32 i32", "i32"),
    "proxy_on_request_trailers": ("i32 i32", "i32"),
    "proxy_on_response_headers": ("i32 i32 i32", "i32"),
    "proxy_on_response_body": ("i32 i32 i32", "i32"),
    "proxy_on_response_trailers": ("i32 i32", "i32"),
    "proxy_on_tick": ("i32", ""),
    "envoy_on_resolve_dns": ("i32 i32 i32", ""),
    "proxy_on_log": ("i32", ""),
    "proxy_on_done": ("i32", "i32"),
    "proxy_on_delete": ("i32", ""),
}
_HEADERS = ("proxy_on_request_headers", "proxy_on_response_headers")

#: How the guest gives memory to the host.
ALLOCATORS = {
    "bump": "(local.set $at (global.get $free)) (global.set $free (i32.add (global.get $free) (local.get $n)))",
    # page by page, so that addresses move and memory grows
    "growing": """
      (local.set $at (i32.shl (memory.size) (i32.const 16)))
      (drop (memory.grow (i32.add (i32.const 1) (i32.shr_u (local.get $n) (i32.const 16)))))""",
    "without memory": "(local.set $at (i32.const 0))",
    # every third block begins behind the end
    "wild": """
      (global.set $free (i32.add (global.get $free) (local.get $n)))
      (local.set $at
        (select (i32.const -8) (global.get $free) (i32.eqz (i32.rem_u (global.get $free) (i32.const 3)))))""",
    # calls the host, which it may
    "talking": """
      (drop (call $proxy_log (i32.const 1) (i32.const 0) (i32.const 5)))
      (local.set $at (global.get $free)) (global.set $free (i32.add (global.get $free) (local.get $n)))""",
}

DATA, SCRIPTS, FREE = 0, 0x8000, 0x10000
RECORD = 64
RECORDS = 31  # a script, with the record of zeros that ends it
PAGES = 3
_SCRIPT_BYTES = RECORD * (RECORDS + 1)
_RESULT = 60
_TYPES = {"i": "i32", "I": "i64"}
_NAMES = {name: place for place, name in enumerate(CALLED, 1)}


@dataclass(frozen=True, slots=True)
class Kind:
    """What a guest is like; a callback that is in ``missing`` it has not."""

    version: AbiVersion
    allocator: str
    allocator_name: str
    missing: frozenset[str]

    @property
    def functions(self) -> list[HostFunction]:
        """The host functions that it can call."""
        return [function for function in _functions() if function in offered(self.version).values()]


@cache
def _functions() -> tuple[HostFunction, ...]:
    wanted = {name: function for function in reversed(HOST_FUNCTIONS) for name in (function.name,)}
    return tuple(wanted[name] for name in CALLED)


def script_at(callback: str) -> int:
    """Where in memory a callback's script is; behind the records comes what the callback returns."""
    return SCRIPTS + _SCRIPT_BYTES * list(CALLBACKS).index(callback)


def record(name: str, arguments: tuple[int, ...]) -> bytes:
    """One host call."""
    padded = [*arguments, *[0] * (6 - len(arguments))]
    return struct.pack("<II6Q", _NAMES[name], 0, *(value & (1 << 64) - 1 for value in padded)) + bytes(8)


def script(records: list[bytes], answer: int) -> bytes:
    """Host calls, and what the callback returns."""
    body = b"".join(records).ljust(_SCRIPT_BYTES - 4, b"\0")
    return body + struct.pack("<I", answer)


def text_of(kind: Kind) -> str:
    """The guest's text."""
    functions = kind.functions
    imports = "\n".join(
        f'(import "{f.module}" "{f.name}" (func ${f.name} (param {_words(f.type.params)}) (result i32)))'
        for f in functions
    )
    calls = "\n".join(_call(function) for function in functions)
    exports = "\n".join(_callback(kind, name) for name in CALLBACKS if name not in kind.missing)
    return f"""(module {imports}
      (memory (export "memory") {PAGES})
      (global $free (mut i32) (i32.const {FREE}))
      (func (export "proxy_abi_version_{kind.version}"))
      (func (export "{kind.allocator_name}") (param $n i32) (result i32) (local $at i32)
        {ALLOCATORS[kind.allocator]} (local.get $at))
      (func $run (param $at i32) (param $end i32) (local $call i32)
        (loop $next
          (if (i32.ge_u (local.get $at) (local.get $end)) (then (return)))
          (local.set $call (i32.load (local.get $at)))
          (if (i32.eqz (local.get $call)) (then (return)))
          {calls}
          (local.set $at (i32.add (local.get $at) (i32.const {RECORD})))
          (br $next)))
      {exports})"""


def _words(letters: str) -> str:
    return " ".join(_TYPES[letter] for letter in letters)


def _call(function: HostFunction) -> str:
    params = function.type.params
    # the eighth argument and those behind it are those of the first again: a record has room for six
    arguments = " ".join(
        f"({_TYPES[letter]}.load offset={8 + 8 * (place % 6)} (local.get $at))" for place, letter in enumerate(params)
    )
    return f"""(if (i32.eq (local.get $call) (i32.const {_NAMES[function.name]}))
      (then (i32.store offset={_RESULT} (local.get $at) (call ${function.name} {arguments}))))"""


def _callback(kind: Kind, name: str) -> str:
    params, result = CALLBACKS[name]
    if name in _HEADERS and kind.version is AbiVersion.V0_1_0:
        params = "i32 i32"
    start = script_at(name)
    end = start + _SCRIPT_BYTES - RECORD
    answer = f"(i32.load (i32.const {start + _SCRIPT_BYTES - 4}))" if result else ""
    return f"""(func (export "{name}") (param {params}) (result {result})
      (call $run (i32.const {start}) (i32.const {end})) {answer})"""
