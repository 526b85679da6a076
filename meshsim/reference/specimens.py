"""Guests that do known things a known number of times, for measuring costs: text made by code, no compiler."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import wasmtime

#: Callbacks of a request with a direct response, and what comes after their names: types, and an empty body.
CALLBACKS = {
    "context_create": "(param i32 i32)",
    "request_headers": "(param i32 i32 i32) (result i32) (i32.const 0)",
    "response_headers": "(param i32 i32 i32) (result i32) (i32.const 0)",
    "response_body": "(param i32 i32 i32) (result i32) (i32.const 0)",
    "done": "(param i32) (result i32) (i32.const 1)",
    "log": "(param i32)",
    "delete": "(param i32)",
}
#: The least that a filter needs: one callback for each request.
BARE = ("request_headers",)
#: Bytes that a guest copies at once where copying is measured.
COPIED_BYTES = 16 << 10


@dataclass(frozen=True, slots=True)
class HostCall:
    """How a guest calls the host.

    Attributes
    ----------
    function, types, arguments : str
        The host function, the types of its arguments, and the arguments, as text.
    before : tuple of str, optional
        The same three of a call that has to be made first, when the guest is configured.
    """

    function: str
    types: str
    arguments: str
    before: tuple[str, str, str] | None = None

    @property
    def kind(self) -> str:
        """The function's name without what they all begin with.

        >>> HOST_CALLS["get"].kind
        'get_header_map_value'
        """
        return self.function.removeprefix("proxy_")


_X = "(i32.const 16) (i32.const 6)"  # the header x-cost
_WASM = "(i32.const 22) (i32.const 4)"
_PATH = "(i32.const 32) (i32.const 5)"
_RESULT = "(i32.const 512) (i32.const 516)"
_KEY = "(i32.const 64) (i32.const 6)"
_BULK = f"(i32.const 32768) (i32.const {COPIED_BYTES})"
_SET = ("proxy_set_shared_data", "i32 i32 i32 i32 i32")
_GET = ("proxy_get_shared_data", "i32 i32 i32 i32 i32")
_DEFINE = ("proxy_define_metric", "i32 i32 i32 i32", f"(i32.const 0) {_KEY} (i32.const 520)")

#: Host calls: ``get`` asks for a header that is not there, ``found`` for one that is (the host then asks the guest for
#: memory), and ``log`` writes below any level that Envoy keeps. ``in`` and ``out`` copy :data:`COPIED_BYTES`.
HOST_CALLS = {
    "add": HostCall("proxy_add_header_map_value", "i32 i32 i32 i32 i32", f"(i32.const 0) {_X} {_WASM}"),
    "get": HostCall("proxy_get_header_map_value", "i32 i32 i32 i32 i32", f"(i32.const 0) {_X} {_RESULT}"),
    "found": HostCall("proxy_get_header_map_value", "i32 i32 i32 i32 i32", f"(i32.const 0) {_PATH} {_RESULT}"),
    "replace": HostCall("proxy_replace_header_map_value", "i32 i32 i32 i32 i32", f"(i32.const 0) {_X} {_WASM}"),
    "remove": HostCall("proxy_remove_header_map_value", "i32 i32 i32", f"(i32.const 0) {_X}"),
    "pairs": HostCall("proxy_get_header_map_pairs", "i32 i32 i32", f"(i32.const 0) {_RESULT}"),
    "log": HostCall("proxy_log", "i32 i32 i32", f"(i32.const 0) {_X}"),
    "property": HostCall("proxy_get_property", "i32 i32 i32 i32", f"(i32.const 40) (i32.const 12) {_RESULT}"),
    "metric": HostCall(
        "proxy_increment_metric", "i32 i64", "(i32.load (i32.const 520)) (i64.const 1)", _DEFINE
    ),
    "data": HostCall(*_GET, f"{_KEY} {_RESULT} (i32.const 524)", (*_SET, f"{_KEY} {_WASM} (i32.const 0)")),
    "share": HostCall(*_SET, f"{_KEY} {_WASM} (i32.const 0)"),
    "in": HostCall(*_GET, f"{_KEY} {_RESULT} (i32.const 524)", (*_SET, f"{_KEY} {_BULK} (i32.const 0)")),
    "out": HostCall(*_SET, f"{_KEY} {_BULK} (i32.const 0)"),
    "clock": HostCall("proxy_get_current_time_nanoseconds", "i32", "(i32.const 512)"),
}  # fmt: skip

#: Guest code, a round: a chain of dependent operators, loads and stores, calls and branches.
CODE = {
    "hash": """(local.set $h (i32.mul (i32.xor (local.get $h)
        (i32.load8_u offset=4096 (i32.and (local.get $n) (i32.const 4095)))) (i32.const 16777619)))""",
    "copy": """(i32.store8 offset=8192 (i32.and (local.get $n) (i32.const 4095))
        (i32.load8_u offset=4096 (i32.and (local.get $n) (i32.const 4095))))""",
    "calls": "(local.set $h (i32.add (local.get $h) (call $fibonacci (i32.const 8))))",
}
_FIBONACCI = """(func $fibonacci (param $k i32) (result i32)
  (if (result i32) (i32.lt_u (local.get $k) (i32.const 2)) (then (local.get $k))
    (else (i32.add (call $fibonacci (i32.sub (local.get $k) (i32.const 1)))
                   (call $fibonacci (i32.sub (local.get $k) (i32.const 2)))))))"""
_CONFIGURE = '(func (export "proxy_on_configure") (param i32 i32) (result i32)'


def guest(
    callbacks: Sequence[str] = BARE,
    calls: Mapping[str, int] | None = None,
    code: Mapping[str, int] | None = None,
    seed: int = 0,
) -> bytes:
    """A guest with these callbacks; for each request it makes host calls and runs code, each so many times.

    Envoy does not enter a guest for callbacks that it does not export. Another ``seed`` makes another module of it,
    which gets a VM of its own.

    Examples
    --------
    >>> len(guest(["request_headers"])) < len(guest(["request_headers", "log"]))
    True
    """
    calls, code = calls or {}, code or {}
    steps = [(_step(HOST_CALLS[name]), times) for name, times in calls.items()]
    steps += [(CODE[name], times) for name, times in code.items()]
    wanted = [HOST_CALLS[name] for name in calls]
    imported = {call.function: call.types for call in wanted}
    imported |= {before[0]: before[1] for call in wanted if (before := call.before)}
    start = "".join(f"(drop (call ${b[0]} {b[2]}))" for b in dict.fromkeys(call.before for call in wanted) if b)
    empty = (f'(func (export "proxy_on_{name}") {CALLBACKS[name]})' for name in callbacks if name != BARE[0])
    loops = "".join(loop(f"$again{index}", step, times) for index, (step, times) in enumerate(steps) if times)
    keep = "(i32.store (i32.const 516) (local.get $h))" if code else ""
    body = f"""(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (local $n i32) (local $h i32)
      {loops} {keep} (i32.const 0))"""
    configure = f"{_CONFIGURE} {start} (i32.const 1))" if start else ""
    return module([*empty, body, _FIBONACCI if "calls" in code else "", configure], imported, seed)


def filler(size: int, seed: int, straight: bool = False, pages: int = 1, touched: int = 0) -> bytes:
    """A guest with some ``size`` bytes of code that is compiled and never run; no two seeds give the same code.

    V8 would compile the same code only once. A table holds all functions so that they count as used. Ordinary code
    mixes operators, branches, memory and calls, in functions of many sizes; ``straight`` has arithmetic alone. The
    guest's memory has ``pages`` of 64 KiB, of which it writes ``touched`` when it is configured.
    """
    draw = random.Random(seed).randrange
    count = max(size // 900, size > 0)
    names = [f"$f{index}" for index in range(count)]
    steps = [draw(20, 120) for _ in names]
    scale = size / max(1, sum(steps)) / (19 if straight else 10.3)
    functions = (
        f"(func {name} (param i32) (result i32) {_LOCALS} (local.set 1 (local.get 0)) "
        + "".join(_filling(draw, names, straight) for _ in range(max(1, round(many * scale))))
        + "(local.get 1))"
        for name, many in zip(names, steps, strict=True)
    )
    touch = f"""{_CONFIGURE} (local $n i32) (local.set $n (i32.const {touched}))
      (block $done (loop $again (br_if $done (i32.eqz (local.get $n)))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (memory.fill (i32.shl (local.get $n) (i32.const 16)) (i32.const 7) (i32.const 65536)) (br $again)))
      (i32.const 1))"""
    created = f'(func (export "proxy_on_context_create") {CALLBACKS["context_create"]})'
    table = f"(table {count} funcref) (elem (i32.const 0) func {' '.join(names)})"
    return module([*functions, table, created, touch], {}, seed, pages)


def module(parts: Iterable[str], imported: Mapping[str, str], seed: int = 0, pages: int = 1) -> bytes:
    """A Proxy-Wasm 0.2.1 module of these parts; ``imported`` are host functions, by name, with their types.

    The memory begins with the words that :data:`HOST_CALLS` use; the allocator always gives the same place.
    """
    imports = "".join(
        f'(import "env" "{name}" (func ${name} (param {types}) (result i32)))' for name, types in imported.items()
    )
    return bytes(
        wasmtime.wat2wasm(f"""(module {imports} (memory (export "memory") {pages})
        (data (i32.const 16) "x-costwasm") (data (i32.const 32) ":path") (data (i32.const 40) "request\\00path")
        (data (i32.const 64) "shared") (data (i32.const 80) "authorization") (data (i32.const 96) "secret")
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
        {"".join(parts)} (global i32 (i32.const {seed})))""")
    )


def loop(label: str, step: str, times: int) -> str:
    """Code that does ``step`` so often, at least once; it counts down in the local ``$n``."""
    return f"""(local.set $n (i32.const {times}))
      (loop {label} {step} (br_if {label} (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))"""


_LOCALS = "(local i32 i32 i32 i32 i32 i32 i32)"


def _filling(draw: Callable[[int, int], int], names: Sequence[str], straight: bool) -> str:
    """One statement on the locals of a filler's function."""
    to, one, other, small = draw(1, 8), draw(0, 8), draw(0, 8), draw(1, 64)
    if straight:
        mul, xor = draw(1 << 28, 1 << 31), draw(1 << 28, 1 << 31)  # ten digits, so that each takes five bytes
        return f"(local.set 1 (i32.xor (i32.mul (local.get 1) (i32.const {mul})) (i32.const {xor})))"
    match draw(0, 5):
        case 0:
            value = f"(i32.xor (i32.mul (local.get {one}) (local.get {other})) (i32.const {small}))"
        case 1:
            value = f"(i32.add (local.get {one}) (i32.const {small}))"
        case 2:
            value = f"(i32.load offset={4 * draw(0, 16_000)} (local.get {other}))"
            return f"(i32.store offset={4 * draw(0, 16_000)} (local.get {one}) {value})"
        case 3:
            value = f"(call {names[draw(0, len(names))]} (local.get {one}))"
        case _:
            return f"""(if (i32.lt_u (local.get {one}) (local.get {other}))
              (then (local.set {to} (local.get {one}))) (else (local.set {to} (i32.const {small}))))"""
    return f"(local.set {to} {value})"


def _step(call: HostCall) -> str:
    return f"(drop (call ${call.function} {call.arguments}))"
