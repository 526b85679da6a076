"""A hostile guest in an Envoy with a good one beside it, and an Envoy next door: what comes of each?"""

from __future__ import annotations

import gc
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from meshsim.abi.events import LogLine
from meshsim.envoy.config.refusal import ConfigRefused
from meshsim.envoy.outcome import Response
from meshsim.envoy.proxy import Envoy
from meshsim.errors import MeshsimError
from tests.envoy.conftest import cluster, listener, plugin
from tests.hostile.guests import End, Hostile
from tests.hostile.wat import OUT, call, module, on, text

HOSTILE, GOOD = "hostile", "good"
FRONT, BESIDE, BACK = 18000, 18001, 18002
_SETTINGS = {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": "settings"}

#: What the good guest does at each request: a header, a log line, a metric, a key, a callback on the way back.
_GOOD = text(
    on("configure", call("proxy_define_metric", 0, b"good", OUT)),
    on(
        "request_headers",
        call("proxy_add_header_map_value", 0, b"x-good", b"1")
        + call("proxy_log", 2, b"good")
        + call("proxy_increment_metric", f"(i32.load (i32.const {OUT}))", "(i64.const 1)")
        + call("proxy_set_shared_data", b"key", b"good", 0)
        + call("proxy_get_property", b"request\0path", OUT + 8, OUT + 12),
    ),
    on("response_headers", call("proxy_add_header_map_value", 2, b"x-good", b"2")),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a run.

    Attributes
    ----------
    end : End
        How it ended.
    words : str
        Every error there was.
    wrong : str
        What should not be: an exception that is no MeshsimError, a neighbour that noticed, an error that names too
        little; empty when all is well.
    peak_bytes : int
        The most memory that the process held meanwhile.
    seconds : float
        How long it took.
    """

    end: End | None
    words: str
    wrong: str
    peak_bytes: int = 0
    seconds: float = 0.0


def bootstrap(folder: Path, source: str) -> Path:
    """A bootstrap with the hostile guest in front, and the good one before it and on a listener of its own."""
    (folder / "hostile.wasm").write_bytes(module(source))
    (folder / "good.wasm").write_bytes(module(_GOOD))
    bad = plugin("hostile.wasm", HOSTILE, "bad", configuration=_SETTINGS)
    good = plugin("good.wasm", GOOD, "good", configuration=_SETTINGS)
    listeners = [
        listener([good, bad], name="front", port=FRONT),
        listener([good], name="beside", port=BESIDE),
        listener(name="back", port=BACK),
    ]
    clusters = [cluster("back", BACK), cluster("lost", 9)]
    path = folder / "envoy.yaml"
    path.write_text(yaml.safe_dump({"static_resources": {"listeners": listeners, "clusters": clusters}}))
    return path


class World:
    """The place where hostile guests are tried, one after the other."""

    def __init__(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = bootstrap(Path(folder), text(on("log", "")))
            self._next_door = Envoy.from_yaml(path)
        self._usual = _neighbour(self._next_door)

    def run(self, hostile: Hostile) -> Seen:
        """Try one guest."""
        reset_peak()
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            seen = self._try(hostile, bootstrap(Path(folder), hostile.source))
        if not seen.wrong and _neighbour(self._next_door) != self._usual:
            seen = replace(seen, wrong="the Envoy next door has noticed")
        seen = replace(seen, peak_bytes=peak_bytes(), seconds=time.perf_counter() - began)
        gc.collect()
        return seen

    def _try(self, hostile: Hostile, path: Path) -> Seen:
        envoy: Envoy | None = None
        errors: list[str] = []
        ended: End | None = None
        try:
            try:
                envoy = Envoy.from_yaml(path, limits=hostile.limits, level=hostile.level)
            except ConfigRefused as refused:
                ended = End.REFUSED
                errors.append(str(refused))
            else:
                before = _neighbour(envoy)
                ended, errors = _drive(envoy, hostile)
                if before != self._usual or _neighbour(envoy) != self._usual:
                    return Seen(ended, "\n".join(errors), "the good plugin has noticed")
        except MeshsimError as error:
            ended = End.ENDS
            errors.append(str(error))
        except Exception as error:
            return Seen(None, "", f"{type(error).__name__}: {error}")
        finally:
            _close(envoy)
        return Seen(ended, "\n".join(errors), _complaint(hostile, ended, errors))


def _drive(envoy: Envoy, hostile: Hostile) -> tuple[End, list[str]]:
    errors: list[str] = []
    ended = End.ANSWERS
    for _ in range(2):
        try:
            response = envoy.get("/", listener="front")
            envoy.run(ms=hostile.ms)
            if not (response.status or response.error):
                errors.append("no answer")
        except MeshsimError as error:
            ended = End.ENDS
            errors.append(str(error))
            break
    failures = [str(failure.error) for failure in envoy.failures()]
    if failures and ended is End.ANSWERS:
        ended = End.TRAPS
    return ended, errors + failures


def _complaint(hostile: Hostile, ended: End | None, errors: list[str]) -> str:
    if ended not in hostile.ends:
        return f"it ended by {ended}: {errors}"
    if ended is End.ANSWERS:
        return ""
    if not any(HOSTILE in error and all(name in error for name in hostile.names) for error in errors):
        return f"no error names {HOSTILE} and {', '.join(hostile.names)}: {errors}"
    return ""


def _neighbour(envoy: Envoy) -> tuple[Any, ...]:
    """How the good plugin does when the worker is free: an answer, and what it leaves behind.

    A call that the deadline ends has taken as much virtual time as the machine let it; clients wait for ten seconds.
    """
    envoy.kernel.run(max(worker.thread.idle_from_ns for worker in envoy.workers))
    events = len(envoy.recorder.events)
    counted = envoy.stats().get("wasmcustom.good", 0)
    response = envoy.get("/path", listener="beside")
    lines = [entry.event.text for entry in envoy.recorder.events[events:] if isinstance(entry.event, LogLine)]
    good = [line for line in lines if f"wasm log {GOOD} " in line] or ["wasm log good r good: good"]
    more = envoy.stats().get("wasmcustom.good", 0) - counted
    return _shape(response), good, more


def _shape(response: Response) -> tuple[Any, ...]:
    changing = ("date", "x-request-id", "x-envoy-upstream-service-time")
    return response.status, [pair for pair in response.headers if pair[0] not in changing], response.body


def _close(envoy: Envoy | None) -> None:
    """Let go of the VMs; a hostile guest may say something at the end too."""
    for vm in list(envoy.process.vms) if envoy else ():
        vm.wasm.close()


# --- memory of this process ------------------------------------------------------------------------------------------

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


def reset_peak() -> None:
    """Forget the peak of before, where the system lets us."""
    try:
        _CLEAR.write_text("5")
    except OSError:
        return


def peak_bytes() -> int:
    """The most memory that the process held since :func:`reset_peak`."""
    for line in _STATUS.read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    raise AssertionError("no VmHWM")
