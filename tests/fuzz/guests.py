"""Random guests: which callbacks they have, and what these answer."""

from __future__ import annotations

from random import Random

from tests.fuzz.operations import Callback, body_of
from tests.fuzz.wat import ABI_VERSIONS, NUMBER, WAITING, Guest, const, load, pairs

CONTINUE, STOP_ALL = 0, 4
CALL_TIMEOUT_MS = 900


def _headers_answer(random: Random) -> str:
    return const(random.choices([0, 1, 2, 3, 4, 7], [100, 0.5, 1, 0.5, 0.5, 0.2])[0])


def _body_answer(random: Random) -> str:
    """Mostly at most a pause until the end of the stream, so that things go on."""
    kind = random.choices(["continue", "until the end", "anything"], [60, 30, 1])[0]
    if kind == "until the end":
        return f"(select {const(CONTINUE)} {const(random.choice([1, 1, 2, 3]))} (local.get 2))"
    return const(CONTINUE if kind == "continue" else random.choice([0, 1, 3, 9]))


def _trailers_answer(random: Random) -> str:
    return const(random.choices([0, 1], [40, 1])[0])


def _done_answer(random: Random) -> str:
    return const(1)


REQUEST_HEADERS = Callback("request_headers", 3, _headers_answer, header_map=0, can_end=True)
CALLBACKS = (
    Callback("context_create", 2, chance=0.6, most=1),
    REQUEST_HEADERS,
    Callback("request_body", 3, _body_answer, header_map=0, buffer=0, can_end=True),
    Callback("request_trailers", 2, _trailers_answer, header_map=1, can_end=True),
    Callback("response_headers", 3, _headers_answer, header_map=2, can_end=True),
    Callback("response_body", 3, _body_answer, header_map=2, buffer=1, can_end=True),
    Callback("response_trailers", 2, _trailers_answer, header_map=3, can_end=True),
    Callback("done", 1, _done_answer, chance=0.6, most=2),
    Callback("log", 1, chance=0.8),
    Callback("delete", 1, chance=0.5, most=0),
)
# While a caller waits nothing else may end its stream: an answer that nobody waits for comes at any time or never.
CALLING = Callback("request_headers", 3, header_map=0)
CALLED_BACK = Callback("http_call_response", 5, header_map=6, buffer=4)


def random_guest(random: Random, *, may_call: bool = False) -> str:
    """A guest as WebAssembly text; with ``may_call`` it calls the cluster ``back`` now and then."""
    guest = Guest(random.choice([ABI_VERSIONS[0], *ABI_VERSIONS]))
    calls = may_call and guest.version != "0_1_0" and random.random() < 0.25
    for callback in CALLBACKS:
        if calls and callback is REQUEST_HEADERS:
            _add_call(guest, random)
        elif random.random() < callback.chance:
            answer = callback.answer(random) if callback.answer else None
            guest.export(_name(callback), _parameters(callback, guest), body_of(guest, random, callback), answer)
    return guest.text()


def _add_call(guest: Guest, random: Random) -> None:
    """A call from the request's headers, which wait for the answer; not when the call is refused."""
    cluster = guest.data(random.choice(["back", "back", "back", "nope"]))
    headers = guest.data(pairs([(":method", "GET"), (":path", "/call"), (":authority", "c")]))
    body, no_trailers = guest.data(random.choice(["", "b"])), f"{const(0)} {const(0)}"
    call = guest.call("http_call", cluster, headers, body, no_trailers, CALL_TIMEOUT_MS, NUMBER)
    answer = f"(select {const(STOP_ALL)} {const(CONTINUE)} (i32.eqz {call}))"
    note = f"(i32.store {const(WAITING)} (local.get 0))"
    guest.export(_name(CALLING), CALLING.parameters, _lines(note, body_of(guest, random, CALLING)), answer)
    # The answer comes to the root context.
    resume = _lines(guest.drop("set_effective_context", load(WAITING)), guest.drop("continue_stream", 0))
    guest.export(_name(CALLED_BACK), CALLED_BACK.parameters, _lines(body_of(guest, random, CALLED_BACK), resume))


def _lines(*texts: str) -> str:
    return "\n    ".join(filter(None, texts))


def _name(callback: Callback) -> str:
    return f"proxy_on_{callback.name}"


def _parameters(callback: Callback, guest: Guest) -> int:
    """Headers came without the end of the stream in the first version."""
    return 2 if guest.version == "0_1_0" and callback.name.endswith("_headers") else callback.parameters
