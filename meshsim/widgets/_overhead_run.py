"""What the overhead lab asks the simulated Envoy: the work that a module does for a request, and what a crash does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from meshsim.abi.events import Crossing, Direction
from meshsim.abi.signatures import ALLOCATORS
from meshsim.envoy.loader import parse_bootstrap
from meshsim.envoy.outcome import Response
from meshsim.envoy.proxy import Envoy
from meshsim.envoy.requests import Request
from meshsim.sim import Level
from meshsim.wasm import Memory
from meshsim.widgets._overhead import Share

#: Modules to choose from: name, what it does, and the file among the bundled scenarios.
MODULES = {
    "headers": ("reads one header, adds one, logs (C++)", "first_filter/hello.wasm"),
    "body": ("reads a header and the whole body (WAT)", "overhead/inspector.wasm"),
}
POLICIES = {"closed": "FAIL_CLOSED", "open": "FAIL_OPEN", "reload": "FAIL_RELOAD"}
#: The crash strip: so many requests, one every so many ms, and which one of a VM's makes it crash.
STRIP, STRIP_MS, CRASH_AT = 20, 250, 4
_CRASHING = "overhead/inspector.wasm"
#: Pages of linear memory that a profile's ``vm_bytes`` has already, and what an operating system hands out.
_PAGES_IN_VM, PAGE_BYTES, _SMALL_PAGE_BYTES = 2, 65_536, 4_096

_FILTER = """
          - name: {name}
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config:
                name: {name}
                root_id: {name}
                failure_policy: {policy}
                configuration: {{"@type": type.googleapis.com/google.protobuf.StringValue, value: "{configuration}"}}
                vm_config: {{vm_id: "{vm}", runtime: envoy.wasm.runtime.v8, code: {{local: {{filename: {module}}}}}}}"""
_BOOTSTRAP = """
static_resources:
  listeners:
  - name: front
    address: {{socket_address: {{address: 127.0.0.1, port_value: 10000}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: front
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes: [{{match: {{prefix: /}}, route: {{cluster: application}}}}]
          http_filters:{filters}
          - name: envoy.filters.http.router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
  clusters:
  - name: application
    load_assignment:
      cluster_name: application
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: 10001}}}}}}
"""


def bootstrap_text(module: str, plugins: int, *, own_vms: bool = True, policy: str = "closed", crash: int = 0) -> str:
    """Return the bootstrap of an Envoy with so many filters in front of an application.

    Parameters
    ----------
    module : str
        A file among the bundled scenarios.
    crash : int
        At which of its requests each VM crashes, up to 9; 0 for none (only with the module that can).
    """
    filters = "".join(
        _FILTER.format(
            name=f"filter-{i + 1}",
            policy=POLICIES[policy],
            configuration=crash or "",
            vm=f"vm-{i + 1}" if own_vms else "vm",
            module=module,
        )
        for i in range(plugins)
    )
    return _BOOTSTRAP.format(filters=filters)


def start(text: str, workers: int, level: Level = Level.OFF) -> Envoy:
    """Start an Envoy whose modules are among the bundled scenarios."""
    folder = Path(str(files("meshsim") / "scenarios"))
    envoy = Envoy(parse_bootstrap(text, "overhead", folder), concurrency=workers, level=level)
    envoy.start()
    envoy.upstream("application")
    return envoy


def request_with(body_bytes: int) -> Request:
    """Return a request with a body of so many bytes."""
    headers = (("authorization", "Basic b3BlbjpzZXNhbWU="),)
    if not body_bytes:
        return Request(headers=headers)
    return Request(method="POST", headers=headers, body="x" * body_bytes)


@cache
def share_of(module: str, body_bytes: int) -> Share:
    """Count what a module does for a request, once it is warm.

    Examples
    --------
    >>> share_of("headers", 0).host_calls["add_header_map_value"]
    1
    """
    envoy = start(bootstrap_text(MODULES[module][1], 1), 1, Level.ABI)
    request = request_with(body_bytes)
    envoy.send(request)
    envoy.run(ms=1)
    [wasm] = {vm.wasm for vm in envoy.process.vms if vm.thread == "worker_0"}
    place, burnt = len(envoy.recorder.events), wasm.burnt
    envoy.send(request)
    envoy.run(ms=1)
    crossings = [entry.event for entry in envoy.recorder.events[place:] if isinstance(entry.event, Crossing)]
    entered = [each.function for each in crossings if each.direction is Direction.HOST_CALLS_VM]
    called = [each.function for each in crossings if each.direction is Direction.VM_CALLS_HOST]
    return Share(
        callbacks=sum(function not in ALLOCATORS for function in entered),
        host_calls=dict(Counter(function.rpartition(".")[2].removeprefix("proxy_") for function in called)),
        copied_bytes=sum(content.size for each in crossings for content in each.contents),
        fuel=wasm.burnt - burnt,
        code_bytes=wasm.code.compiled.facts.size_bytes,
        touched_bytes=touched(wasm.memory),
    )


def touched(memory: Memory) -> int:
    """Return how much of a linear memory was written beyond its first two pages: small pages that are not all zero."""
    starts = range(_PAGES_IN_VM * PAGE_BYTES, memory.size, _SMALL_PAGE_BYTES)
    return sum(_SMALL_PAGE_BYTES for at in starts if any(memory.read(at, _SMALL_PAGE_BYTES) or b""))


@cache
def crash_strip(policy: str) -> tuple[tuple[Outcome, ...], int]:
    """Send requests, one every :data:`STRIP_MS`, to a filter whose VM crashes at its :data:`CRASH_AT`-th.

    Returns
    -------
    tuple of Outcome, int
        What became of each request, and how many VMs were made because of the crashes.
    """
    envoy = start(bootstrap_text(_CRASHING, 1, policy=policy, crash=CRASH_AT), 1, Level.ABI)
    made = _created(envoy)
    outcomes = []
    for _ in range(STRIP):
        place = len(envoy.recorder.events)
        response = envoy.send(Request())
        events = envoy.recorder.events[place:]
        outcomes.append(_outcome(response, [e.event for e in events if isinstance(e.event, Crossing)]))
        envoy.run(ms=STRIP_MS)
    return tuple(outcomes), _created(envoy) - made


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request: its status, whether the filter saw it, whether the module crashed at it."""

    status: int
    filtered: bool
    crashed: bool

    @property
    def word(self) -> str:
        """The outcome in a word."""
        if self.crashed:
            return "crashed"
        return "filtered" if self.filtered else "passed by" if self.status == 200 else "refused"


def _outcome(response: Response, crossings: Sequence[Crossing]) -> Outcome:
    functions = [each for each in crossings if each.function == "proxy_on_request_headers"]
    returned = any(each.direction is Direction.VM_RETURNS for each in functions)
    return Outcome(response.status, bool(functions) and returned, bool(functions) and not returned)


def _created(envoy: Envoy) -> int:
    return envoy.stats().get("wasm.envoy.wasm.runtime.v8.created", 0)
