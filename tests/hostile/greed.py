"""Guests that want too much: time, stack, memory, and whatever the host keeps for them."""

from __future__ import annotations

from collections.abc import Iterator

from meshsim.sim import Level
from tests.hostile.guests import BUDGET, DEFAULT, HEAD, HURRY, LARGE, LITTLE, TOGETHER, End, Hostile
from tests.hostile.wat import OUT, call, forever, on, text, times

# --- time ------------------------------------------------------------------------------------------------------------

_CALLBACKS = ("context_create", "request_headers", "response_headers", "log", "done", "delete")


def _loops() -> Iterator[tuple[str, Hostile]]:
    for callback in _CALLBACKS:
        guest = text(on(callback, forever()))
        # The root context is made first: it is the one whose VM fails.
        yield f"a loop in {callback}", Hostile(guest, (End.TRAPS, End.REFUSED), (f"proxy_on_{callback}",))
    for callback in ("vm_start", "configure"):
        guest = text(on(callback, forever()))
        yield f"a loop in {callback}", Hostile(guest, (End.REFUSED,), (f"proxy_on_{callback}",))
    guest = text('(func (export "_initialize")', forever(), ")")
    yield "a loop in _initialize", Hostile(guest, (End.REFUSED,), ("_initialize",))
    guest = text("(func $start", forever(), ") (start $start)")
    yield "a loop in the start section", Hostile(guest, (End.REFUSED,))
    guest = text(on("configure", call("proxy_set_tick_period_milliseconds", 10)), on("tick", forever()))
    yield "a loop in tick", Hostile(guest, (End.TRAPS,), ("proxy_on_tick",))
    guest = text(on("request_headers", forever()))
    yield "a loop without a budget", Hostile(guest, (End.ENDS,), ("proxy_on_request_headers", "deadline"), HURRY)
    read = call("proxy_get_current_time_nanoseconds", OUT)
    guest = text(on("request_headers", forever(read)))
    yield "a loop that reads the clock", Hostile(guest, (End.TRAPS, End.ENDS), ("proxy_on_request_headers",))
    names = ("proxy_on_request_headers", "proxy_get_current_time_nanoseconds")
    yield "a loop that reads the clock, without a budget", Hostile(guest, (End.ENDS,), names, DEFAULT)
    yield (
        "a loop that reads the clock, not recorded",
        Hostile(guest, (End.ENDS,), ("proxy_on_request_headers",), HURRY, Level.OFF),
    )
    waits = "(memory.atomic.wait32 (i32.const 64) (i32.const 0) (i64.const -1))"
    guest = text(on("request_headers", f"(drop {waits})"))
    yield "waiting for ever", Hostile(guest, (End.TRAPS,), ("proxy_on_request_headers",))


def _recursions() -> Iterator[tuple[str, Hostile]]:
    deep = (End.TRAPS,), ("proxy_on_request_headers",)
    guest = text("(func $down (call $down) (call $down))", on("request_headers", "(call $down)"))
    yield "a function that calls itself", Hostile(guest, *deep, DEFAULT)
    yield "a function that calls itself, on a budget", Hostile(guest, *deep)
    guest = text(
        "(type $v (func)) (table 1 funcref) (elem (i32.const 0) $down)"
        "(func $down (call_indirect (type $v) (i32.const 0)) (call $down))",
        on("request_headers", "(call $down)"),
    )
    yield "functions that call each other through a table", Hostile(guest, *deep, DEFAULT)
    local = " ".join(["i64"] * 5000)
    guest = text(f"(func $down (local {local}) (call $down) (call $down))", on("request_headers", "(call $down)"))
    yield "huge frames that call themselves", Hostile(guest, *deep, DEFAULT)
    guest = text("(func $down (return_call $down))", on("request_headers", "(call $down)"))
    yield "tail calls for ever", Hostile(guest, *deep)
    guest = text(
        "(tag $t) (func $down (block $b (try_table (catch_all $b) (call $down))) (throw $t))",
        on("request_headers", "(call $down)"),
    )
    yield "exceptions on the way up from the end of the stack", Hostile(guest, *deep)
    guest = text("(tag $t)", on("request_headers", forever("(block $b (try_table (catch_all $b) (throw $t)))")))
    yield "exceptions for ever", Hostile(guest, *deep)


# --- memory ----------------------------------------------------------------------------------------------------------


def _memories() -> Iterator[tuple[str, Hostile]]:
    grow = "(drop (memory.grow (i32.const 1)))"
    touch = (
        "(memory.fill (i32.const 4096) (i32.const 1) (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 4096)))"
    )
    guest = text(on("request_headers", times(400, grow) + touch))
    yield "memory to the limit, all of it written", Hostile(guest, (End.ANSWERS, End.TRAPS), limits=BUDGET)
    guest = text(on("request_headers", forever("(drop (memory.grow (i32.const -1)))")))
    yield "growing by everything", Hostile(guest, (End.TRAPS,), ("proxy_on_request_headers",))
    guest = text(memory='(memory (export "memory") 60000)')
    yield "born larger than the limit", Hostile(guest, (End.REFUSED,))
    guest = text(on("vm_start", times(255, grow) + touch))
    yield "every VM at the limit", Hostile(guest, (End.ANSWERS, End.REFUSED))
    guest = text("(memory $a 1) (memory $b 1) (memory $c 1) (memory $d 1) (memory $e 1) (memory $f 1) (memory $g 1)")
    yield "many memories", Hostile(guest, (End.ENDS,), ("memories",))
    guest = text("(table $t 1 funcref)", on("vm_start", "(drop (table.grow $t (ref.null func) (i32.const 9999999)))"))
    yield "a table to the limit", Hostile(guest, (End.ANSWERS,), limits=DEFAULT)
    tables = " ".join(f"(table $t{i} 1 funcref)" for i in range(50))
    grown = " ".join(f"(drop (table.grow $t{i} (ref.null func) (i32.const 9999999)))" for i in range(50))
    yield "many tables to the limit", Hostile(text(tables, on("vm_start", grown)), (End.REFUSED,), limits=DEFAULT)
    guest = text(
        "(type $node (struct (field (ref null $node)) (field i64) (field i64)))"
        "(global $list (mut (ref null $node)) (ref.null $node))",
        on(
            "request_headers",
            forever("(global.set $list (struct.new $node (global.get $list) (i64.const 1) (i64.const 2)))"),
        ),
    )
    yield "objects that are never let go", Hostile(guest, (End.TRAPS,), ("proxy_on_request_headers",), DEFAULT)
    guest = text(
        "(type $list (array (mut i64)))",
        on("request_headers", forever("(drop (array.new $list (i64.const 1) (i32.const 900000)))")),
    )
    yield "huge arrays, one after the other", Hostile(guest, (End.TRAPS,), ("proxy_on_request_headers",))
    guest = text(on("request_headers", "(memory.fill (i32.const 0) (i32.const 7) (i32.const 131072))"))
    yield "its own memory overwritten", Hostile(guest, (End.ANSWERS,))


# --- floods ----------------------------------------------------------------------------------------------------------

_COUNT = "(i32.store (i32.const 1024) (i32.add (i32.load (i32.const 1024)) (i32.const 1)))"
#: Floods that go on to the limit that a user has who sets none.
_TO_THE_END = ("log lines", "large log lines", "large messages", "callouts", "large replies")


def _floods() -> Iterator[tuple[str, Hostile]]:
    flood = {
        "log lines": call("proxy_log", 2, b"again"),
        "large log lines": call("proxy_log", 2, LARGE),
        "writes": "(i64.store (i32.const 512) (i64.const 0x500000400))" + call("fd_write", 1, 512, 1, 520),
        "metrics": _COUNT + call("proxy_define_metric", 0, b"name", OUT),
        "metrics with long names": _COUNT + call("proxy_define_metric", 1, LARGE, OUT),
        "samples": call("proxy_define_metric", 2, b"histogram", OUT)
        + forever(call("proxy_record_metric", f"(i32.load (i32.const {OUT}))", 7)),
        "keys": _COUNT + call("proxy_set_shared_data", b"key!", b"value", 0),
        "large keys": _COUNT + call("proxy_set_shared_data", LARGE, LARGE, 0),
        "queues": _COUNT + call("proxy_register_shared_queue", b"name", OUT),
        "messages": call("proxy_register_shared_queue", b"queue", OUT)
        + forever(call("proxy_enqueue_shared_queue", f"(i32.load (i32.const {OUT}))", b"message")),
        "large messages": call("proxy_register_shared_queue", b"queue", OUT)
        + forever(call("proxy_enqueue_shared_queue", f"(i32.load (i32.const {OUT}))", LARGE)),
        "properties": _COUNT + call("proxy_set_property", b"name", b"value"),
        "headers": call("proxy_add_header_map_value", 0, b"x-more", b"of it"),
        "large headers": call("proxy_add_header_map_value", 0, b"x-more", LARGE),
        "replies": call("proxy_send_local_response", 200, b"", b"body", b"", 7),
        "large replies": call("proxy_send_local_response", 200, b"", LARGE, b"", 7),
        "timers": call("proxy_set_tick_period_milliseconds", 1000),
        "callouts": call("proxy_http_call", b"back", HEAD, b"", b"", 1000, OUT),
        "gRPC calls": call("proxy_grpc_call", b"back", b"s", b"m", b"", b"", 1000, OUT),
        "gRPC streams": call("proxy_grpc_stream", b"back", b"s", b"m", b"", OUT),
        "names to resolve": call("envoy_resolve_dns", b"localhost", OUT),
        "resumptions": call("proxy_continue_stream", 0),
        "resets": call("proxy_close_stream", 0),
        "clock readings": call("proxy_get_current_time_nanoseconds", OUT),
        "look-ups": call("proxy_get_property", b"request\0path", OUT, OUT),
    }
    for what, code in flood.items():
        host_call = code.rpartition("(call $")[2].split()[0]
        guest = text(on("request_headers", forever(code)))
        names = ("proxy_on_request_headers", host_call)
        limits = DEFAULT if what in _TO_THE_END else LITTLE
        yield f"{what} without end", Hostile(guest, (End.ENDS,), names, limits)
        yield f"{what} without end, on a budget", Hostile(guest, (End.TRAPS, End.ENDS), names[:1])
    for what in ("log lines", "large replies", "keys", "messages", "metrics", "headers", "callouts"):
        guest = text(on("request_headers", forever(flood[what])))
        names = ("proxy_on_request_headers",)
        yield f"{what} without end, not recorded", Hostile(guest, (End.ENDS,), names, HURRY, Level.OFF)
    yield from _slow_floods()


def _slow_floods() -> Iterator[tuple[str, Hostile]]:
    """A little too much in each of many callbacks."""
    every = on("configure", call("proxy_set_tick_period_milliseconds", 1))
    guest = text(every, on("tick", times(2000, call("proxy_log", 2, b"again"))))
    yield "log lines at each tick", Hostile(guest, (End.ENDS,), ("proxy_on_tick", "proxy_log"), TOGETHER, ms=200)
    queue = f"(i32.load (i32.const {OUT}))"
    guest = text(
        on("configure", call("proxy_set_tick_period_milliseconds", 1) + call("proxy_register_shared_queue", b"q", OUT)),
        on("tick", times(200, call("proxy_enqueue_shared_queue", queue, LARGE))),
    )
    names = ("proxy_on_tick", "proxy_enqueue_shared_queue", "shared queues")
    yield "messages at each tick", Hostile(guest, (End.ENDS,), names, DEFAULT, ms=200)
    guest = text(every, on("tick", times(100, _COUNT + call("proxy_set_shared_data", LARGE, LARGE, 0))))
    names = ("proxy_on_tick", "proxy_set_shared_data", "shared data")
    yield "keys at each tick", Hostile(guest, (End.ENDS,), names, DEFAULT, ms=200)
    guest = text(every, on("tick", times(1000, _COUNT + call("proxy_define_metric", 0, b"name", OUT))))
    names = ("proxy_on_tick", "proxy_define_metric", "metrics")
    yield "metrics at each tick", Hostile(guest, (End.ENDS,), names, DEFAULT, ms=400)
    guest = text(
        on("configure", call("proxy_register_shared_queue", b"q", OUT)),
        on("request_headers", call("proxy_enqueue_shared_queue", queue, b"go")),
        on("queue_ready", call("proxy_enqueue_shared_queue", queue, b"go") * 2),
    )
    yield "messages that bring forth two", Hostile(guest, (End.ANSWERS, End.ENDS), limits=DEFAULT, ms=5)


GREED = (_loops, _recursions, _memories, _floods)
"""Groups of guests."""
