"""Four things that filters do, each as a native filter, as a Wasm module and as a Lua script, for comparing them."""

from __future__ import annotations

import json
from dataclasses import dataclass

from meshsim.reference import chains
from meshsim.reference.bench import PLAIN, request
from meshsim.reference.chains import Filter
from meshsim.reference.specimens import BARE, HOST_CALLS, guest, module

ENGINES = ("native", "wasm", "lua")

_BODY = json.dumps({f"field_{number}": "lovelace " * 4 for number in range(20)}).encode()
_REWRITTEN = '{"user": "withheld"}'
_HEADERS = '(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)'

_CHECK = f"""(func $differs (param $at i32) (result i32) (local $n i32)
    (loop $again
      (if (i32.ne (i32.load8_u (i32.add (local.get $at) (local.get $n)))
                  (i32.load8_u offset=96 (local.get $n))) (then (return (i32.const 1))))
      (br_if $again (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 6))))
    (i32.const 0))
  {_HEADERS}
    (i32.store (i32.const 516) (i32.const 0))
    (drop (call $proxy_get_header_map_value (i32.const 0) (i32.const 80) (i32.const 13)
      (i32.const 512) (i32.const 516)))
    (if (i32.or (i32.ne (i32.load (i32.const 516)) (i32.const 6)) (call $differs (i32.load (i32.const 512))))
      (then
        (drop (call $proxy_send_local_response (i32.const 403) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
          (i32.const 0) (i32.const 0) (i32.const -1)))
        (return (i32.const 1))))
    (i32.const 0))"""
_REWRITE = f"""(data (i32.const 128) "{_REWRITTEN.replace('"', chr(92) + '"')}")
  {_HEADERS} (local.get 2) (i32.eqz))
  (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
    (if (i32.eqz (local.get 2)) (then (return (i32.const 1))))
    (drop (call $proxy_get_buffer_bytes (i32.const 0) (i32.const 0) (local.get 1) (i32.const 512) (i32.const 516)))
    (drop (call $proxy_set_buffer_bytes (i32.const 0) (i32.const 0) (local.get 1)
      (i32.const 128) (i32.const {len(_REWRITTEN)})))
    (i32.const 0))"""
_REWRITE_IMPORTS = {"proxy_get_buffer_bytes": "i32 i32 i32 i32 i32", "proxy_set_buffer_bytes": "i32 i32 i32 i32 i32"}
_CHECK_IMPORTS = {
    HOST_CALLS["get"].function: HOST_CALLS["get"].types,
    "proxy_send_local_response": "i32 i32 i32 i32 i32 i32 i32 i32",
}


@dataclass(frozen=True, slots=True)
class Task:
    """One job for a filter.

    Attributes
    ----------
    request : bytes
        What is sent; the answer is ``ok``.
    without : tuple of Filter
        What it is compared with: no filters, where Envoy can answer so.
    native : Filter
        The built-in filter that comes closest.
    wasm : bytes
        The module.
    lua : str
        The script.
    """

    request: bytes
    without: tuple[Filter, ...]
    native: Filter
    wasm: bytes
    lua: str


#: By name. ``check_token`` wants ``authorization: secret``, and has it here; ``rewrite_body`` reads the request's whole
#: body of a kilobyte of JSON and puts another in its place (Envoy would answer before the body is there, and close the
#: connection, if nothing waited for it); the native filter parses the JSON too, the others do not. What counts natively
#: are RBAC's shadow rules.
TASKS = {
    "add_header": Task(
        PLAIN,
        (),
        chains.header_mutation(1),
        guest(BARE, {"add": 1}, seed=1),
        'function envoy_on_request(handle) handle:headers():add("x-cost", "wasm") end',
    ),
    "check_token": Task(
        request([("authorization", "secret")]),
        (),
        chains.rbac("rules", "authorization", "secret"),
        module([_CHECK], _CHECK_IMPORTS, 2),
        """function envoy_on_request(handle)
          if handle:headers():get("authorization") ~= "secret" then handle:respond({[":status"] = "403"}, "") end
        end""",
    ),
    "count_metric": Task(
        PLAIN,
        (),
        chains.rbac("shadow_rules"),
        guest(BARE, {"metric": 1}, seed=3),
        'function envoy_on_request(handle) handle:stats():counter("seen"):inc(1) end',
    ),
    "rewrite_body": Task(
        request([("content-type", "application/json")], _BODY),
        (chains.buffer(1 << 20),),
        chains.transform(_REWRITTEN),
        module([_REWRITE], _REWRITE_IMPORTS, 4),
        f"""function envoy_on_request(handle)
          local body = handle:body()
          local before = body:getBytes(0, body:length())
          body:setBytes('{_REWRITTEN}')
        end""",
    ),
}
