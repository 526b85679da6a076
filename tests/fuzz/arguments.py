"""Arguments of host calls: what is right, what is at the edge of right, and what is wrong, for each kind of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from tests.fuzz.cells import Class, Phase
from tests.fuzz.wat import (
    END,
    METRIC,
    NUMBER,
    POINTER,
    QUEUE,
    SCRATCH,
    SIZE,
    TOKEN,
    UNREAD,
    Guest,
    const,
    load,
    long,
    pairs,
)
from tests.fuzz.words import HEADERS, MILD_HEADERS, OWN_PROPERTIES, PROPERTIES, WILD_HEADERS, value_for

_MAX = 0xFFFFFFFF


@dataclass(slots=True)
class Scene:
    """Where a call is made.

    ``wild``: what it does may spoil the stream; ``awaits``: the kind of callouts whose answers the guest hears of.
    """

    guest: Guest
    random: Random
    phase: Phase
    wild: bool = False
    awaits: str = ""
    outs: list[int] = field(default_factory=lambda: [POINTER, SIZE, NUMBER])


Draw = Callable[[Scene], "tuple[str, ...]"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One argument, or the two of a range: its values by class."""

    valid: Draw
    edge: Draw | None = None
    bad: Draw | None = None

    def of(self, class_: Class) -> Draw | None:
        return {Class.VALID: self.valid, Class.EDGE: self.edge, Class.BAD: self.bad}[class_]


def _one(*values: int | str) -> Draw:
    return lambda scene: (_text(scene.random.choice(values)),)


def _text(value: int | str) -> str:
    return const(value) if isinstance(value, int) else value


def _long(*values: int) -> Draw:
    return lambda scene: (long(scene.random.choice(values)),)


def _range(*choices: tuple[int, int]) -> Draw:
    return lambda scene: tuple(map(const, scene.random.choice(choices)))


def _number(valid: Sequence[int], edge: Sequence[int] = (), bad: Sequence[int] = ()) -> Kind:
    return Kind(_one(*valid), _one(*edge) if edge else None, _one(*bad) if bad else None)


# --- ranges of memory that the host reads

_EMPTY = ((0, 0), (END, 0), (1024, 0))
_TAILS = tuple((END - size, size) for size in (1, 3))
_OUTSIDE = (
    (END + 1, 0),
    (END - 1, 2),
    (END, 1),
    (_MAX, 1),
    (1024, _MAX),
    (_MAX - 15, 32),
    (1024, 0x80000000),
    (0, END + 1),
)


def _either(*draws: Draw) -> Draw:
    return lambda scene: scene.random.choice(draws)(scene)


def _data(choose: Callable[[Scene], str | bytes]) -> Draw:
    return lambda scene: tuple(map(const, scene.guest.place(choose(scene))))


def _words(*words: str | bytes) -> Draw:
    return _data(lambda scene: scene.random.choice(words))


def _range_of(valid: Draw, *bad: Draw, edge: Draw | None = None) -> Kind:
    return Kind(valid, edge or _range(*_EMPTY, *_TAILS), _either(_range(*_OUTSIDE), *bad))


def _name(scene: Scene) -> str:
    return scene.random.choice(WILD_HEADERS if scene.wild else MILD_HEADERS)


def _any_name(scene: Scene) -> str:
    return scene.random.choice(HEADERS)


def _path(scene: Scene) -> str:
    """How far a connection to an upstream has got is a matter of moments where bytes pass without HTTP."""
    names = [name for name in PROPERTIES if not (scene.phase.tcp and name.startswith("upstream."))]
    return scene.random.choice(names).replace(".", "\0")


def _headers(scene: Scene) -> bytes:
    needed = {0: (":path", ":method", ":authority"), 2: (":status",)}.get(scene.phase.headers or 0, ())
    names = [*needed, *(_name(scene) for _ in range(scene.random.randint(0, 3)))]
    return pairs((name, value_for(scene.random, name)) for name in names)


_REQUEST = (
    pairs([(":method", "GET"), (":path", "/call"), (":authority", "c")]),
    pairs([(":method", "POST"), (":path", "/call"), (":authority", "c"), ("x-a", "1")]),
)
_MALFORMED = (b"abc", b"\2\0\0\0" + bytes(8), pairs([("x-a", "v")])[:-1], pairs([("x-a", "v")]) + b"!", b"\xff" * 8)
_LOCAL = (pairs([("x-l", "1")]), pairs([("x-l", "1"), ("X-M", "2"), ("content-type", "a/b")]))
_FEW = (bytes(4), pairs([("", "")]), pairs([("x-a", "")]))
_FEW_OR_NONE = _either(_range(*_EMPTY), _words(*_FEW))
_IOVECS = b"".join(number.to_bytes(4, "little") for number in (1024, 3, 1026, 0, END - 2, 2))


def _iovecs(count: int) -> Draw:
    return lambda scene: (const(scene.guest.place(_IOVECS)[0]), const(count))


def _far_iovec(scene: Scene) -> tuple[str, ...]:
    return const(scene.guest.place(b"\xf0\xff\xff\xff\x20\0\0\0")[0]), const(1)


# --- where the host writes


def _out(size: int) -> Kind:
    """An address for so many bytes; the right ones are read back by the guest, in their order."""

    def valid(scene: Scene) -> tuple[str, ...]:
        return (const(scene.outs.pop(0) if size == 4 and scene.outs else UNREAD),)

    return Kind(valid, _one(0, UNREAD + 1, END - size), _one(END - size + 1, END, _MAX, _MAX - size + 1))


# --- what depends on the phase


def _own_map(scene: Scene) -> tuple[str, ...]:
    own = scene.phase.headers
    return (const(scene.random.choice([0, 2] if own is None else [own, own, own, 0, 2])),)


def _other_map(scene: Scene) -> tuple[str, ...]:
    """One that cannot be written here, where nothing may be spoilt."""
    own = scene.phase.headers or 0
    return (const(own if scene.wild else (own + 1) % 4),)


def _own_buffer(scene: Scene) -> tuple[str, ...]:
    own = scene.phase.body
    return (const(scene.random.choice([0, 1, 7] if own is None else [own, own, own, 6])),)


def _written_buffer(scene: Scene) -> tuple[str, ...]:
    """Not the bytes of a connection: who reads them would have to guess what they mean."""
    return (const(scene.random.choice([0, 1])),) if scene.phase.tcp else _own_buffer(scene)


def _edge_buffer(scene: Scene) -> tuple[str, ...]:
    """The last one shows again what was looked up before: bodies and messages of a callback before are gone by then."""
    gone = scene.phase.stream or scene.awaits in ("http_call", "grpc")
    return (const(scene.random.choice([0, 7 if gone else 8])),)


def _stream_type(scene: Scene) -> tuple[str, ...]:
    """Without an effect on streams that go on: what has one is an ending of its own."""
    return (const(2 if scene.phase.steers or scene.phase.over else 0),)


def _queue(scene: Scene) -> tuple[str, ...]:
    return (load(QUEUE),)


_TEXT = _range_of(_words("hello", "note", "a\0b", "\xff\xfe"))
_VALUE = _range_of(_data(lambda scene: value_for(scene.random, "x")))
_WRITTEN_NAME = _range_of(_data(_name), edge=_range(*_EMPTY, *_TAILS))

KINDS: dict[str, Kind] = {
    "level": _number((1, 2, 3, 4), (0, 5), (6, 77, _MAX)),
    "text": _TEXT,
    "out4": _out(4),
    "out8": _out(8),
    "period": _number((100_000, 250_000), (0, _MAX)),
    "path": _range_of(_data(_path), _words("nope", "request\0nope")),
    "own_path": _range_of(_words(*OWN_PROPERTIES)),
    "value": _VALUE,
    "stream": Kind(_stream_type, _one(3), _one(4, 9999, _MAX)),
    "status": _number((200, 403, 500, 204), (0, 999)),
    "details": _range_of(_words("why", "a b")),
    "body": _range_of(_words("denied body", "no")),
    "local": _range_of(_words(*_LOCAL), edge=_either(_range(*_EMPTY), _words(*_FEW, *_MALFORMED))),
    "grpc_status": _number((_MAX, 5, 13), (0, 16, 17, 1000)),
    "key": _range_of(_words("k", "k2"), _words("missing")),
    "new_key": _range_of(_words("k", "k2")),
    "cas": _number((0,), (1, _MAX)),
    "queue_name": _range_of(_words("q", "r"), edge=_range(*_EMPTY)),
    "vm": _range_of(_range((0, 0)), _words("nope"), edge=_range((END, 0), (1024, 0))),
    "queue": Kind(_queue, _one(0), _one(9999, _MAX)),
    "map": Kind(_own_map, _one(0, 7), _one(8, 9, 100, _MAX)),
    "other_map": Kind(_other_map, _one(6, 7), _one(8, 9, 100, _MAX)),
    "pairs": _range_of(_data(_headers), _words(*_MALFORMED), edge=_FEW_OR_NONE),
    "read_name": _range_of(_data(_any_name)),
    "name": _WRITTEN_NAME,
    "buffer": Kind(_own_buffer, _edge_buffer, _one(9, 100, _MAX)),
    "written_buffer": Kind(_written_buffer, _edge_buffer, _one(9, 100, _MAX)),
    "from": _number((0, 0, 0, 1, 2), (_MAX, 100)),
    "length": _number((1, 3, 10), (0, _MAX)),
    "cut": _number((0, 1, 3, 10), (_MAX, 100)),
    "content": _range_of(_words("NEW", "[more]", "x" * 40)),
    "cluster": Kind(
        lambda scene: _words("refused", *(["side"] if scene.phase.stream and not scene.awaits else []))(scene),
        _range(*_EMPTY, *_TAILS),
        _either(_range(*_OUTSIDE), _words("nope")),
    ),
    "request": _range_of(_words(*_REQUEST), _words(*_MALFORMED, pairs([(":method", "GET")])), edge=_FEW_OR_NONE),
    "timeout": _number((900, 500), (0, 0x7FFFFFFF), (0x80000000, _MAX)),
    # Bytes that happen to be a GrpcService without a target end the real Envoy: no empty ones.
    "service": Kind(_words("refused"), _range(*_TAILS), _either(_range(*_OUTSIDE), _words("nope"))),
    "method": _range_of(_words("s.Svc", "Meth")),
    "metadata": _range_of(_words(pairs([("x-m", "1")])), _words(*_MALFORMED), edge=_FEW_OR_NONE),
    "message": _range_of(_words("abc", b"\0\1")),
    "token": Kind(_one(load(TOKEN)), _one(0, _MAX), _one(9999, 1001, 1002, 1003)),
    "flag": _number((0, 1), (2, _MAX)),
    "metric_kind": _number((0, 1, 2), (0, 2), (3, 9999, _MAX)),
    "metric_name": _range_of(_words("m1", "m.2")),
    "metric": Kind(_one(load(METRIC)), _one(0, _MAX), _one(4000, 4001, 4002, 4003)),
    "delta": Kind(_long(1, 2, 5), _long(0, -1, 2**63 - 1, -(2**63))),
    "context": Kind(_one(1), _one(0), _one(99, 0x80000000, _MAX)),
    "foreign": _range_of(_words("compress", "uncompress", "clear_route_cache"), _words("nope")),
    "host": Kind(_words("127.0.0.1", "::1"), None, _range(*_OUTSIDE)),
    "number": _number((1, 2), (0, _MAX)),
    "long": Kind(_long(1, 2), _long(0, -1)),
    "clock": _number((0, 1), (), (2, 99, _MAX)),
    "fd": _number((1, 2), (0,), (3, 99, _MAX)),
    "iovecs": Kind(
        _either(_iovecs(1), _iovecs(3)),
        _either(_iovecs(0), _range((END, 0), (END - 8, 1))),
        _either(_range((END - 4, 1), (0, _MAX), (1024, 0x20000000), (END + 1, 0)), _far_iovec),
    ),
    "fill": Kind(
        _range((SCRATCH, 8), (SCRATCH, 100)),
        _range((SCRATCH, 0), (END, 0), (SCRATCH, 65536), (END - 8, 8)),
        _range((END - 4, 8), (SCRATCH, 65537), (_MAX, 1), (SCRATCH, _MAX)),
    ),
    "fill_start": _number((SCRATCH,), (SCRATCH + 1, END - 24), (END - 3, END + 1, _MAX)),
    "pointer": _number((SCRATCH,), (0, END), (END + 1, _MAX)),
}  # fmt: skip
