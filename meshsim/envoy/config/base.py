"""What every model of an Envoy message has in common.

A model is a frozen pydantic class named as Envoy's message, with Envoy's field names in snake_case. It holds the
fields that meshsim models and no others: what else a message may hold is in ``known_fields.json``, and
:mod:`meshsim.envoy.config.coverage` says what becomes of it.

A field keeps protobuf's default when it is absent: False, 0, "", an empty tuple. Fields that can tell "absent" from
"default" (messages, wrappers such as ``UInt32Value``, members of a oneof) are None when they are absent.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict

#: A ``google.protobuf.Duration``, in nanoseconds.
DurationNs = Annotated[int, "nanoseconds"]

#: A ``google.protobuf.Struct``: a JSON object. Numbers are int or float, as they were written.
Struct = dict[str, Any]


class Message(BaseModel):
    """Base of all models.

    Attributes
    ----------
    proto : str
        Full name of the protobuf message that the class models.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), ser_json_bytes="base64")
    proto: ClassVar[str] = ""


class TypedValue(Message):
    """A ``google.protobuf.Any`` whose message meshsim only carries.

    Attributes
    ----------
    type_url : str
        As written under ``@type``.
    content : bytes
        What a module sees when this is its configuration.
    """

    proto = "google.protobuf.Any"
    type_url: str = ""
    content: bytes = b""

    @property
    def message(self) -> str:
        """The message's full name: what follows the last slash of the type URL."""
        return self.type_url.rpartition("/")[2]
