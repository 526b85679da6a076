"""One simulated Envoy from client to client: a Wasm filter in front of a ``direct_response``, through the public API.

The figures are requests a second of real time at each level of recording; there is no bar. Where the time goes is
sampled, and not profiled call by call, because a profiler's own cost falls on small functions: every few milliseconds
of processor time (as the system allows) a signal asks which function of meshsim is innermost. Code of the guest, of
the engine and of Python's library counts for the function that called it.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from statistics import median
from time import process_time
from types import FrameType

import meshsim as ms
from meshsim.sim import Level
from tests.bench.figures import Outcome, Race, agree, figure, race

REPOSITORY = Path(__file__).resolve().parents[2]
REQUESTS = 300
SAMPLED_REQUESTS = 6_000
SAMPLE_EVERY_S = 0.001
HEADERS = {"authorization": "Basic bWVzaHNpbQ=="}

BOOTSTRAP = f"""
static_resources:
  listeners:
  - name: ingress
    address: {{socket_address: {{address: 127.0.0.1, port_value: 10000}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: ingress
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {{prefix: "/"}}
                direct_response: {{status: 200, body: {{inline_string: "hello"}}}}
          http_filters:
          - name: hello
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config:
                name: hello
                vm_config:
                  runtime: envoy.wasm.runtime.v8
                  code: {{local: {{filename: "{REPOSITORY}/modules/hello/hello-wat.wasm"}}}}
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
"""

SHARES = ("vm", "host calls", "stream model", "records", "bench")

#: Folder or file of the package -> share; the longest that fits counts.
LAYERS = {
    "wasm/": "vm",
    "abi/": "host calls",
    "abi/events.py": "records",
    "sim/": "stream model",
    "sim/record.py": "records",
    "sim/table.py": "records",
    "sim/histogram.py": "records",
    "cost/": "stream model",
    "envoy/": "stream model",
}

#: Functions of other layers that only make records.
RECORDING = {"ThreadHost.emit", "ThreadHost.report", "_VmHost.log", "_traced.<locals>.host_call"}

PACKAGE = f"{Path(ms.__file__).parent}/"


@cache
def share_of_code(filename: str, qualified_name: str) -> str | None:
    """Which share a function belongs to; None outside of the package."""
    if not filename.startswith(PACKAGE):
        return None
    if qualified_name in RECORDING:
        return "records"
    path = filename.removeprefix(PACKAGE)
    fitting = [prefix for prefix in LAYERS if path.startswith(prefix)]
    return LAYERS[max(fitting, key=len)] if fitting else None


def share_of(frame: FrameType | None) -> str:
    """Which share the innermost function of meshsim belongs to."""
    while frame is not None:
        share = share_of_code(frame.f_code.co_filename, frame.f_code.co_qualname)
        if share is not None:
            return share
        frame = frame.f_back
    return "bench"


@contextmanager
def sampling() -> Iterator[Counter[str]]:
    """Count samples by share while the ``with`` lasts."""
    samples: Counter[str] = Counter()

    def sample(_signal: int, frame: FrameType | None) -> None:
        samples[share_of(frame)] += 1

    before = signal.signal(signal.SIGPROF, sample)
    signal.setitimer(signal.ITIMER_PROF, SAMPLE_EVERY_S, SAMPLE_EVERY_S)
    try:
        yield samples
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def proxy(level: Level) -> ms.Envoy:
    """Start an Envoy."""
    return ms.Envoy.from_yaml(BOOTSTRAP, level=level)


def run(envoy: ms.Envoy, requests: int) -> None:
    """Send requests, each when the one before is answered."""
    for _ in range(requests):
        envoy.get("/", headers=HEADERS)


def outcome_of(envoy: ms.Envoy) -> tuple[ms.Response, dict[str, int]]:
    """Send one request; give what has to be the same at every level."""
    return envoy.get("/", headers=HEADERS), envoy.stats()


@cache
def _race() -> Race:
    envoys = {level.name: proxy(level) for level in Level}
    agree({name: outcome_of(envoy) for name, envoy in envoys.items()})
    return race({name: partial(run, envoy, REQUESTS) for name, envoy in envoys.items()}, clock=process_time)


def _figure(level: Level) -> Outcome:
    seconds = _race().seconds[level.name]
    with sampling() as samples:
        run(proxy(level), SAMPLED_REQUESTS)
    return Outcome(
        REQUESTS / median(seconds),
        {
            "range": [round(REQUESTS / max(seconds)), round(REQUESTS / min(seconds))],
            "us_per_request": round(1e6 * median(seconds) / REQUESTS, 1),
            "shares": {name: round(samples[name] / samples.total(), 3) for name in SHARES},
            "samples": samples.total(),
        },
    )


def _register(level: Level) -> Callable[[], Outcome]:
    return figure(f"envoy-end-to-end-{level.name.lower()}", unit="req/s")(partial(_figure, level))


for _level in Level:
    _register(_level)
