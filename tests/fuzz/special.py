"""Guests that are about one or a few callbacks which only come when a guest asks for them."""

from __future__ import annotations

from random import Random

from meshsim.abi.constants import AbiVersion
from tests.fuzz.cells import PHASES, Class, versions_of
from tests.fuzz.guests import NUMBERS, in_stream, prologue
from tests.fuzz.plans import Plan
from tests.fuzz.programs import CLOSING, Call, Composer, Programs, ends
from tests.fuzz.wat import ARMED, CALLED, POINTER, QUEUE, WAITING, Guest, const, lines, load, pairs, store, when

#: Calls of a program that is the reason of its guest, and how many such programs there are, one a request.
IN_SPECIAL, SPECIAL_REQUESTS = 40, 4
#: Connections that are closed before their time: the last ones.
_CLOSED = 2
#: A phase that these never see.
_RARE = "upstream_close"


class SpecialGuest:
    """A guest that brings its callbacks about and acts there; with each request it does something else."""

    def __init__(self, plan: Plan, random: Random, programs: Programs) -> None:
        self._plan = plan
        self._guest = Guest(plan.version, plan.wasi)
        self._random = random
        self._composer = Composer(self._guest, random, programs, plan.seed * NUMBERS, awaits=plan.kind)

    def text(self) -> str:
        """The module."""
        write = {
            "http_call": self._http_call,
            "queue": self._queue,
            "dns": self._dns,
            "grpc": self._grpc,
            "network": self._network,
        }
        create = when("(i32.eqz (local.get 1))", prologue(self._guest))
        self._guest.export("proxy_on_context_create", 2, create)
        write[self._plan.kind]()
        return self._guest.text()

    def _requests(self, before: str, answer: str = "(i32.const 0)") -> None:
        count = "(global.set $stream (i32.add (global.get $stream) (i32.const 1)))"
        parameters = 2 if self._plan.version is AbiVersion.V0_1_0 else 3
        self._guest.export("proxy_on_request_headers", parameters, lines(count, before), answer)

    def _programs(self, phase: str) -> str:
        """A program for each request."""
        size = 2 * IN_SPECIAL if phase == _RARE else IN_SPECIAL
        calls = self._plan.share(phase, size * SPECIAL_REQUESTS)
        calls = [call for call in calls if not ends(call, PHASES[phase])]
        texts = []
        for i in range(SPECIAL_REQUESTS):
            mine = calls[i * size : (i + 1) * size] + (self._endings(phase) if i >= SPECIAL_REQUESTS - _CLOSED else [])
            texts.append(in_stream(i + 1, self._composer.write(phase, mine)))
        return lines(*texts)

    def _endings(self, phase: str) -> list[Call]:
        """Close the connection, in one of the phases where that can be done."""
        close = "env.proxy_close_stream"
        chosen = CLOSING[self._plan.index % len(CLOSING)]
        return [(close, Class.EDGE)] if phase == chosen and self._plan.version in versions_of(close) else []

    def _resume(self) -> str:
        guest = self._guest
        if self._plan.version is AbiVersion.V0_1_0:
            resume = guest.drop("env.proxy_continue_request")
        else:
            resume = guest.drop("env.proxy_continue_stream", 0)
        return lines(guest.drop("env.proxy_set_effective_context", load(WAITING)), resume)

    def _http_call(self) -> None:
        guest, nothing = self._guest, f"{const(0)} {const(0)}"
        head = guest.data(pairs([(":method", "GET"), (":path", "/call"), (":authority", "c")]))
        call = guest.drop("env.proxy_http_call", guest.data("back"), head, nothing, nothing, 5000, CALLED)
        self._requests(lines(store(WAITING, "(local.get 0)"), call), const(4))
        body = lines(self._programs("http_call_response"), self._resume())
        guest.export("proxy_on_http_call_response", 5, when(f"(i32.eq (local.get 1) {load(CALLED)})", body))

    def _queue(self) -> None:
        guest = self._guest
        put = [guest.drop("env.proxy_enqueue_shared_queue", load(QUEUE), guest.data(text)) for text in ("m1", "m2")]
        self._requests(lines(store(ARMED, const(1)), *put))
        guest.export("proxy_on_queue_ready", 2, self._once(self._programs("queue_ready")))

    def _dns(self) -> None:
        guest = self._guest
        ask = guest.drop("env.envoy_resolve_dns", guest.data("127.0.0.1"), POINTER)
        self._requests(lines(store(ARMED, const(1)), ask))
        guest.export("envoy_on_resolve_dns", 3, self._once(self._programs("resolve_dns")))

    def _once(self, body: str) -> str:
        """Not again inside of itself, nor for what it causes."""
        return when(load(ARMED), lines(store(ARMED, const(0)), body))

    def _grpc(self) -> None:
        guest = self._guest
        names = f"{guest.data('grpc')} {guest.data('s.Svc')} {guest.data('Meth')} {const(0)} {const(0)}"
        opened = guest.drop("env.proxy_grpc_stream", names, CALLED)
        sent = guest.drop("env.proxy_grpc_send", load(CALLED), guest.data("ask"), 1)
        self._requests(lines(store(WAITING, "(local.get 0)"), opened, sent), const(4))
        for callback, phase in (
            ("grpc_receive_initial_metadata", "grpc_initial"),
            ("grpc_receive", "grpc_receive"),
            ("grpc_receive_trailing_metadata", "grpc_trailing"),
            ("grpc_close", "grpc_close"),
        ):
            body = lines(self._programs(phase), self._resume() if phase == "grpc_close" else "")
            guest.export(f"proxy_on_{callback}", 3, when(f"(i32.eq (local.get 1) {load(CALLED)})", body))

    def _network(self) -> None:
        guest = self._guest
        count = "(global.set $stream (i32.add (global.get $stream) (i32.const 1)))"
        guest.export("proxy_on_new_connection", 1, lines(count, self._programs("new_connection")), const(0))
        for phase in ("downstream_data", "upstream_data"):
            guest.export(f"proxy_on_{phase}", 3, self._programs(phase), const(0))
        for side in ("downstream", "upstream"):
            guest.export(f"proxy_on_{side}_connection_close", 2, self._programs(f"{side}_close"))
