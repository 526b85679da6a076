"""What the generator must cover: each import in each phase, called well, at an edge, and badly.

A *phase* is a callback in which a guest may call its host. A *cell* is an import, a phase and a class; what no real
Envoy can be asked is a table of exclusions, each with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from random import Random

from meshsim.abi.constants import AbiVersion
from meshsim.abi.signatures import ALLOCATING, HOST_FUNCTIONS, STARTING, WASI_MODULES
from tests.fuzz.wat import TYPES


class Class(StrEnum):
    """How a call is meant."""

    VALID = "valid"
    EDGE = "edge"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Phase:
    """A callback from which a guest calls.

    ``headers`` and ``body`` are the map and the buffer that are its own; ``stream`` says whether it acts for a stream
    or a connection; ``steers`` whether it can still end or pause what happens to an HTTP stream.
    """

    name: str
    headers: int | None = None
    body: int | None = None
    stream: bool = False
    steers: bool = False
    over: bool = False
    tcp: bool = False


def _http(name: str, headers: int | None = None, body: int | None = None) -> Phase:
    return Phase(name, headers, body, stream=True, steers=True)


PHASES: dict[str, Phase] = {
    phase.name: phase
    for phase in (
        Phase("start"),
        Phase("allocate"),
        Phase("root_create"),
        Phase("vm_start"),
        Phase("configure"),
        Phase("tick"),
        Phase("queue_ready"),
        Phase("resolve_dns"),
        Phase("http_call_response", 6, 4),
        Phase("grpc_initial", 4),
        Phase("grpc_receive", None, 5),
        Phase("grpc_trailing", 5),
        Phase("grpc_close"),
        Phase("root_done"),
        Phase("root_delete"),
        _http("create"),
        _http("request_headers", 0),
        _http("request_body", None, 0),
        _http("request_trailers", 1),
        _http("response_headers", 2),
        _http("response_body", None, 1),
        _http("response_trailers", 3),
        Phase("log", 0, stream=True, over=True),
        Phase("done", stream=True, over=True),
        Phase("delete", stream=True, over=True),
        Phase("new_connection", stream=True, tcp=True),
        Phase("downstream_data", None, 2, stream=True, tcp=True),
        Phase("upstream_data", None, 3, stream=True, tcp=True),
        Phase("downstream_close", stream=True, tcp=True),
        Phase("upstream_close", stream=True, tcp=True),
    )
}
_HALF = {f"env.proxy_continue_{half}": half for half in ("request", "response")}


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Cells that cannot be, and why."""

    why: str
    covers: Callable[[str, Phase, Class], bool]


def _bare(function: str) -> str:
    return function.partition(".")[2]


EXCLUSIONS = (
    Exclusion(
        "not allowed while the module starts: the configuration is refused (case abi-refused-start-restricted)",
        lambda function, phase, _: phase.name == "start" and _bare(function) not in STARTING,
    ),
    Exclusion(
        "not allowed in the allocator: it traps before its arguments are looked at, so there is one class only",
        lambda function, phase, class_: (
            phase.name == "allocate" and _bare(function) not in ALLOCATING and class_ is not Class.VALID
        ),
    ),
    Exclusion(
        "a local reply when the stream is over ends the real Envoy's process (SIGSEGV); bad arguments do not",
        lambda function, phase, class_: (
            function == "env.proxy_send_local_response" and phase.over and class_ is not Class.BAD
        ),
    ),
    Exclusion(
        "resuming a half of a stream that is not paused has the real Envoy answer twice or die (SIGSEGV)",
        lambda function, phase, _: function in _HALF and phase.steers and phase.name != f"{_HALF[function]}_headers",
    ),
)

#: Callbacks in which nothing is generated, and why.
UNREACHED = {
    "the start section": "a host call there ends the real Envoy's process (SIGSEGV)",
    "proxy_validate_configuration, proxy_on_foreign_function": "Envoy 1.40 never calls them",
    "proxy_on_request_metadata, proxy_on_response_metadata": "HTTP/2 METADATA frames only; the client speaks HTTP/1.1",
    "envoy_on_stats_update": "Envoy 1.40 passes a size that no two runs share",
}


@cache
def versions_of(function: str) -> frozenset[AbiVersion]:
    """The ABI versions that offer a function."""
    module, _, name = function.partition(".")
    wanted = WASI_MODULES[0] if module == "wasi" else module
    return next(f.versions for f in HOST_FUNCTIONS if (f.module, f.name) == (wanted, name))


def exclusion(function: str, phase: Phase, class_: Class) -> Exclusion | None:
    """Why a cell is left out, if it is."""
    return next((entry for entry in EXCLUSIONS if entry.covers(function, phase, class_)), None)


Cell = tuple[str, str, Class]


def cells(classes_of: Callable[[str], frozenset[Class]]) -> Iterator[Cell]:
    """Every cell that counts: (function, phase, class)."""
    for phase in PHASES.values():
        for function in TYPES:
            for class_ in Class:
                if class_ in classes_of(function) and exclusion(function, phase, class_) is None:
                    yield function, phase.name, class_


def shuffled(phase: str, calls: list[tuple[str, Class]]) -> list[tuple[str, Class]]:
    """An order of a phase's cells that is the same on every run, and mixes imports and classes."""
    Random(phase).shuffle(calls)
    return calls
