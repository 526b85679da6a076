"""An activity as text for people: each call in words, with its answer, and what was logged meanwhile."""

from __future__ import annotations

from typing import NamedTuple

from meshsim.abi import describe
from meshsim.abi.events import Crossing, Direction, LogLine
from meshsim.testing.activity import Activity

_MOST_LINES = 200
#: How Envoy's line about a trap begins: the callback that it names does not return.
_TRAP = "Function: "


class _Call(NamedTuple):
    """A call that has not returned: the line that tells of it, and whether the host made it."""

    line: int
    of_host: bool


def story(activity: Activity) -> str:
    """Tell what happened, the end of it when it is long.

    The arrows say who calls whom: ``->`` the proxy calls the filter, ``<-`` the filter calls the proxy.
    """
    lines = _lines(activity)
    if not lines:
        return "nothing happened"
    left_out = [f"... {len(lines) - _MOST_LINES} lines before"] if len(lines) > _MOST_LINES else []
    return "\n".join([*left_out, *lines[-_MOST_LINES:]])


def _lines(activity: Activity) -> list[str]:
    lines: list[str] = []
    threads = {entry.track for entry in activity.facts.entries}
    open_calls: dict[str, list[_Call]] = {thread: [] for thread in threads}
    for entry in activity.facts.entries:
        calls, thread = open_calls[entry.track], f"{entry.track} " if len(threads) > 1 else ""
        indent = "   " * len(calls)
        match entry.event:
            case LogLine(level, text, guest):
                told = activity.plain(text) if guest else text
                lines.append(f"{thread}{indent}{'log' if guest else 'envoy'} {level}: {told}")
                if not guest and text.startswith(_TRAP):
                    del calls[max((i for i, call in enumerate(calls) if call.of_host), default=0) :]
            case Crossing(direction, function, values) if direction.is_return:
                if calls:
                    lines[calls.pop().line] += f" = {describe.result(function, values)}"
            case Crossing(direction, function, values):
                of_host = direction is Direction.HOST_CALLS_VM
                arrow = "->" if of_host else "<-"
                calls.append(_Call(len(lines), of_host))
                lines.append(f"{thread}{indent}{arrow} {describe.call(function, values, brief=True)}")
    return lines
