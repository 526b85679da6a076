"""What the rows are shown with: recordings of the real Envoy, and guests in the simulator."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from meshsim.abi.events import Crossing, Direction
from meshsim.envoy.outcome import ReplayResult
from meshsim.reference.truth import TRUTH, Truth
from meshsim.testing import Activity, Reply, WasmFilter, WasmFilterFactory
from tests.conformance.guests import Call, guest

_CASES = Path(__file__).parent.parent / "envoy" / "cases"
_GUESTS = Path(__file__).parent.parent / "envoy" / "modules"
#: The maps and bodies in a line of a scripted guest.
_SHOWN = re.compile(r"\[[^\]]*\]|<[^>]*>")
_ANSWER = re.compile(r"([a-z]+)=(\d+)(?::(\S*))?")


@cache
def truth(case: str) -> ReplayResult:
    """What the real Envoy did in a recorded case; that the simulator does the same, another test holds."""
    return Truth.load(_CASES / case / TRUTH).result


def texts(result: ReplayResult, thread: str = "worker_0") -> list[str]:
    """What guests logged on a thread, without Envoy's prefix."""
    return [text.partition(": ")[2] for where, _, text in result.logs if where == thread]


def calls(result: ReplayResult, function: str, thread: str = "worker_0") -> list[str]:
    """Calls of a function on a thread, as the trace has them."""
    return [line for where, line in result.abi if where == thread and re.search(rf" (\w+\.)?{function}\(", line)]


def statuses_of(result: ReplayResult, function: str, thread: str = "worker_0") -> list[int]:
    """What a function returned on a thread."""
    marker = f"{function} return: "
    lines = [line for where, line in result.abi if where == thread and marker in line]
    return [int(line.rpartition(" ")[2]) for line in lines]


def callbacks_of(result: ReplayResult, thread: str = "worker_0") -> list[str]:
    """Callbacks on a thread, in order, without their arguments."""
    begin = f"{Direction.HOST_CALLS_VM.value} "
    return [line[len(begin) :].partition("(")[0] for where, line in result.abi if where == thread and begin in line]


def errors_of(result: ReplayResult) -> list[str]:
    """Envoy's lines about what went wrong."""
    return [text for _, level, text in result.other if level in ("error", "critical")]


@dataclass(frozen=True)
class HostCall:
    """A host call that a guest made, and its answer (None: it did not return)."""

    name: str
    arguments: tuple[int | float, ...]
    status: int | float | None


def host_calls(activity: Activity) -> list[HostCall]:
    """Host calls, in order; calls inside of calls come behind the outer one's place."""
    made: list[HostCall] = []
    open_: list[int] = []
    for event in activity.crossings:
        match event:
            case Crossing(Direction.VM_CALLS_HOST, function, values):
                open_.append(len(made))
                made.append(HostCall(function.rpartition(".")[2], values, None))
            case Crossing(Direction.HOST_RETURNS, function, values):
                place = open_.pop()
                while made[place].name != function.rpartition(".")[2]:  # that one ended by a trap
                    place = open_.pop()
                made[place] = HostCall(made[place].name, made[place].arguments, values[0] if values else None)
    return made


@dataclass(frozen=True)
class Outcome:
    """What came of a guest's calls in one callback of one request."""

    filter: WasmFilter
    reply: Reply

    @property
    def calls(self) -> list[HostCall]:
        """The host calls."""
        return host_calls(self.reply)

    @property
    def statuses(self) -> list[int | float | None]:
        """Their answers."""
        return [call.status for call in self.calls]

    @property
    def said(self) -> list[str]:
        """What was logged."""
        return [log.text for log in self.reply.logs]


Run = Callable[..., Outcome]
Script = Callable[..., Reply]


@pytest.fixture
def run(wasm_filter: WasmFilterFactory) -> Run:
    """Run host calls in the request's headers callback (or in ``callback``) of one GET request."""

    def make(
        *wanted: Call,
        callback: str = "proxy_on_request_headers",
        request: Mapping[str, Any] | None = None,
        module: Mapping[str, Any] | None = None,
        **setup: Any,
    ) -> Outcome:
        filter_ = wasm_filter(guest({callback: wanted}, **(module or {})), **setup)
        return Outcome(filter_, filter_.request(**(request or {})))

    return make


@pytest.fixture
def http(wasm_filter: WasmFilterFactory) -> Script:
    """Send a request with a script for the guest ``http-script``."""
    return _scripted(wasm_filter, "http-script.wasm", "x-do")


@pytest.fixture
def call(wasm_filter: WasmFilterFactory) -> Script:
    """Send a request with a script for the guest ``call-script``, which calls the clusters ``svc`` and ``grpc``."""
    return _scripted(wasm_filter, "call-script.wasm", "x-do;", clusters=["svc"], http2_clusters=["grpc"])


def _scripted(wasm_filter: WasmFilterFactory, name: str, configuration: str, **setup: Any) -> Script:
    def send(
        script: str, *, answers: Mapping[str, Any] | None = None, setup: Mapping[str, Any] = setup, **request: Any
    ) -> Reply:
        filter_ = wasm_filter(_GUESTS / name, configuration=configuration, upstreams=answers, **setup)
        headers = dict(request.pop("headers", {}))
        return filter_.request(headers={**headers, "x-do": script}, **request)

    return send


def lines_of(reply: Activity, phase: str) -> list[str]:
    """What a scripted guest said in a phase (``qh``, ``qb``...)."""
    return [log.text for log in reply.logs if log.text.startswith(f"{phase}(")]


def answers_of(reply: Activity, phase: str) -> list[tuple[str, int, str]]:
    """What the host answered to the commands of a phase: the command, the status, the value."""
    found: list[tuple[str, int, str]] = []
    for line in lines_of(reply, phase):
        plain = _SHOWN.sub("", line)
        found += [(name, int(status), value or "") for name, status, value in _ANSWER.findall(plain)]
    return found


def contents(reply: Activity, phase: str) -> Sequence[str]:
    """What a scripted guest saw of a body in a phase."""
    return [line.partition("<")[2].rpartition(">")[0] for line in lines_of(reply, phase)]


def module_of(name: str) -> Path:
    """A guest of the recorded cases."""
    return _GUESTS / f"{name}.wasm"
