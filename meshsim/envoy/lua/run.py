"""One function of a script at work on one stream: what Envoy calls a stream handle.

Theory of operation. ``envoy_on_request`` and ``envoy_on_response`` each run in a coroutine of their own, which begins
with the headers. A method that needs what is not there yet makes the coroutine wait (:class:`Waiting`), and the filter
stops or goes on as the tables below say; when it comes, the coroutine goes on within that callback. A script that ends,
or fails, lets the message pass on.

Source of the rules: Envoy's ``StreamHandleWrapper``, seen in Envoy 1.40.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any, NamedTuple, Protocol, TypeVar

from meshsim.abi.callouts import Cancel
from meshsim.abi.constants import DataAction, HeadersAction, TrailersAction
from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.chain import Chain, Slot
from meshsim.envoy.headers import HeaderMap, Kind, Pair, as_number
from meshsim.envoy.local_reply import LocalReply
from meshsim.envoy.lua.state import Outcome, State
from meshsim.envoy.stats import Counters


class Waiting(Enum):
    """What a run waits for."""

    NOTHING = auto()  # it runs, or has ended
    CHUNK = auto()
    BODY = auto()
    TRAILERS = auto()
    CALL = auto()  # the answer of a cluster
    ANSWERED = auto()  # the script has responded: it never goes on


AFTER_HEADERS: Mapping[Waiting, HeadersAction] = {
    Waiting.NOTHING: HeadersAction.CONTINUE,
    Waiting.CHUNK: HeadersAction.CONTINUE,
    Waiting.BODY: HeadersAction.STOP_ITERATION,
    Waiting.TRAILERS: HeadersAction.CONTINUE,
    Waiting.CALL: HeadersAction.STOP_ITERATION,
    Waiting.ANSWERED: HeadersAction.STOP_ITERATION,
}
AFTER_DATA: Mapping[Waiting, DataAction] = {
    Waiting.NOTHING: DataAction.CONTINUE,
    Waiting.CHUNK: DataAction.CONTINUE,
    Waiting.BODY: DataAction.STOP_AND_BUFFER,
    Waiting.TRAILERS: DataAction.CONTINUE,
    Waiting.CALL: DataAction.STOP_AND_BUFFER,
    Waiting.ANSWERED: DataAction.STOP_NO_BUFFER,
}
AFTER_TRAILERS: Mapping[Waiting, TrailersAction] = {
    Waiting.NOTHING: TrailersAction.CONTINUE,
    Waiting.CHUNK: TrailersAction.CONTINUE,
    Waiting.BODY: TrailersAction.CONTINUE,
    Waiting.TRAILERS: TrailersAction.CONTINUE,
    Waiting.CALL: TrailersAction.STOP_ITERATION,
    Waiting.ANSWERED: TrailersAction.STOP_ITERATION,
}

Action = TypeVar("Action", HeadersAction, DataAction, TrailersAction)

_UNEXPECTED = b"script performed an unexpected yield"
_MUST = (b":path", b":method", b":authority")


class Answer(NamedTuple):
    """What a cluster has answered."""

    headers: tuple[Pair, ...]
    body: bytes


class Call(NamedTuple):
    """What a script wants to send; ``timeout_ms`` 0 waits for ever, ``plain`` leaves out the proxy's address."""

    cluster: str
    headers: HeaderMap
    body: bytes
    timeout_ms: int
    plain: bool


class Loaded(Protocol):
    """The script's state on the thread, and who pays for it."""

    state: State
    runs: dict[int, Run]

    def spend_call(self) -> None: ...
    def spend_strides(self) -> None: ...


class Owner(Protocol):
    """The filter that a run belongs to."""

    @property
    def is_over(self) -> bool: ...
    @property
    def stats(self) -> Counters: ...
    @property
    def dynamic(self) -> dict[str, dict[str, Any]]: ...
    def script_error(self, problem: bytes) -> None: ...
    def request_headers(self) -> HeaderMap: ...
    def headers_changed(self) -> None: ...
    def clear_route_cache(self) -> None: ...
    def fact(self, name: str) -> bytes: ...
    def metadata(self, whose: bytes) -> Mapping[str, Any]: ...
    def reply(self, reply: LocalReply) -> None: ...
    def call(self, call: Call, done: Callable[[Answer], None]) -> Cancel | None: ...


class Run:
    """One run; ``is_request`` says which half of the stream it is on."""

    def __init__(
        self,
        number: int,
        loaded: Loaded,
        owner: Owner,
        chain: Chain,
        slot: Slot,
        headers: HeaderMap,
        *,
        is_request: bool,
    ) -> None:
        self.number = number
        self.headers = headers
        self.saw_body = False
        self.answer: Answer | None = None
        self._loaded = loaded
        self._owner = owner
        self._chain = chain
        self._slot = slot
        self._is_request = is_request
        self._waits = Waiting.NOTHING
        self._ended = False
        self._continued = False
        self._buffered = False
        self._trailers: HeaderMap | None = None
        self._chunk: BodyBuffer | None = None
        self._reply: LocalReply | None = None
        self._cancel: Cancel | None = None

    # -- the message ---

    def begin(self, function: str, end: bool) -> HeadersAction:
        """Start with the headers."""
        self._ended = end
        if not self._judge(self._loaded.state.start(self.number, function)):
            return HeadersAction.CONTINUE
        return self._note(AFTER_HEADERS[self._waits], HeadersAction.CONTINUE)

    def data(self, data: BodyBuffer, end: bool) -> DataAction:
        """Go on with a piece of the body, if it is that which is waited for."""
        self._ended, self.saw_body = end, True
        fine = True
        if self._waits is Waiting.CHUNK:
            self._chunk = data
            fine = self._go_on("chunk")
        elif self._waits is Waiting.BODY and end:
            self._chain.keep(data, streaming=False)
            if self._owner.is_over:
                return DataAction.STOP_AND_BUFFER
            fine = self._go_on("body")
        elif self._waits is Waiting.TRAILERS and end:
            fine = self._go_on()
        return self._note(AFTER_DATA[self._waits], DataAction.CONTINUE) if fine else DataAction.CONTINUE

    def trailers(self, trailers: HeaderMap) -> TrailersAction:
        """Go on with the end of the body, and with the trailers."""
        self._ended, self._trailers = True, trailers
        fine = True
        if self._waits is Waiting.CHUNK:
            fine = self._go_on()
        elif self._waits is Waiting.BODY:
            fine = self._go_on("body")
        if fine and self._waits is Waiting.TRAILERS:
            fine = self._go_on("trailers")
        return self._note(AFTER_TRAILERS[self._waits], TrailersAction.CONTINUE) if fine else TrailersAction.CONTINUE

    def leave(self) -> None:
        """The stream is over: no answer is waited for."""
        if self._cancel:
            self._cancel()
        self._loaded.state.forget(self.number)
        self._loaded.runs.pop(self.number, None)

    def _note(self, action: Action, passes: Action) -> Action:
        self._continued = self._continued or action is passes
        return action

    @property
    def _lets_pass(self) -> bool:
        return self._waits is Waiting.NOTHING

    def _go_on(self, given: str = "") -> bool:
        self._waits = Waiting.NOTHING
        return self._judge(self._loaded.state.resume(self.number, given))

    def _judge(self, outcome: Outcome) -> bool:
        """Take note of how the script stopped; False when it failed."""
        self._loaded.spend_strides()
        unexpected = outcome.kind == "waits" and self._waits is Waiting.NOTHING
        if outcome.kind == "failed" or unexpected:
            self._waits = Waiting.NOTHING
            self._owner.script_error(_UNEXPECTED if unexpected else outcome.problem)
            return False
        if self._reply is not None:
            reply, self._reply = self._reply, None
            self._owner.reply(reply)
        return True

    # -- what the script asks ---

    def map(self, which: bytes) -> HeaderMap:
        """Return one of the maps."""
        self._loaded.spend_call()
        if which == b"trailers":
            assert self._trailers is not None
            return self._trailers
        return self.headers if which == b"headers" else self._owner.request_headers()

    def may_change(self, which: bytes) -> bool:
        """Whether headers have not left yet; a request that changes is routed anew."""
        if which != b"headers":
            return True
        if self._is_request:
            self._owner.headers_changed()
        return not self._continued

    def buffer(self, which: bytes) -> BodyBuffer:
        """Return the whole body, or the piece that is passing."""
        self._loaded.spend_call()
        found = self._chain.buffered if which == b"body" else self._chunk
        assert found is not None
        return found

    def ask_body(self, always: bool) -> Any:
        """Give the body, or wait for it; with ``always``, one is made where there is none."""
        if not self._ended:
            if self.saw_body:
                return b"error", b"cannot call body() after body streaming has started"
            self._waits, self._buffered = Waiting.BODY, True
            return b"wait"
        if self.saw_body and not self._buffered:
            return b"error", b"cannot call body() after body has been streamed"
        if self._chain.buffered is None:
            if not always:
                return None
            self._chain.keep(BodyBuffer(), streaming=False)
        return b"body"

    def ask_chunk(self) -> bool:
        """Wait for the next piece, if there is one."""
        if not self._ended:
            self._waits = Waiting.CHUNK
        return not self._ended

    def ask_trailers(self) -> Any:
        """Give the trailers, or wait for them."""
        if self._ended:
            return None if self._trailers is None else b"trailers"
        self._waits = Waiting.TRAILERS
        return b"wait"

    def may_respond(self) -> bytes | None:
        """Say why not."""
        return b"respond() cannot be called if headers have been continued" if self._continued else None

    def respond(self, pairs: list[Pair], body: bytes | None) -> bytes | None:
        """Answer when the script has stopped, which it does now; in the response there is an answer already."""
        given = HeaderMap(pairs, Kind.RESPONSE)
        status = as_number(given.get(b":status"))
        if status is None or not 200 <= status < 600:
            return b":status must be between 200-599"
        if not self._is_request:
            return b"respond not currently supported in the response path"
        given.remove(b":status")

        def edit(headers: HeaderMap) -> None:
            for name, value in given.pairs():
                headers.add(name, value)

        self._waits = Waiting.ANSWERED
        self._reply = LocalReply(status, body or b"", "lua_response", edit=edit)
        return None

    def call(
        self, cluster: str, pairs: list[Pair], body: bytes | None, timeout_ms: int, detached: bool, plain: bool
    ) -> bytes | None:
        """Call a cluster, and wait for its answer; it may fail at once, and has its answer then."""
        headers = HeaderMap(pairs, Kind.REQUEST)
        if any(name not in headers for name in _MUST):
            return b"incomplete"
        if body is not None:
            headers.put(b"content-length", b"%d" % len(body))
        call = Call(cluster, headers, body or b"", timeout_ms, plain)
        if detached:
            self._owner.call(call, lambda answer: None)
            return None
        self.answer = None
        self._cancel = self._owner.call(call, self._answered)
        if self.answer is not None:
            return b"answered"
        self._waits = Waiting.CALL
        return b"wait"

    def _answered(self, answer: Answer) -> None:
        self.answer, self._cancel = answer, None
        if self._waits is not Waiting.CALL:
            return
        self._go_on("answer")
        if self._lets_pass:
            self._continued = True
            self._chain.resume(self._slot)

    # -- what the script is told of the stream ---

    @property
    def stats(self) -> Counters:
        """The counters of the filter."""
        self._loaded.spend_call()
        return self._owner.stats

    @property
    def dynamic(self) -> dict[str, dict[str, Any]]:
        """What filters have left on the stream for each other."""
        self._loaded.spend_call()
        return self._owner.dynamic

    def fact(self, name: str) -> bytes:
        """Return a text of the stream's information."""
        self._loaded.spend_call()
        return self._owner.fact(name)

    def metadata(self, whose: bytes) -> Mapping[str, Any]:
        """Return what the configuration has for the filter."""
        self._loaded.spend_call()
        return self._owner.metadata(whose)

    def clear_route_cache(self) -> None:
        """Choose the route anew."""
        self._owner.clear_route_cache()
