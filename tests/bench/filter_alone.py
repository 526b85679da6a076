"""A filter without a proxy: meshsim's VM and host functions against the same on wasmtime's public Python API.

Both run the same guest on the same messages: six callbacks a request, and ten host calls of which five make the host
call the guest's allocator. What a host call reads and changes (:mod:`tests.bench.world`) is the same code for both; so
the difference is the way in and out of the guest, and what meshsim does there on top: contexts, restrictions, failed
VMs, what a callback queues. Nothing is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import median
from time import process_time
from typing import Protocol, cast

import wasmtime

from meshsim.abi.code import Code
from meshsim.abi.codec import PropertyValue
from meshsim.abi.constants import BufferType, HeaderMapType, HeadersAction, LogLevel, Status
from meshsim.abi.context import Context, Plugin
from meshsim.abi.events import Event
from meshsim.abi.metrics import MetricValues
from meshsim.abi.ports import NoStream, PropertyUnavailable
from meshsim.abi.proxy_wasm import ProxyWasm
from meshsim.abi.shared import SharedData
from meshsim.abi.vm_host import VmHost
from meshsim.envoy.batch import BatchFilter, Outcome, Table
from meshsim.wasm import Engine, FuncType, HostImport, Vm
from tests.bench import guest
from tests.bench.figures import Outcome as FigureOutcome
from tests.bench.figures import agree, figure, race
from tests.bench.public_api import PublicApiFilter
from tests.bench.world import REQUEST, RESPONSE, Headers, World

REQUESTS = 300
BARE_CALLS = 5_000


class Filter(Protocol):
    """A contestant: a guest with its root context made and configured."""

    def request(self, request: Headers, response: Headers) -> None:
        """Run one stream through the guest: six callbacks."""

    def counted(self) -> dict[str, int]:
        """What the guest has counted, by name."""


class Configuration:
    """The plugin's configuration as a guest reads it."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def size(self) -> int:
        return len(self._data)

    def read(self, start: int, length: int) -> bytes:
        return self._data[start : start + length]

    def splice(self, start: int, length: int, data: bytes) -> Status:
        return Status.BAD_ARGUMENT


class Root(NoStream):
    """What stands behind the root context."""

    def __init__(self, world: World) -> None:
        self._world = world

    def buffer(self, kind: BufferType) -> Configuration | None:
        return Configuration(self._world.configuration) if kind is BufferType.PLUGIN_CONFIGURATION else None

    def get_property(self, path: Sequence[bytes]) -> PropertyValue | None:
        value = self._world.properties.get(b"\0".join(path))
        if value is None:
            raise PropertyUnavailable(Status.NOT_FOUND)
        return value


class OneStream(NoStream):
    """What stands behind a stream context: two header maps, there when their callbacks run."""

    def __init__(self, request: Headers, response: Headers) -> None:
        self._request, self._response = request, response

    def header_map(self, kind: HeaderMapType) -> Headers | None:
        if kind is HeaderMapType.REQUEST_HEADERS:
            return self._request
        return self._response if kind is HeaderMapType.RESPONSE_HEADERS else None

    mutable_header_map = header_map


class Thread:
    """What stands around a VM: as much of a :class:`VmHost` as the guests of the benchmarks reach."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.shared_data = SharedData()
        self.metric_values = MetricValues()
        self.hand_over = None
        self.environment: Mapping[str, str] = {}
        self.record: Callable[[Event], None] | None = None
        self.meter = None
        self.log_level = world.log_level
        self.keeps_logs = True

    def log(self, level: LogLevel, text: str) -> None:
        self._world.log.append((level, text.partition(": ")[2]))  # without Envoy's prefix, which the baseline has not

    def report(self, level: LogLevel, text: str) -> None:
        raise AssertionError(text)

    def now_ns(self) -> int:
        return 1  # Go does not start at 0

    def epoch_ns(self) -> int:
        return self._world.now_ns

    def random_bytes(self, count: int) -> bytes:
        return bytes(count)

    def set_tick_period(self, root: Context, period_ms: int) -> None:
        raise AssertionError("the guest has no timer")


class MeshsimFilter:
    """The same on meshsim's layers ``wasm`` and ``abi``, with Python's host functions."""

    def __init__(self, wasm: bytes, world: World) -> None:
        self._plugin = Plugin("bench", "my_root", "", key="bench", configuration=world.configuration)
        thread = Thread(world)
        self._metrics = thread.metric_values
        self._wasm = ProxyWasm(Code.of(Engine().compile(wasm)), cast(VmHost, thread), NoStream(), shim=False)
        assert self._wasm.initialize()
        self._root = self._wasm.root_context(self._plugin, Root(world))
        assert self._root.start()
        assert self._root.configure()

    def request(self, request: Headers, response: Headers) -> None:
        context = self._wasm.add_context(self._plugin, OneStream(request, response), self._root)
        context.create()
        assert context.headers("proxy_on_request_headers", len(request), True) is HeadersAction.CONTINUE
        assert context.headers("proxy_on_response_headers", len(response), True) is HeadersAction.CONTINUE
        context.log()
        context.done()
        context.delete()

    def counted(self) -> dict[str, int]:
        return {name.removeprefix("wasmcustom."): value for name, value in self._metrics.stats().items()}


CONTESTANTS: dict[str, Callable[[bytes, World], Filter]] = {
    "meshsim": MeshsimFilter,
    "public-api": PublicApiFilter,
    "public-api-without-caller": partial(PublicApiFilter, through_caller=False),
}


def outcome_of(contestant: Filter, world: World, requests: int) -> dict[str, object]:
    """Run requests and give all that a guest can change: the messages, the log, the metrics."""
    messages = [(Headers(REQUEST), Headers(RESPONSE)) for _ in range(requests)]
    for request, response in messages:
        contestant.request(request, response)
    return {
        "messages": [(request.pairs(), response.pairs()) for request, response in messages],
        "log": list(world.log),
        "metrics": contestant.counted(),
    }


def _run(contestant: Filter, world: World) -> None:
    for _ in range(REQUESTS):
        contestant.request(Headers(REQUEST), Headers(RESPONSE))
    world.log.clear()


@figure("filter-alone", at_least=20)
def filter_alone() -> FigureOutcome:
    """How many times faster than host functions in the way of wasmtime's documentation."""
    wasm = bytes(wasmtime.wat2wasm(guest.FILTER))
    worlds = {name: World() for name in CONTESTANTS}
    filters = {name: make(wasm, worlds[name]) for name, make in CONTESTANTS.items()}
    agree({name: outcome_of(filters[name], worlds[name], 3) for name in CONTESTANTS})
    result = race({name: partial(_run, filters[name], worlds[name]) for name in CONTESTANTS}, clock=process_time)
    outcome = result.outcome("meshsim", "public-api")
    return FigureOutcome(
        outcome.value,
        {
            **outcome.details,
            "to_public_api_without_caller": round(median(result.ratios("meshsim", "public-api-without-caller")), 3),
            "host_calls": guest.HOST_CALLS,
            "allocations": guest.ALLOCATIONS,
            "callbacks": guest.CALLBACKS,
            "us_per_request": {name: round(1e6 * median(s) / REQUESTS, 1) for name, s in result.seconds.items()},
        },
    )


def _row() -> dict[str, object]:
    """The messages as a row of a table."""
    heads = {key[1:].decode(): value.decode() for key, value in (*REQUEST, *RESPONSE) if key[:1] == b":"}
    request, response = ([pair for pair in pairs if pair[0][:1] != b":"] for pairs in (REQUEST, RESPONSE))
    return {**heads, "headers": request, "response_headers": response}


class TableFilter:
    """The same through the shim, a table at a time: with one row a stream has a crossing of its own."""

    def __init__(self, wasm: bytes, rows: int) -> None:
        configuration = World().configuration
        self._filter = BatchFilter(wasm, configuration=configuration, root_id="my_root", engine=Engine())
        self._table = Table([_row()] * rows)

    def run(self, requests: int) -> list[Outcome]:
        """Run requests and take the last outcome of each table apart."""
        outcomes = []
        for _ in range(requests // len(self._table)):
            outcomes.append(self._filter.run(self._table)[-1])
        return outcomes

    def outcome_of(self, requests: int) -> dict[str, object]:
        """What :func:`outcome_of` gives, without the lines from before the first request."""
        results = [self._filter.run(self._table) for _ in range(requests // len(self._table))]
        outcomes = [outcome for result in results for outcome in result]
        return {
            "messages": [(sorted(outcome.request), sorted(outcome.response or ())) for outcome in outcomes],
            "log": [(LEVELS.index(level), text) for outcome in outcomes for level, text in outcome.logs],
            "metrics": results[-1].metrics,
        }


LEVELS = [level.envoy_name for level in LogLevel]
TABLE_ROWS = 1_000


def comparable(contestant: Filter, world: World, requests: int) -> dict[str, object]:
    """The outcome of the public API's host in the form of :meth:`TableFilter.outcome_of`."""
    world.log.clear()
    outcome = outcome_of(contestant, world, requests)
    # The table's pseudo headers have an order of their own.
    outcome["messages"] = [(sorted(request), sorted(response)) for request, response in outcome["messages"]]  # type: ignore[attr-defined]
    return outcome


def _through_the_shim(rows: int, requests: int) -> FigureOutcome:
    wasm, world = bytes(wasmtime.wat2wasm(guest.FILTER)), World()
    public, table = PublicApiFilter(wasm, world), TableFilter(wasm, rows)
    agree({"public-api": comparable(public, world, rows), "shim": table.outcome_of(rows)})
    result = race(
        {"shim": partial(table.run, requests), "public-api": partial(_run, public, world)}, clock=process_time
    )
    us = {
        "shim": round(1e6 * median(result.seconds["shim"]) / requests, 2),
        "public-api": round(1e6 * median(result.seconds["public-api"]) / REQUESTS, 1),
    }
    ratios = [ratio * requests / REQUESTS for ratio in result.ratios("shim", "public-api")]
    details = {"range": [round(min(ratios), 1), round(max(ratios), 1)], "rows": rows, "us_per_request": us}
    return FigureOutcome(median(ratios), details)


@figure("filter-alone-shim", at_least=60)
def filter_alone_shim() -> FigureOutcome:
    """The filter through the shim, a crossing a request, its outcome taken apart, per the public API's host."""
    return _through_the_shim(1, 10 * REQUESTS)


@figure("filter-alone-batch", at_least=400)
def filter_alone_batch() -> FigureOutcome:
    """A thousand requests of a table, per the public API's host; outcomes are taken apart when they are looked at."""
    return _through_the_shim(TABLE_ROWS, 100 * REQUESTS)


def _five(a: int, b: int, c: int, d: int, e: int) -> int:
    return e


def _bare_on_meshsim(wasm: bytes, name: str, params: str) -> Callable[..., int]:
    vm = Vm(Engine().compile(wasm), {("env", "five"): HostImport(FuncType("iiiii", "i"), _five)})
    function = vm.function(name, FuncType(params, "i"))
    assert function is not None
    return function


def _bare_on_public_api(wasm: bytes, name: str, params: str) -> Callable[..., int]:
    i32, engine = wasmtime.ValType.i32(), wasmtime.Engine()
    linker, store = wasmtime.Linker(engine), wasmtime.Store(engine)
    linker.define_func("env", "five", wasmtime.FuncType([i32] * 5, [i32]), _five)
    function = linker.instantiate(store, wasmtime.Module(engine, wasm)).exports(store)[name]
    assert isinstance(function, wasmtime.Func)
    return partial(function, store)


BARE: dict[str, Callable[[bytes, str, str], Callable[..., int]]] = {
    "meshsim": _bare_on_meshsim,
    "public-api": _bare_on_public_api,
}


def _bare_race(calls: Mapping[str, Callable[[], object]]) -> FigureOutcome:
    agree({name: call() for name, call in calls.items()})
    result = race(calls, clock=process_time)
    outcome = result.outcome("meshsim", "public-api")
    us = {name: round(1e6 * median(seconds) / BARE_CALLS, 3) for name, seconds in result.seconds.items()}
    return FigureOutcome(outcome.value, {**outcome.details, "us_per_call": us})


def _call_often(function: Callable[..., int]) -> int:
    return sum(function(1, 2, 3, 4, number) for number in range(BARE_CALLS))


@figure("host-call-alone", at_least=20, at_most=60)
def host_call_alone() -> FigureOutcome:
    """The check on ``filter-alone``: a host function of five arguments, called by a loop in the guest."""
    wasm = bytes(wasmtime.wat2wasm(guest.CALLER))
    return _bare_race({name: partial(make(wasm, "run", "i"), BARE_CALLS) for name, make in BARE.items()})


@figure("guest-call-alone", at_least=20, at_most=60)
def guest_call_alone() -> FigureOutcome:
    """The same in the other direction: a guest's function of five arguments, called by a loop in Python."""
    wasm = bytes(wasmtime.wat2wasm(guest.CALLER))
    return _bare_race({name: partial(_call_often, make(wasm, "mix", "iiiii")) for name, make in BARE.items()})
