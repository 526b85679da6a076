"""What random guests do in their callbacks: a table of operations with their weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.fuzz.wat import METRIC, NUMBER, POINTER, SIZE, Guest, load, pairs
from tests.fuzz.words import HEADERS, OWN_PROPERTIES, PROPERTIES, PSEUDO, value_for


@dataclass(frozen=True, slots=True)
class Callback:
    """A callback that a guest may have.

    ``header_map`` and ``buffer`` are those that are its own; ``can_end`` says whether it may steer the stream;
    ``most`` operations are in it, and it is there with probability ``chance``.
    """

    name: str
    parameters: int
    answer: Callable[[Random], str] | None = None
    header_map: int | None = None
    buffer: int | None = None
    can_end: bool = False
    chance: float = 0.9
    most: int = 4


@dataclass(frozen=True, slots=True)
class Operation:
    """Something that a guest does; the weight is ``in_bodies`` where there is a buffer."""

    write: Callable[[Guest, Random, Callback], str]
    weight: float
    in_bodies: float | None = None
    steers: bool = False
    since_0_2: bool = False

    def weight_in(self, callback: Callback, version: str, random: Random) -> float:
        """Almost never where the guest would be refused for it."""
        if self.steers and not callback.can_end:
            return 0
        if self.since_0_2 and version == "0_1_0" and random.random() < 0.95:
            return 0
        return self.weight if self.in_bodies is None or callback.buffer is None else self.in_bodies


def _map(random: Random, callback: Callback) -> int:
    if random.random() < 0.8:
        return random.choice([0, 2]) if callback.header_map is None else callback.header_map
    return random.choice([0, 0, 1, 2, 2, 3, 6, 7, 8])


def _buffer(random: Random, callback: Callback) -> int:
    if random.random() < 0.7:
        return random.choice([0, 1]) if callback.buffer is None else callback.buffer
    return random.randrange(8)


def _span(random: Random) -> tuple[int, int]:
    return random.choice([0, 0, 0, 1, 2, 5, 100]), random.choice([0, 1, 3, 10, 100, -1])


def _log(guest: Guest, random: Random, callback: Callback) -> str:
    return guest.drop("log", random.choice([0, 1, 2, 2, 3, 4, 5, 6]), guest.data(random.choice(["hello", "", "note"])))


def _get_header(guest: Guest, random: Random, callback: Callback) -> str:
    name = guest.data(random.choice(HEADERS))
    return guest.logged("get_header_map_value", _map(random, callback), name, POINTER, SIZE)


def _write_header(function: str) -> Callable[[Guest, Random, Callback], str]:
    def write(guest: Guest, random: Random, callback: Callback) -> str:
        name = random.choice(HEADERS)
        return guest.drop(function, _map(random, callback), guest.data(name), guest.data(value_for(random, name)))

    return write


def _remove_header(guest: Guest, random: Random, callback: Callback) -> str:
    names = HEADERS if random.random() < 0.1 else [name for name in HEADERS if name not in (*PSEUDO, "host")]
    return guest.drop("remove_header_map_value", _map(random, callback), guest.data(random.choice(names)))


def _get_pairs(guest: Guest, random: Random, callback: Callback) -> str:
    return guest.drop("get_header_map_pairs", _map(random, callback), POINTER, SIZE)


def _set_pairs(guest: Guest, random: Random, callback: Callback) -> str:
    target = _map(random, callback)
    needed = {0: (":path", ":method", ":authority"), 2: (":status",)}.get(target, ())
    names = [*needed, *random.choices(HEADERS, k=random.randint(0, 3))]
    block = pairs((name, value_for(random, name)) for name in names)
    return guest.drop("set_header_map_pairs", target, guest.data(block))


def _map_size(guest: Guest, random: Random, callback: Callback) -> str:
    return guest.drop("get_header_map_size", _map(random, callback), POINTER)


def _get_buffer(guest: Guest, random: Random, callback: Callback) -> str:
    return guest.logged("get_buffer_bytes", _buffer(random, callback), *_span(random), POINTER, SIZE)


def _set_buffer(guest: Guest, random: Random, callback: Callback) -> str:
    content = guest.data(random.choice(["", "NEW", "[more]", "x" * 40]))
    return guest.drop("set_buffer_bytes", _buffer(random, callback), *_span(random), content)


def _buffer_status(guest: Guest, random: Random, callback: Callback) -> str:
    return guest.drop("get_buffer_status", _buffer(random, callback), POINTER, SIZE)


def _get_property(guest: Guest, random: Random, callback: Callback) -> str:
    return guest.logged("get_property", guest.data(random.choice(PROPERTIES).replace(".", "\0")), POINTER, SIZE)


def _set_property(guest: Guest, random: Random, callback: Callback) -> str:
    return guest.drop("set_property", guest.data(random.choice(OWN_PROPERTIES)), guest.data(value_for(random, "x")))


def _metric(guest: Guest, random: Random, callback: Callback) -> str:
    kind = random.choice([0, 1, 2])
    change = random.choice(["increment_metric", "record_metric"])
    defined = guest.drop("define_metric", kind, guest.data(f"m{kind}"), METRIC)
    return f"{defined} {guest.drop(change, load(METRIC), f'(i64.const {random.choice([0, 1, 2, 5])})')}"


def _get_shared(guest: Guest, random: Random, callback: Callback) -> str:
    return guest.logged("get_shared_data", guest.data(random.choice(["k1", "k2"])), POINTER, SIZE, NUMBER)


def _set_shared(guest: Guest, random: Random, callback: Callback) -> str:
    key, value = guest.data(random.choice(["k1", "k2"])), guest.data(value_for(random, "x"))
    return guest.drop("set_shared_data", key, value, random.choice([0, 0, 1, 2]))


def _local_response(guest: Guest, random: Random, callback: Callback) -> str:
    details, body = guest.data(random.choice(["", "why"])), guest.data(random.choice(["", "denied body"]))
    headers = guest.data(pairs(random.choice([[], [("x-l", "1")]])))
    status, grpc_status = random.choice([200, 204, 403, 500]), random.choice([-1, -1, 5])
    return guest.drop("send_local_response", status, details, body, headers, grpc_status)


def _steer(function: str) -> Callable[[Guest, Random, Callback], str]:
    return lambda guest, random, callback: guest.drop(function, random.choice([0, 1]))


def _get_status(guest: Guest, random: Random, callback: Callback) -> str:
    return guest.drop("get_status", POINTER, SIZE, NUMBER)


def _get_log_level(guest: Guest, random: Random, callback: Callback) -> str:
    return guest.drop("get_log_level", POINTER)


def _other_context(guest: Guest, random: Random, callback: Callback) -> str:
    return guest.drop("set_effective_context", random.choice([1, 2, 99]))


OPERATIONS = (
    Operation(_log, 3),
    Operation(_get_header, 6),
    Operation(_write_header("add_header_map_value"), 6),
    Operation(_write_header("replace_header_map_value"), 5),
    Operation(_remove_header, 4),
    Operation(_get_pairs, 3),
    Operation(_set_pairs, 0.6),
    Operation(_map_size, 2),
    Operation(_get_buffer, 1, in_bodies=4),
    Operation(_set_buffer, 0.7, in_bodies=5),
    Operation(_buffer_status, 2),
    Operation(_get_property, 6),
    Operation(_set_property, 1),
    Operation(_metric, 2),
    Operation(_get_shared, 1),
    Operation(_set_shared, 1),
    Operation(_local_response, 0.4, steers=True),
    Operation(_steer("continue_stream"), 0.4, steers=True, since_0_2=True),
    Operation(_steer("close_stream"), 0.1, steers=True, since_0_2=True),
    Operation(_get_status, 0.3),
    Operation(_get_log_level, 0.5, since_0_2=True),
    Operation(_other_context, 0.15, steers=True),
)


def body_of(guest: Guest, random: Random, callback: Callback) -> str:
    """A few operations for a callback."""
    weights = [operation.weight_in(callback, guest.version, random) for operation in OPERATIONS]
    drawn = random.choices(OPERATIONS, weights, k=random.randint(0, callback.most))
    return "\n    ".join(operation.write(guest, random, callback) for operation in drawn)
