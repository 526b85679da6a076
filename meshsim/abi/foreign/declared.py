"""What lies in a stream's filter state: values that modules left there, and objects that Envoy's factories made.

Both are bytes to ``proxy_get_property``. A module may declare a value's type (``declare_property``) before it sets it;
the type stays with the value, and expressions see it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from meshsim.abi.foreign.cel.temporal import SECOND
from meshsim.abi.foreign.cel.values import CelError, CelMap, Duration, Timestamp, Value
from meshsim.abi.protobuf import Message
from meshsim.errors import NotModelled


class Kind(IntEnum):
    """What a declared value is."""

    BYTES = 0
    STRING = 1
    FLAT_BUFFERS = 2
    PROTOBUF = 3


@dataclass(frozen=True, slots=True)
class Declaration:
    """What ``declare_property`` says of a name: ``schema`` is a protobuf type URL or a FlatBuffers schema."""

    kind: int = Kind.BYTES
    read_only: bool = False
    schema: bytes = b""


UNDECLARED = Declaration()


class StateObject(bytes):
    """An object of the filter state: its serialised form, which is what properties show.

    Attributes
    ----------
    declaration : Declaration
        Type of a module's value.
    fields : mapping, optional
        What an object is made of that expressions see as a map of its fields, and not as a text.

    Examples
    --------
    >>> StateObject(b"v", Declaration(Kind.STRING)).cel_value()
    'v'
    """

    declaration: Declaration
    fields: Mapping[str, Value] | None

    def __new__(
        cls, data: bytes, declaration: Declaration = UNDECLARED, fields: Mapping[str, Value] | None = None
    ) -> StateObject:
        """Make an object of its bytes."""
        made = super().__new__(cls, data)
        made.declaration = declaration
        made.fields = fields
        return made

    def cel_value(self) -> Value:
        """Return the object as expressions see it."""
        if self.fields is not None:
            return _Fields(self.fields)
        match self.declaration.kind:
            case Kind.STRING:
                return self.decode("utf-8", "surrogateescape")
            case Kind.PROTOBUF:
                return self._message()
            case Kind.FLAT_BUFFERS:
                raise NotModelled("a FlatBuffers value in an expression: it ends the real Envoy's process")
        return bytes(self)

    def _message(self) -> Value:
        _, slash, name = self.declaration.schema.decode("utf-8", "surrogateescape").rpartition("/")
        if not slash:
            raise CelError("Malformed type_url string")
        if name in ("google.protobuf.Duration", "google.protobuf.Timestamp"):
            try:
                fields = Message(self)
            except ValueError:
                raise NotModelled(f"a malformed {name} in an expression") from None
            ns = _signed(fields.integer(1)) * SECOND + _signed(fields.integer(2))
            return Duration(ns) if name.endswith("Duration") else Timestamp(ns)
        if name.startswith(("google.", "envoy.", "xds.", "udpa.")):
            raise NotModelled(f"the message {name} in an expression")
        raise CelError("Descriptor not found")


class _Fields(CelMap):
    """Fields of an object: they can be asked for, and are not counted."""

    def __init__(self, fields: Mapping[str, Value]) -> None:
        super().__init__()
        self._fields = fields

    def get(self, key: Value) -> Value:
        return self._fields[key if isinstance(key, str) else ""]


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value
