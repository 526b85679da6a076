"""Random streams: messages, scripts of host calls with arguments at every edge, and what to compare afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any, cast

import wasmtime

from meshsim.abi.code import Code
from meshsim.abi.codec import encode_pairs
from meshsim.abi.constants import AbiVersion, BufferType, HeaderMapType
from meshsim.abi.context import Context, Plugin
from meshsim.abi.ports import NoStream
from meshsim.abi.proxy_wasm import ProxyWasm
from meshsim.abi.vm_host import VmHost
from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.headers import HeaderMap, Kind
from meshsim.wasm import Engine, Limits
from tests.shimfuzz import guests
from tests.shimfuzz.world import Thread, Windows

PLUGIN = Plugin("p", "root", "vm", key="key", configuration=b"configuration", allow_stop_iteration=True)

_NAMES = (
    b":path", b":authority", b"Host", b"host", b"HOST", b":Method", b":status", b"x-a", b"X-Abcdefg", b"x-abcdefgh",
    b"x-0123456789abcdef", b"Cookie", b"set-cookie", b"via", b"Content-Type", b"content-length", b"grpc-status", b"",
    b":", b"\xc3\x84@[`{", b"te", b"vary", b"AZAZAZAZ@[@[@[@[", b"ZAZAZAZA", b"x-" + b"l" * 300,
)  # fmt: skip
_VALUES = (b"", b"1", b"some value", b"a,b", b"\0\xff", b"v" * 700)
_PATHS = (
    b"plugin_name", b"plugin_root_id\0", b"plugin_vm_id", b"xds\0node\0id", b"request\0path", b"nothing", b"unknown",
    b"",
)  # fmt: skip
_KINDS = {
    HeaderMapType.REQUEST_HEADERS: Kind.REQUEST,
    HeaderMapType.REQUEST_TRAILERS: Kind.TRAILERS,
    HeaderMapType.RESPONSE_HEADERS: Kind.RESPONSE,
    HeaderMapType.RESPONSE_TRAILERS: Kind.TRAILERS,
}
_END = guests.PAGES << 16
_EDGES = (0, 1, 0x7FF8, _END - 9, _END - 8, _END - 5, _END - 4, _END - 1, _END, _END + 1, 2**31, 2**32 - 4, 2**32 - 1)
_SIZES = (0, 1, 2, 4, 5000, 70_000, _END, 2**31, 2**32 - 1)

#: Arguments by function: ``m`` a kind of map, ``b`` of buffer, ``N`` a name, ``V`` a value, ``Q`` a path, ``P`` pairs
#: (each a place and a size), ``o`` a place for an answer, ``v`` a small number, ``t`` a metric, ``d`` a change of it,
#: ``w`` vectors.
_ROLES = {
    "proxy_log": "vV",
    "proxy_get_log_level": "o",
    "proxy_get_current_time_nanoseconds": "o",
    "proxy_get_property": "Qoo",
    "proxy_get_header_map_pairs": "moo",
    "proxy_set_header_map_pairs": "mP",
    "proxy_get_header_map_value": "mNoo",
    "proxy_add_header_map_value": "mNV",
    "proxy_replace_header_map_value": "mNV",
    "proxy_remove_header_map_value": "mN",
    "proxy_get_header_map_size": "mo",
    "proxy_get_buffer_status": "boo",
    "proxy_get_buffer_bytes": "bvvoo",
    "proxy_set_buffer_bytes": "bvvV",
    "proxy_increment_metric": "td",
    "proxy_record_metric": "td",
    "proxy_get_metric": "to",
    "proxy_define_metric": "vNo",
    "proxy_set_property": "QV",
    "proxy_set_effective_context": "v",
    "proxy_continue_stream": "v",
    "proxy_continue_request": "",
    "proxy_send_local_response": "vvvvvv",
    "proxy_get_status": "ooo",
    "proxy_get_shared_data": "Noo",
    "proxy_set_shared_data": "NVv",
    "envoy_resolve_dns": "Vo",
    "fd_write": "vwo",
    "clock_time_get": "vdo",
}
#: Functions that end what the script can do to the stream are drawn less often.
_SELDOM = frozenset(
    {"proxy_continue_stream", "proxy_continue_request", "proxy_send_local_response", "proxy_set_effective_context"}
)


class Data:
    """The guest's first 32 KiB: names, values, paths and blocks of pairs, and where each is."""

    def __init__(self, random: Random) -> None:
        self._bytes = bytearray(b"hello")
        self.names = [self._put(name) for name in _NAMES]
        self.values = [self._put(value) for value in _VALUES]
        self.paths = [self._put(path) for path in _PATHS]
        self.pairs = [self._put(self._block(random)) for _ in range(4)]
        self.vectors = self._put(
            b"".join(at.to_bytes(4, "little") + size.to_bytes(4, "little") for at, size in self.values[:3])
        )

    def _put(self, data: bytes) -> tuple[int, int]:
        at = len(self._bytes)
        self._bytes += data
        return at, len(data)

    @staticmethod
    def _block(random: Random) -> bytes:
        pairs = [(random.choice(_NAMES), random.choice(_VALUES)) for _ in range(random.randrange(6))]
        block = bytearray(encode_pairs(pairs) or b"\0\0\0\0")
        if random.random() < 0.3:
            block[random.randrange(len(block))] ^= 1 << random.randrange(8)
        return bytes(block)

    @property
    def content(self) -> bytes:
        return bytes(self._bytes)


@dataclass(frozen=True)
class Plan:
    """All that happens to one VM: the guest, its memory at first, and the streams' messages by seed."""

    kind: guests.Kind
    memory: bytes
    scripts: dict[str, list[bytes]]
    seed: int
    streams: int


def plan(seed: int) -> Plan:
    """Draw a sequence."""
    random = Random(seed)
    version = random.choice(list(AbiVersion))
    missing = frozenset(name for name in guests.CALLBACKS if random.random() < 0.1)
    allocator = random.choices(list(guests.ALLOCATORS), weights=(12, 2, 1, 1, 2))[0]
    name = random.choice(("malloc", "proxy_on_memory_allocate"))
    kind = _known(version, allocator, name, missing if random.random() < 0.3 else frozenset())
    data = Data(random)
    scripts = {callback: [_script(random, kind, data) for _ in range(3)] for callback in guests.CALLBACKS}
    return Plan(kind, data.content, scripts, seed, random.randrange(1, 4))


@cache
def _known(version: AbiVersion, allocator: str, name: str, missing: frozenset[str]) -> guests.Kind:
    return guests.Kind(version, allocator, name, missing)


def _script(random: Random, kind: guests.Kind, data: Data) -> bytes:
    functions = [f.name for f in kind.functions if f.name not in _SELDOM or random.random() < 0.1]
    drawn = random.choices(functions, k=random.choice((0, 1, 3, 8, 20)))
    answer = random.choices((0, 1, 2, 3, 4, 5, 2**32 - 1), weights=(20, 1, 1, 1, 1, 1, 1))[0]
    return guests.script([guests.record(name, _arguments(random, name, data)) for name in drawn], answer)


def _arguments(random: Random, name: str, data: Data) -> tuple[int, ...]:
    arguments: list[int] = []
    for role in _ROLES[name]:
        arguments += _draw(random, role, data)
    return tuple(arguments)


def _draw(random: Random, role: str, data: Data) -> tuple[int, ...]:
    ranges = {"N": data.names, "V": data.values, "Q": data.paths, "P": data.pairs, "w": [data.vectors]}
    if role in ranges:
        at, size = random.choice(ranges[role])
        if role == "w":
            size //= 8
        if random.random() < 0.08:
            return random.choice(_EDGES), random.choice((size, *_SIZES))
        return at, size if random.random() < 0.95 else random.choice(_SIZES)
    match role:
        case "m":
            return (random.choice((0, 0, 0, 2, 2, 2, 1, 3, 4, 6, 7, 8, 2**32 - 1)),)
        case "b":
            return (random.choice((0, 0, 1, 1, 2, 7, 8, 9, 2**31)),)
        case "o":
            return (random.choice(_EDGES) if random.random() < 0.1 else random.randrange(0x6000, 0x7FF0),)
        case "t":
            return (random.choice((4, 5, 6, 8, 9, 10, 12, 0, 1, 2, 3, 7, 2**32 - 4)),)
        case "d":
            return (random.choice((1, 2, 0, -1, 2**63, 10)),)
    return (random.choice((0, 0, 1, 1, 2, 3, 4, 5, 6, 100, 2**32 - 1)),)


@cache
def _engine() -> Engine:
    return Engine()


@cache
def _code(kind: guests.Kind) -> Code:
    return Code.of(_engine().compile(bytes(wasmtime.wat2wasm(guests.text_of(kind)))))


class Play:
    """A plan, played in one VM: with the shim, or without."""

    def __init__(self, plan: Plan, with_shim: bool) -> None:
        self._plan = plan
        self._random = Random(plan.seed + 1)
        self.thread = Thread(record=None if with_shim else lambda _: None)
        limits = Limits(kept_bytes_per_call=1 << 40)
        self.wasm = ProxyWasm(_code(plan.kind), cast(VmHost, self.thread), NoStream(), limits=limits)
        self.effects: list[tuple[Any, ...]] = []
        assert self.wasm.initialize()
        self.wasm.memory.write(guests.DATA, plan.memory)
        self.root_stream = Windows(self.thread)
        self._root = self.wasm.root_context(PLUGIN, self.root_stream)
        self._load()
        self._root.create()
        self.note(self.root_stream)

    def run(self) -> list[tuple[Any, ...]]:
        """Play the streams; all that could be seen."""
        for _ in range(self._plan.streams):
            self._stream()
        self._root.tick()
        self.note(self.root_stream)
        self.thread.metric_values.settle()
        values = self.thread.metric_values
        self.effects.append(
            ("metrics", values.values, {name: list(samples) for name, samples in values.samples.items()})
        )
        return self.effects

    def note(self, stream: Windows, *maps: HeaderMap | BodyBuffer) -> None:
        """Keep what is there after a callback."""
        wasm = self.wasm
        memory = wasm.memory.read(0, wasm.memory.size)
        contents = [bytes(each.data) if isinstance(each, BodyBuffer) else list(each.pairs()) for each in maps]
        self.effects.append(("state", wasm.fail_state, wasm.vm.fuel_used, self.thread.meter.now_ns, memory))
        self.effects.append(("messages", contents, sorted(stream.changed)))
        self.effects.append(("told", list(self.thread.told)))
        stream.changed.clear()
        self.thread.told.clear()

    def _load(self) -> None:
        """Give each callback one of its scripts."""
        for callback, scripts in self._plan.scripts.items():
            self.wasm.memory.write(guests.script_at(callback), self._random.choice(scripts))

    def _map(self, kind: HeaderMapType) -> HeaderMap:
        random = self._random
        pairs = [(random.choice(_NAMES).lower(), random.choice(_VALUES)) for _ in range(random.randrange(12))]
        return HeaderMap(pairs, _KINDS[kind])

    def _stream(self) -> None:
        random, stream = self._random, Windows(self.thread)
        context = self.wasm.add_context(PLUGIN, stream, self._root)
        stream.after = self.wasm.after_call
        self._load()
        request, response = self._map(HeaderMapType.REQUEST_HEADERS), self._map(HeaderMapType.RESPONSE_HEADERS)
        context.open(len(request), True, lambda: stream.open(HeaderMapType.REQUEST_HEADERS, request))
        self.note(stream, request)
        for step in (self._body, self._trailers):
            if random.random() < 0.4:
                step(context, stream)
        self._load()
        stream.open(HeaderMapType.RESPONSE_HEADERS, response)
        context.headers("proxy_on_response_headers", len(response), False)
        self.note(stream, request, response)
        self._end(context, stream, request, response)

    def _body(self, context: Context, stream: Windows) -> None:
        body = BodyBuffer(bytearray(self._random.choice((b"", b"body", b"b" * 3000, b"B" * 70_000))))
        kind = self._random.choice((BufferType.REQUEST_BODY, BufferType.RESPONSE_BODY))
        stream.bodies[kind] = body
        context.body(f"proxy_on_{kind.name.lower()}", len(body.data), True)
        self.note(stream, body)
        stream.bodies.clear()

    def _trailers(self, context: Context, stream: Windows) -> None:
        trailers = self._map(HeaderMapType.REQUEST_TRAILERS)
        stream.open(HeaderMapType.REQUEST_TRAILERS, trailers)
        context.trailers("proxy_on_request_trailers", len(trailers))
        self.note(stream, trailers)

    def _end(self, context: Context, stream: Windows, request: HeaderMap, response: HeaderMap) -> None:
        def logged() -> None:
            stream.in_access_log = False
            stream.close()

        stream.close()
        stream.in_access_log = True
        stream.readable = {HeaderMapType.REQUEST_HEADERS: request, HeaderMapType.RESPONSE_HEADERS: response}
        endings: list[Callable[[], None]] = [lambda: context.finish(logged), lambda: self._one_by_one(context, logged)]
        self._random.choice(endings)()
        self.note(stream, request, response)

    @staticmethod
    def _one_by_one(context: Context, logged: Callable[[], None]) -> None:
        context.log()
        logged()
        context.close()


def difference(seed: int) -> str | None:
    """What differs with and without the shim; None when nothing does."""
    drawn = plan(seed)
    plain, fast = Play(drawn, with_shim=False), Play(drawn, with_shim=True)
    expected, found = plain.run(), fast.run()
    assert plain.wasm.shim is None
    assert fast.wasm.shim is not None
    for place, (left, right) in enumerate(zip(expected, found, strict=True)):
        if left != right:
            effects = f"without {_short(left, right)}\n  with    {_short(right, left)}"
            return f"seed {seed}, {drawn.kind}, effect {place}\n  {effects}"
    return None


def _short(effect: tuple[Any, ...], other: tuple[Any, ...]) -> str:
    """The effect, of its bytes only those that differ."""
    if effect[0] != "state":
        return repr(effect)
    ours, theirs = effect[-1] or b"", other[-1] or b""
    places = [place for place, (one, two) in enumerate(zip(ours, theirs, strict=False)) if one != two][:20]
    return f"{effect[:-1]} {len(ours)} bytes, " + ", ".join(f"{place:#x}: {ours[place]}" for place in places)
