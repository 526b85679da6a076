"""What crosses the border between host and module, as steps; and what a host call does to a message's headers.

A header that a module changes shows in the step of the host call that changes it: until the filter has answered this
is worked out from the call's arguments, then read from the host.
"""

from __future__ import annotations

from dataclasses import dataclass

from meshsim.abi import describe
from meshsim.abi.constants import HeaderMapType, Status
from meshsim.abi.events import Content, Crossing, Direction, LogLine
from meshsim.abi.signatures import ALLOCATORS
from meshsim.envoy.headers import Pair
from meshsim.widgets._player_journey import MAIN, TRAP, Page, Step, Way
from meshsim.widgets._player_text import arguments, results

Pairs = tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class _Open:
    """A call without its return yet, and what the module gave to it."""

    step: Step
    values: tuple[int | float, ...]
    given: tuple[Content, ...]


class Border:
    """Takes crossings and log lines."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._open: dict[str, list[_Open]] = {}

    def take_log(self, time_ns: int, track: str, line: LogLine) -> None:
        """Take a line that a module wrote, or Envoy about it."""
        inside = self._open.get(track)
        place = inside[0].step.target if line.guest and inside else self._page.host
        text = line.text.partition(": ")[2] or line.text if line.guest else line.text
        self._page.step(time_ns, "log" if line.guest else "envoy", place, place, text, fields=[["level", line.level]])

    def take(self, time_ns: int, track: str, crossing: Crossing) -> None:
        """Take a crossing: a call, or a return."""
        stack = self._open.setdefault(track, [])
        if crossing.direction.is_return:
            self._come_back(time_ns, track, stack, crossing)
            return
        if crossing.direction is Direction.VM_CALLS_HOST:
            kind, source, target = "hostcall", stack[0].step.target if stack else self._page.host, self._page.host
        elif crossing.function in ALLOCATORS and stack:
            kind, source, target = "memory", self._page.host, stack[0].step.target
        else:
            _trapped(stack)
            kind, source, target = "callback", self._page.host, self._module(crossing.plugin)
        step = self._page.step(time_ns, kind, source, target, crossing.function, fields=arguments(crossing))
        step.lines = self._line(track, crossing)
        stack.append(_Open(step, crossing.values, crossing.contents))

    def finish(self) -> None:
        """Take note that nothing more comes."""
        for stack in self._open.values():
            _trapped(stack)

    def _module(self, plugin: str) -> str:
        """Return a plugin's lifeline; calls that are for no plugin stay at the host."""
        plugins = self._page.journey.plugins
        if plugin and plugin not in plugins:
            plugins.append(plugin)
        return plugin or self._page.host

    def _line(self, track: str, crossing: Crossing) -> tuple[int, ...]:
        """Keep a line of a worker's trace."""
        if track == MAIN:
            return ()
        trace = self._page.journey.trace
        trace.append(crossing.text)
        return (len(trace) - 1,)

    def _come_back(self, time_ns: int, track: str, stack: list[_Open], crossing: Crossing) -> None:
        line = self._line(track, crossing)
        while stack and stack[-1].step.text != crossing.function:
            stack.pop().step.answer = TRAP
        if not stack:
            return
        call = stack.pop()
        step, answer = call.step, describe.result(crossing.function, crossing.values).replace("void", "")
        if step.kind == "callback":
            self._page.step(time_ns, "return", step.target, self._page.host, step.text, answer=answer).lines = line
            return
        step.answer, step.gave, step.lines = answer, results(step.text, crossing.contents), step.lines + line
        if answer == Status.OK.name:
            self._do(call)

    def _do(self, call: _Open) -> None:
        """Show what a host call that went well has done to the message."""
        page, step = self._page, call.step
        page.stand.replying = page.stand.replying or step.text == _REPLY
        edit = _EDITS.get(step.text)
        way = _WAYS.get(int(call.values[0])) if edit else None
        message = page.now[way] if way else None
        if edit and way and message is not None:
            given = {content.name: content.data for content in call.given}
            changed = edit(message.headers, given.get("key", b"").lower(), given.get("value", b""))
            page.now[way] = message._replace(headers=changed)
            setattr(step, way, page.shown(way))


def _trapped(stack: list[_Open]) -> None:
    """Calls that are still open when another one comes have ended in a trap."""
    for call in stack:
        call.step.answer = TRAP
    stack.clear()


def _add(headers: Pairs, key: bytes, value: bytes) -> Pairs:
    return (*headers, (key, value))


def _replace(headers: Pairs, key: bytes, value: bytes) -> Pairs:
    if key not in (name for name, _ in headers):
        return _add(headers, key, value)
    return tuple((name, value if name == key else old) for name, old in headers)


def _remove(headers: Pairs, key: bytes, value: bytes) -> Pairs:
    return tuple(pair for pair in headers if pair[0] != key)


_REPLY = "env.proxy_send_local_response"
_EDITS = {
    "env.proxy_add_header_map_value": _add,
    "env.proxy_replace_header_map_value": _replace,
    "env.proxy_remove_header_map_value": _remove,
}
_WAYS: dict[int, Way] = {HeaderMapType.REQUEST_HEADERS: "request", HeaderMapType.RESPONSE_HEADERS: "response"}
