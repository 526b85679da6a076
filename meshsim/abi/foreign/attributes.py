"""Attributes of a context as values of expressions.

A top-level name that has no value of its own, ``request`` say, is a map that is asked attribute by attribute: it has
no size and no keys. What ``proxy_get_property`` serialises to the same bytes can still be of different types here: a
text is a string, but what a module left on the stream is bytes unless it declared more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from meshsim.abi import protobuf
from meshsim.abi.codec import Message, Nanoseconds, PropertyValue
from meshsim.abi.constants import Status
from meshsim.abi.foreign.cel.temporal import SECOND
from meshsim.abi.foreign.cel.values import CelError, CelMap, Duration, Struct, Timestamp, Value
from meshsim.abi.foreign.declared import Kind, StateObject
from meshsim.abi.ports import PropertyUnavailable
from meshsim.errors import NotModelled

if TYPE_CHECKING:
    from meshsim.abi.ports import ContextHost

Path = tuple[str, ...]

_TIMESTAMPS = {("request", "time")}
_HEADERS = {("request", "headers"), ("response", "headers"), ("response", "trailers")}
#: Fields of Envoy's Node message that the attributes here leave out.
_UNMODELLED_FIELDS = frozenset(
    {
        "user_agent_name",
        "user_agent_version",
        "user_agent_build_version",
        "extensions",
        "client_features",
        "listening_addresses",
        "dynamic_parameters",
    }
)


def find(host: ContextHost, name: str) -> Value:
    """Return what a name stands for; raises CelError."""
    try:
        return _value(host, (name,), _read(host, (name,)))
    except KeyError:
        raise CelError(f'No value with name "{name}" found in Activation') from None


def _read(host: ContextHost, path: Path) -> PropertyValue | None:
    """Read an attribute; None for null, KeyError when there is none."""
    try:
        return host.get_property([part.encode("utf-8", "surrogateescape") for part in path])
    except PropertyUnavailable as unavailable:
        if unavailable.status is Status.NOT_FOUND:
            raise KeyError(path) from None
        return None


class _Attributes(CelMap):
    """The attributes below a name."""

    def __init__(self, host: ContextHost, path: Path) -> None:
        super().__init__()
        self._host = host
        self._path = path

    def get(self, key: Value) -> Value:
        if not isinstance(key, str):
            raise KeyError(key)
        path = (*self._path, key)
        return _value(self._host, path, _read(self._host, path))

    def serialisable(self) -> PropertyValue | None:
        return None


class _Headers(CelMap):
    """Headers: their names can be listed, and a look-up is the attribute's (without case, for one)."""

    def __init__(self, host: ContextHost, path: Path, items: Iterable[tuple[Value, Value]]) -> None:
        super().__init__(items)
        self._attributes = _Attributes(host, path)

    def get(self, key: Value) -> Value:
        return self._attributes.get(key)


def _value(host: ContextHost, path: Path, value: PropertyValue | None) -> Value:
    match value:
        case None:
            return _Attributes(host, path) if len(path) == 1 else None
        case StateObject():
            return _stored(value)
        case bytes():
            return value.decode("utf-8", "surrogateescape")
        case Nanoseconds():
            return (Timestamp if path in _TIMESTAMPS else Duration)(value.value)
        case Message():
            return _struct(host, path, value)
        case Mapping():
            names = (key.decode("utf-8", "surrogateescape") for key in value)
            items = (_value(host, (*path, "*"), item) for item in value.values())
            entries = zip(names, items, strict=True)
            return _Headers(host, path, entries) if path in _HEADERS else CelMap(entries)
        case Sequence():
            return tuple(_value(host, (*path, "*"), item) for item in value)
    return value


def _struct(host: ContextHost, path: Path, message: Message) -> Struct:
    def field(name: str) -> tuple[Value, bool] | None:
        if name in _UNMODELLED_FIELDS:
            raise NotModelled(f"the attribute {'.'.join(path)}.{name}")
        key = name.encode("utf-8", "surrogateescape")
        if key not in message:
            return None
        value = message[key]
        is_set = not value.is_empty if isinstance(value, Message) else bool(value)
        return _value(host, (*path, name), value), is_set

    def wire() -> bytes:
        if message.is_empty:
            return b""
        raise NotModelled(f"the attribute {'.'.join(path)} as a whole")

    return Struct(".".join(path), field, wire, message)


# -- objects of the filter state ---


class _Fields(CelMap):
    """Fields of an object: they can be asked for, and are not counted."""

    def __init__(self, fields: Mapping[str, Value]) -> None:
        super().__init__()
        self._fields = fields

    def get(self, key: Value) -> Value:
        return self._fields[key if isinstance(key, str) else ""]


def _stored(value: StateObject) -> Value:
    """Return what a module left, as the type that was declared of it; undeclared it is bytes."""
    if value.fields is not None:
        return _Fields(value.fields)
    match value.declaration.kind:
        case Kind.STRING:
            return value.decode("utf-8", "surrogateescape")
        case Kind.PROTOBUF:
            return _declared_message(value)
        case Kind.FLAT_BUFFERS:
            raise NotModelled("a FlatBuffers value in an expression: it ends the real Envoy's process")
    return bytes(value)


def _declared_message(value: StateObject) -> Value:
    _, slash, name = value.declaration.schema.decode("utf-8", "surrogateescape").rpartition("/")
    if not slash:
        raise CelError("Malformed type_url string")
    if name in ("google.protobuf.Duration", "google.protobuf.Timestamp"):
        try:
            fields = protobuf.Message(value)
        except ValueError:
            raise NotModelled(f"a malformed {name} in an expression") from None
        ns = _signed(fields.integer(1)) * SECOND + _signed(fields.integer(2))
        return Duration(ns) if name.endswith("Duration") else Timestamp(ns)
    if name.startswith(("google.", "envoy.", "xds.", "udpa.")):
        raise NotModelled(f"the message {name} in an expression")
    raise CelError("Descriptor not found")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value
