"""Guests that say what they should not, in texts, pairs, replies, callouts, allocators, expressions, or by shape."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from tests.hostile.guests import DEFAULT, HEAD, LARGE, MIB, End, Hostile
from tests.hostile.wat import BLOCK, OUT, call, forever, on, pairs, text, times

# --- texts -----------------------------------------------------------------------------------------------------------

_ROOMY = '(memory $memory (export "memory") 10)'
_BAD_NAMES = (b"\xff\xfe\x80", b"a\0b", b"", b" ", b"a\r\nb: c", b":path", b"\xc3", b"\xed\xa0\x80", b"x" * 30_000)


def _texts() -> Iterator[tuple[str, Hostile]]:
    what = {
        "header names": lambda bad: (
            "".join(
                call(f"proxy_{verb}_header_map_value", kind, bad, b"value")
                for verb in ("add", "replace")
                for kind in (0, 2)
            )
            + call("proxy_remove_header_map_value", 0, bad)
        ),
        "header values": lambda bad: "".join(
            call("proxy_replace_header_map_value", kind, name, bad)
            for kind, name in ((0, b"x-a"), (0, b":authority"), (0, b":path"), (2, b"x-a"), (2, b"content-type"))
        ),
        "log lines": lambda bad: call("proxy_log", 2, bad),
        "property paths": lambda bad: call("proxy_get_property", bad, OUT, OUT) + call("proxy_set_property", bad, bad),
        "metric names": lambda bad: call("proxy_define_metric", 0, bad, OUT) + call("proxy_increment_metric", 4, 1),
        "queue names": lambda bad: (
            call("proxy_register_shared_queue", bad, OUT) + call("proxy_resolve_shared_queue", bad, bad, OUT)
        ),
        "keys": lambda bad: (
            call("proxy_set_shared_data", bad, bad, 0) + call("proxy_get_shared_data", bad, OUT, OUT, OUT)
        ),
        "cluster names": lambda bad: call("proxy_http_call", bad, HEAD, b"", b"", 10, OUT),
        "names to resolve": lambda bad: call("envoy_resolve_dns", bad, OUT),
        "foreign functions": lambda bad: call("proxy_call_foreign_function", bad, bad, OUT, OUT),
        "details of a reply": lambda bad: call("proxy_send_local_response", 403, bad, bad, pairs([(bad, bad)]), 7),
    }
    for name, make in what.items():
        code = "".join(make(bad) for bad in _BAD_NAMES)
        guest = text(
            *(on(callback, code) for callback in ("request_headers", "response_headers", "log")), memory=_ROOMY
        )
        yield f"bad text in {name}", Hostile(guest, (End.ANSWERS, End.ENDS), limits=DEFAULT)


# --- replies and pairs -----------------------------------------------------------------------------------------------


def _replies() -> Iterator[tuple[str, Hostile]]:
    blocks = {
        "as many pairs as may be": pairs([(b"x-%d" % i, b"v") for i in range(1024)]),
        "too many pairs": pairs([(b"x-%d" % i, b"v") for i in range(3000)]),
        "a count of 2^32 - 1": b"\xff\xff\xff\xff" + bytes(64),
        "a length of 2^32 - 1": b"\1\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff" + bytes(64),
        "lengths that wrap around": b"\2\0\0\0" + b"\1\0\0\0\xff\xff\xff\xff" * 2 + b"a\0b\0c\0",
        "a block of zeros": bytes(40_000),
        "names of nothing": pairs([(b"", b"")] * 500),
        "one huge value": pairs([(b"x", b"y" * 90_000)]),
    }
    for what, block in blocks.items():
        code = call("proxy_set_header_map_pairs", 0, block) + call("proxy_get_header_map_pairs", 0, OUT, OUT)
        reply = call("proxy_send_local_response", 200, b"", b"", block, 7)
        callout = call("proxy_http_call", b"back", block, b"", block, 10, OUT)
        guest = text(
            on("request_headers", callout + reply),
            on("response_headers", code.replace("_pairs (i32.const 0)", "_pairs (i32.const 2)")),
            memory=_ROOMY,
        )
        yield f"pairs: {what}", Hostile(guest, (End.ANSWERS, End.ENDS), limits=DEFAULT)
    answer = call("proxy_send_local_response", 200, b"", b"x", b"", 7)
    for callback in ("request_headers", "response_headers", "log", "done", "delete"):
        guest = text(on(callback, answer + answer + call("proxy_continue_stream", 0) + call("proxy_close_stream", 1)))
        yield f"answered twice in {callback}", Hostile(guest, (End.ANSWERS, End.ENDS), limits=DEFAULT)
    body = times(30, call("proxy_set_buffer_bytes", 0, 2**31 - 1, 0, LARGE))
    yield "a body that swells", Hostile(text(on("response_headers", body)), (End.ANSWERS, End.ENDS), limits=DEFAULT)
    statuses = "".join(
        call("proxy_replace_header_map_value", 2, b":status", value) for value in (b"0", b"-1", b"9" * 40, b"x", b"")
    )
    yield "status codes of another world", Hostile(text(on("response_headers", statuses)), (End.ANSWERS, End.ENDS))


# --- callouts --------------------------------------------------------------------------------------------------------


def _callouts() -> Iterator[tuple[str, Hostile]]:
    again = call("proxy_http_call", b"back", HEAD, b"", b"", 1000, OUT)
    guest = text(on("request_headers", again), on("http_call_response", again + again))
    yield "callouts that bring forth two", Hostile(guest, (End.ANSWERS, End.ENDS), limits=DEFAULT, ms=5)
    guest = text(on("request_headers", again), on("http_call_response", again + call("proxy_continue_stream", 0)))
    yield "callouts in callouts", Hostile(guest, (End.ANSWERS,), limits=DEFAULT)
    guest = text(on("request_headers", again), on("http_call_response", "unreachable"))
    yield "a trap in a callout's answer", Hostile(guest, (End.TRAPS,), ("proxy_on_http_call_response",), DEFAULT)
    every = on("configure", call("proxy_set_tick_period_milliseconds", 1))
    nowhere = call("proxy_http_call", b"nowhere", HEAD, b"", b"", 1, OUT)
    lost = call("proxy_http_call", b"lost", HEAD, b"", b"", 2**31 - 1, OUT)
    guest = text(every, on("tick", (nowhere + lost) * 20))
    yield "callouts that go nowhere", Hostile(guest, (End.ANSWERS, End.ENDS), limits=DEFAULT)
    stream = call("proxy_grpc_stream", b"back", b"s", b"m", b"", OUT)
    token = f"(i32.load (i32.const {OUT}))"
    send = call("proxy_grpc_send", token, LARGE, 0)
    guest = text(on("request_headers", stream + forever(send)))
    yield "messages on a gRPC stream without end", Hostile(guest, (End.ENDS, End.TRAPS), limits=DEFAULT)
    guest = text(
        on("request_headers", stream),
        on("grpc_close", stream + call("proxy_grpc_close", token)),
        on("grpc_receive_initial_metadata", stream + call("proxy_grpc_cancel", token)),
    )
    yield "gRPC streams in gRPC streams", Hostile(guest, (End.ANSWERS, End.ENDS), limits=DEFAULT, ms=5)
    guest = text(on("request_headers", times(400, call("proxy_set_effective_context", "(local.get $i)") + again)))
    yield "callouts in the name of others", Hostile(guest, (End.ANSWERS, End.ENDS), limits=DEFAULT)
    guest = text(on("done", "(return (i32.const 0))"), on("delete", call("proxy_done") * 3))
    yield "never done", Hostile(guest, (End.ANSWERS,), limits=DEFAULT)


# --- allocators ------------------------------------------------------------------------------------------------------


def _allocators() -> Iterator[tuple[str, Hostile]]:
    ask = call("proxy_get_header_map_pairs", 0, OUT, OUT) + call("proxy_get_property", b"request\0path", OUT, OUT)
    name = "proxy_on_request_headers"
    log = call("proxy_log", 2, b"more")
    bodies = {
        "gives nothing": ("(i32.const 0)", (End.ANSWERS,), ()),
        "gives what is not there": ("(i32.const -4)", (End.ANSWERS,), ()),
        "gives the outputs of the call": (f"(i32.const {OUT})", (End.ANSWERS,), ()),
        "gives the end of the memory": ("(i32.const 131071)", (End.ANSWERS,), ()),
        "traps": ("unreachable", (End.TRAPS,), ("malloc",)),
        "loops": (forever() + "(i32.const 8)", (End.TRAPS,), ("malloc",)),
        "calls itself": ("(call $malloc (local.get 0)) (drop) (call $malloc (local.get 0))", (End.TRAPS,), ("malloc",)),
        "grows the memory": (f"(drop (memory.grow (i32.const 1))) (i32.const {BLOCK})", (End.ANSWERS,), ()),
        "logs": (f"{log} (i32.const {BLOCK})", (End.ANSWERS,), ()),
        "logs without end": (forever(log) + "(i32.const 8)", (End.TRAPS, End.ENDS), ("malloc",)),
        "asks for what makes it allocate": (f"{ask} (i32.const {BLOCK})", (End.TRAPS,), ("malloc",)),
        "says that it is done": (f"{call('proxy_done')} (i32.const {BLOCK})", (End.TRAPS,), ("malloc",)),
        "throws": (f"(throw $t) (i32.const {BLOCK})", (End.TRAPS,), ("malloc",)),
    }
    for what, (body, ends, names) in bodies.items():
        malloc = f'(tag $t) (func $malloc (export "malloc") (param i32) (result i32) {body})'
        guest = text(on("request_headers", ask), malloc=malloc)
        yield f"an allocator that {what}", Hostile(guest, ends, names)
    malloc = f'(func $malloc (export "malloc") (param i32) (result i32) {forever(log)} (i32.const 8))'
    guest = text(on("request_headers", ask), malloc=malloc)
    names = (name, "proxy_get_header_map_pairs", "malloc", "proxy_log")
    yield "an allocator that logs without end or budget", Hostile(guest, (End.ENDS,), names, DEFAULT)


# --- foreign functions -----------------------------------------------------------------------------------------------


def _foreign() -> Iterator[tuple[str, Hostile]]:
    expressions = {
        "deep brackets": b"(" * 20_000 + b"1" + b")" * 20_000,
        "deep lists": b"[" * 20_000 + b"]" * 20_000,
        "loops in loops": b"[1,2,3,4,5,6,7,8].map(a, [1,2,3,4,5,6,7,8].map(b, [1,2,3,4,5,6,7,8].map(c, "
        b"[1,2,3,4,5,6,7,8].map(d, [1,2,3,4,5,6,7,8].map(e, [1,2,3,4,5,6,7,8]))))) == []",
        "a string that doubles": b"[1,2,3,4,5,6,7,8,9,10,11,12].map(a, [1,2,3].map(b, 'x' + 'x'))[0][0] == 'x'",
        "a regular expression that goes back": b"'" + b"a" * 40 + b"'.matches('(a+)+$b')",
        "a long chain": b" && ".join([b"true"] * 5000),
        "not UTF-8": b"\xff\xfe == 1",
        "a huge number": b"9" * 5000,
    }
    for what, source in expressions.items():
        create = call("proxy_call_foreign_function", b"expr_create", source, OUT, OUT + 4)
        result = f"(i32.load (i32.const {OUT}))"
        evaluate = call("proxy_call_foreign_function", b"expr_evaluate", result, 4, OUT, OUT + 4)
        guest = text(on("request_headers", create + evaluate))
        yield f"an expression: {what}", Hostile(guest, (End.ANSWERS, End.ENDS), limits=DEFAULT)
    create = call("proxy_call_foreign_function", b"expr_create", b"1 == 1", OUT, OUT + 4)
    names = ("proxy_on_request_headers", "proxy_call_foreign_function")
    yield "expressions without end", Hostile(text(on("request_headers", forever(create))), (End.ENDS,), names, DEFAULT)
    bomb = zlib.compress(bytes(64 * MIB), 9)
    code = call("proxy_call_foreign_function", b"uncompress", bomb, OUT, OUT)
    yield "a small stream that unpacks to much", Hostile(text(on("request_headers", code)), (End.ENDS,), names, DEFAULT)
    for function in (
        "compress",
        "uncompress",
        "sign",
        "verify_signature",
        "declare_property",
        "set_envoy_filter_state",
    ):
        junk = (b"", b"\xff" * 50, b"\x0a\xff\xff\xff\xff\x0f", b"\x08" + b"\xff" * 9 + b"\x01", bytes(10_000))
        code = "".join(call("proxy_call_foreign_function", function.encode(), each, OUT, OUT) for each in junk)
        yield (
            f"junk for {function}",
            Hostile(text(on("request_headers", code)), (End.ANSWERS, End.ENDS), limits=DEFAULT),
        )


# --- shapes ----------------------------------------------------------------------------------------------------------


def _shapes() -> Iterator[tuple[str, Hostile]]:
    functions = " ".join(f'(func (export "f{i}"))' for i in range(1500))
    yield "thousands of exports", Hostile(text(functions), (End.ANSWERS,))
    yield "deep blocks", Hostile(text("(func", "(block" * 3000, ")" * 3001), (End.ANSWERS, End.REFUSED))
    table = f"(br_table {'0 ' * 20_000} (local.get $i))"
    yield "a huge table of branches", Hostile(text(on("request_headers", f"(block {table})")), (End.ANSWERS,))
    local = " ".join(["i64"] * 49_000)
    yield "tens of thousands of locals", Hostile(text(f"(func (local {local}))"), (End.ANSWERS, End.REFUSED))
    sums = "(i32.add (i32.const 1)" * 2000 + "(i32.const 1)" + ")" * 2000
    yield "a huge expression", Hostile(text(on("request_headers", f"(drop {sums})")), (End.ANSWERS,))
    globals_ = " ".join("(global (mut i64) (i64.const 1))" for _ in range(20_000))
    yield "tens of thousands of globals", Hostile(text(globals_), (End.ANSWERS, End.REFUSED))
    yield "callbacks of other types", Hostile(text('(func (export "proxy_on_log") (param i64))'), (End.REFUSED,))
    yield "no memory at all", Hostile(text(on("log", ""), memory=""), (End.ANSWERS,))
    name = "\\ff".replace("\\ff", "x" * 60_000)
    yield "an export with a huge name", Hostile(text(f'(func (export "{name}"))'), (End.ANSWERS,))


MISCHIEF = (_texts, _replies, _callouts, _allocators, _foreign, _shapes)
"""Groups of guests."""
