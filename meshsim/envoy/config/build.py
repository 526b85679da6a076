"""Models made of a parsed configuration; what meshsim does not model is left out and noted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from meshsim.envoy.config.base import Message, TypedValue
from meshsim.envoy.config.bootstrap import Bootstrap
from meshsim.envoy.config.coverage import accepted, models, status
from meshsim.envoy.config.inert import DEFAULT_VALUES, INERT_TYPES, UNMODELLED_VALUES
from meshsim.envoy.config.parsed import ParsedAny, ParsedMessage, Place
from meshsim.envoy.config.wasm import CONFIGURATION_TYPES

_LEFT_OUT = object()


@dataclass(frozen=True, slots=True)
class Unmodelled:
    """Something that Envoy knows and meshsim does not model."""

    what: str
    place: Place


class Builder:
    """Builds a :class:`Bootstrap`.

    Attributes
    ----------
    unmodelled : list of Unmodelled
        What was left out.
    inert : list of str
        Paths of what was left out because it changes nothing.
    """

    def __init__(self) -> None:
        self.unmodelled: list[Unmodelled] = []
        self.inert: list[str] = []

    def bootstrap(self, parsed: ParsedMessage) -> Bootstrap:
        """Return the whole configuration, without what is noted in the builder's lists."""
        self._note_namesakes(parsed)
        values = self._fields(parsed, Bootstrap)
        left_out = tuple(dict.fromkeys(item.place.path for item in self.unmodelled))
        return Bootstrap.model_validate({**values, "ignored": left_out, "inert": tuple(self.inert)})

    def _note_namesakes(self, parsed: ParsedMessage) -> None:
        """Envoy takes the second of two listeners of one name for an update of the first."""
        names: set[str] = set()
        static = parsed.messages("static_resources")
        for listener in (listener for resources in static for listener in resources.messages("listeners")):
            name = listener.get("name", "")
            if name and name in names:
                self.unmodelled.append(Unmodelled(f"two listeners named '{name}'", listener.place_of("name")))
            names.add(name)

    def _fields(self, parsed: ParsedMessage, model: type[Message]) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for name, value in parsed.values.items():
            if self._is_taken(parsed, name, value):
                built = self._value(model, name, value, parsed.place_of(name))
                if built is not _LEFT_OUT:
                    out[name] = built
        return out

    def _is_taken(self, parsed: ParsedMessage, name: str, value: Any) -> bool:
        """Whether a field is modelled with this value; if not, note why."""
        message, place = parsed.schema.name, parsed.place_of(name)
        field = parsed.schema.fields[name]
        state = status(message, name)
        if state == "modelled":
            nameless = field.type.kind == "enum" and isinstance(value, int)
            if nameless or _is_one_of(value, UNMODELLED_VALUES.get((message, name), frozenset())):
                self.unmodelled.append(Unmodelled(f"{parsed.schema.short_name}.{name}: {value}", place))
                return False
            return True
        if state == "inert":
            self.inert.append(place.path)
            return False
        plain_default = field.type.kind != "message" and not field.oneof and not value and field.shape == "one"
        if plain_default or value in ([], {}) or _is_default(message, name, value) or self._all_inert(value):
            return False
        self.unmodelled.append(Unmodelled(f"{parsed.schema.short_name}.{name}", place))
        return False

    def _all_inert(self, value: Any) -> bool:
        """Whether a value holds nothing but extensions that change nothing."""
        if isinstance(value, list):
            return all(self._all_inert(item) for item in value)
        if not isinstance(value, ParsedMessage):
            return False
        packed = value.values.get("typed_config")
        if isinstance(packed, ParsedAny) and packed.message in INERT_TYPES:
            self.inert.append(value.place.path)
            return True
        return False

    def _value(self, model: type[Message], field: str, value: Any, place: Place) -> Any:
        if isinstance(value, ParsedMessage):
            return self._nested(value)
        if isinstance(value, ParsedAny):
            return self._any(model, field, value)
        if isinstance(value, list):
            items = [self._value(model, field, item, place) for item in value]
            return [item for item in items if item is not _LEFT_OUT]
        if isinstance(value, dict) and any(isinstance(item, ParsedMessage | ParsedAny) for item in value.values()):
            entries = {key: self._value(model, field, item, place) for key, item in value.items()}
            return {key: item for key, item in entries.items() if item is not _LEFT_OUT}
        return value

    def _nested(self, parsed: ParsedMessage) -> Any:
        model = models()[parsed.schema.name]
        values = self._fields(parsed, model)
        packed = parsed.values.get("typed_config")
        if isinstance(packed, ParsedAny) and packed.type_url and "typed_config" not in values:
            # An extension whose configuration is left out is left out as a whole.
            return _LEFT_OUT
        return values

    def _any(self, model: type[Message], field: str, value: ParsedAny) -> Any:
        if not value.type_url:
            return _LEFT_OUT
        choices = accepted(model, field)
        if value.message in INERT_TYPES:
            self.inert.append(value.place.path)
            return _LEFT_OUT
        if isinstance(value.value, ParsedMessage) and value.message in choices:
            chosen = choices[value.message]
            return chosen.model_validate(self._fields(value.value, chosen))
        if TypedValue.proto in choices and value.message in CONFIGURATION_TYPES:
            content = None if isinstance(value.value, ParsedMessage) else value.value
            return TypedValue(type_url=value.type_url, value=content)
        self.unmodelled.append(Unmodelled(value.message, value.place))
        return _LEFT_OUT


def _is_one_of(value: Any, values: frozenset[Any]) -> bool:
    return isinstance(value, str | int) and value in values


def _is_default(message: str, field: str, value: Any, table: Mapping[tuple[str, str], Any] = DEFAULT_VALUES) -> bool:
    return (message, field) in table and table[message, field] == value
