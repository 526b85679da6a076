"""What lies in a stream's filter state: values that modules left there, and objects that Envoy's factories made.

Both are bytes to ``proxy_get_property``. A module may declare a value's type (``declare_property``) before it sets it;
the type stays with the value, and expressions see it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshsim.abi.foreign.cel.values import Value


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
    >>> StateObject(b"v", Declaration(Kind.STRING)).declaration.kind
    <Kind.STRING: 1>
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
