"""Lesson 00: a first filter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshsim.abi.events import Direction
from meshsim.envoy.requests import Request
from meshsim.lab.lessons.answers import as_module
from meshsim.lab.lessons.plan import Exercise, Parameter, Plan, Wrong
from meshsim.lab.lessons.runs import calls_of, names, started

if TYPE_CHECKING:
    from meshsim.envoy.proxy import Envoy
    from meshsim.lab.lessons.lesson import Lesson
    from meshsim.lab.wat import WatModule


#: What the notebook sends.
HELLO = Request(None, "GET", "/hello", "example.com", (("authorization", "Basic b3BlbjpzZXNhbWU="),))


def _vms(at: Lesson) -> int:
    return len(at.envoy().memory())


def _host_calls(at: Lesson) -> frozenset[str]:
    return frozenset(names(calls_of(at.envoy(), HELLO), Direction.VM_CALLS_HOST))


def _with(at: Lesson, module: WatModule) -> Envoy:
    """The lesson's Envoy with another module."""
    path = str(as_module(module).path)
    return started(at, at.bootstrap.read_text(encoding="utf-8").replace("hello.wasm", path))


def _adds_a_header(at: Lesson, module: WatModule) -> str | None:
    reply = _with(at, module).get("/hello")
    if reply.status != 200:
        return f"the request fails with {reply.status}. A header holds letters only: is the value longer than the text?"
    name = dict(reply.headers).get("x-seen-wasm", "")
    if not name:
        return "the application saw no header x-wasm. Does your code call $add_header, and is the map 0?"
    if "\0" in name or name != name.strip():
        return f"the application saw {name!r}: the length of the value is not that of your name."
    if name.encode() + b"\0" not in module.wasm + b"\0" and not _whole(name, module):
        return f"the application saw {name!r}, which is only a part of the text at address 16: count its bytes again."
    return None


def _whole(name: str, module: WatModule) -> bool:
    """Whether the value is a whole text of the module: in the data section its length stands before it."""
    return bytes([len(name)]) + name.encode() in module.wasm


def _guards(at: Lesson, module: WatModule) -> str | None:
    envoy = _with(at, module)
    known = envoy.get("/hello", headers={"authorization": "me"}).status
    if known != 200:
        return f"a request with an authorization got {known}, not 200: it should pass."
    stranger = envoy.get("/hello").status
    if stranger == 200:
        return "a request without an authorization got 200. Does your code call $reply, and return 1 after it?"
    if stranger != 401:
        return f"a request without an authorization got {stranger}, not 401."
    return None


PLAN = Plan(
    number="00",
    title="Your first filter",
    minutes=15,
    parameters=(Parameter("workers", 2, range(1, 9), "worker threads"),),
    variants=({"workers": 1}, {"workers": 5}),
    exercises=(
        Exercise(
            "00.1",
            "How many VMs will there be, the base included?",
            truth=_vms,
            wrong=(
                Wrong(
                    lambda at: at.workers,
                    "that is only one a worker. The main thread has one too, and the base is one.",
                ),
                Wrong(
                    lambda at: at.workers + 1,
                    "nearly. Each worker has one. Which is missing: the main thread's, or the base?",
                ),
                Wrong(lambda at: at.workers + 3, "one too many. Was something counted that is not there any more?"),
                Wrong(lambda at: 1, "the compiled code is shared, but a VM is not: each thread has its own."),
            ),
            hint="Write down who has a VM: the base, the main thread, worker 0, worker 1... then count the lines.",
            solution="1 base + 1 for the main thread + 1 for each of the {workers} worker threads: workers + 2.",
        ),
        Exercise(
            "00.2",
            "Which different host calls did the filter make?",
            truth=_host_calls,
            wrong=(
                Wrong(
                    lambda at: _host_calls(at) | {"proxy_on_memory_allocate"},
                    "proxy_on_memory_allocate goes the other way: Envoy calls the module, it is a callback.",
                ),
                Wrong(
                    lambda at: frozenset({"proxy_on_context_create", "proxy_on_request_headers"}),
                    "these are callbacks: Envoy calls them. Host calls have the mark [vm->host].",
                ),
            ),
            hint="Only lines with the mark [vm->host] are host calls. Take each name once.",
            solution="proxy_get_header_map_value, proxy_log, proxy_add_header_map_value",
        ),
        Exercise(
            "00.3",
            "Let my_filter add the header x-wasm.",
            test=_adds_a_header,
            hint='"x-wasm" is 6 bytes at address 0; your name begins at address 16, and has as many bytes as letters. '
            "The call of $log shows the form: (drop (call $name (i32.const 1) (i32.const 2) ...)).",
            solution="(drop (call $add_header (i32.const 0)\n"
            "  (i32.const 0) (i32.const 6)\n"
            "  (i32.const 16) (i32.const 9)))   ;; 9: the length of your name",
        ),
        Exercise(
            "00.4",
            "Let guard answer 401 to requests without an authorization.",
            test=_guards,
            hint="Two statements: (drop (call $reply ...eight numbers...)) and (return (i32.const 1)).",
            solution="(drop (call $reply (i32.const 401)\n"
            "  (i32.const 0) (i32.const 0) (i32.const 32) (i32.const 12) (i32.const 0) (i32.const 0) (i32.const -1)))\n"
            "(return (i32.const 1))",
        ),
    ),
)
