"""A configuration that was read and not yet judged: what stands between YAML nodes and models."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from meshsim.envoy.config.schema import MessageSchema


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands.

    Attributes
    ----------
    path : str
        As a user would write it: ``static_resources.listeners[0].name``.
    envoy_path : str
        As Envoy's messages write it: an ``Any`` adds ``<any>``, an entry of a map has a number.
    line : int
        Counted from 1.
    """

    path: str
    envoy_path: str
    line: int

    def field(self, name: str, line: int) -> Place:
        """Return the place of a field below."""
        dot = "." if self.path else ""
        return Place(f"{self.path}{dot}{name}", f"{self.envoy_path}{'.' if self.envoy_path else ''}{name}", line)

    def item(self, number: int, line: int) -> Place:
        """Return the place of an item of a list."""
        return Place(f"{self.path}[{number}]", f"{self.envoy_path}[{number}]", line)

    def entry(self, key: str, number: int, line: int) -> Place:
        """Return the place of an entry of a map."""
        return Place(f'{self.path}["{key}"]', f"{self.envoy_path}[{number}]", line)

    def inside(self, mark: str) -> Place:
        """Return the same place, as Envoy names what is unpacked there."""
        return Place(self.path, f"{self.envoy_path}.{mark}", self.line)


@dataclass(frozen=True, slots=True)
class ParsedMessage:
    """A message: the values of the fields that are set, by snake_case name, in the order in which they are written.

    Scalars are Python values, bytes are bytes, enums are names (numbers where Envoy has no name), durations int
    nanoseconds, wrappers what they wrap; a ``Struct`` is a dict, repeated fields are lists, maps dicts.
    """

    schema: MessageSchema
    place: Place
    values: dict[str, Any] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a field's value, or the default when it is not set."""
        return self.values.get(name, default)

    def messages(self, name: str) -> list[ParsedMessage]:
        """Return the messages in a repeated field, or the one in a single field, or none."""
        value = self.values.get(name, [])
        return list(value) if isinstance(value, list) else [value]

    def packed(self, name: str) -> ParsedAny:
        """Return what is in a field of type ``Any``; an empty one when it is not set."""
        value = self.values.get(name)
        return value if isinstance(value, ParsedAny) else ParsedAny("", None, self.place)

    def place_of(self, name: str) -> Place:
        """Return the place of a field, or of the message when the field is not set."""
        return self.places.get(name, self.place)


@dataclass(frozen=True, slots=True)
class ParsedAny:
    """A ``google.protobuf.Any``: a message, or the value of a well-known type.

    Attributes
    ----------
    problems : tuple of Problem
        What is wrong with a message that Envoy reads only when it comes to the extension which it configures.
    """

    type_url: str
    value: Any
    place: Place
    problems: tuple[Problem, ...] = ()

    @property
    def message(self) -> str:
        """The full name of the message inside."""
        return self.type_url.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that Envoy refuses.

    Attributes
    ----------
    envoy_says : str
        Envoy's words, in the form that :func:`meshsim.envoy.config.refusal.normal_refusal` gives them.
    reason : str
        The same for people, in a few words.
    after_plugins : int
        How many Wasm plugins Envoy has created before it comes to this.
    """

    envoy_says: str
    reason: str
    place: Place
    after_plugins: int = 0

    @classmethod
    def said(cls, envoy_says: str, place: Place) -> Problem:
        """Return a problem whose words need no translation."""
        return cls(envoy_says, envoy_says, place)
