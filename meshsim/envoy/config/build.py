"""Models made of a parsed configuration; what meshsim does not model is left out and noted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from meshsim.envoy.config.base import Message, TypedValue
from meshsim.envoy.config.bootstrap import Bootstrap, Extension
from meshsim.envoy.config.coverage import accepted, models, status
from meshsim.envoy.config.inert import (
    DEFAULT_VALUES,
    FORMATS,
    INERT_RUNTIME_KEYS,
    INERT_TYPES,
    UNMODELLED_VALUES,
    WITHHELD_BELOW,
)
from meshsim.envoy.config.message_wire import configuration_content
from meshsim.envoy.config.operators import unmodelled_operators
from meshsim.envoy.config.parsed import ParsedAny, ParsedMessage, Place
from meshsim.envoy.config.schema import FieldSchema, known_schema

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
        self._note_runtime(parsed)
        values = self._fields(parsed, Bootstrap)
        left_out = tuple(dict.fromkeys(item.place.path for item in self.unmodelled))
        return Bootstrap.model_validate({**values, "ignored": left_out, "inert": tuple(self.inert)})

    def extension(self, parsed: ParsedMessage) -> Extension | None:
        """Return an extension that was discovered; None for one that is not modelled."""
        values = self._nested(parsed)
        return None if values is _LEFT_OUT else Extension.model_validate(values)

    def _note_namesakes(self, parsed: ParsedMessage) -> None:
        """Envoy takes the second of two listeners of one name for an update of the first."""
        names: set[str] = set()
        static = parsed.messages("static_resources")
        for listener in (listener for resources in static for listener in resources.messages("listeners")):
            name = listener.get("name", "")
            if name and name in names:
                self.unmodelled.append(Unmodelled(f"two listeners named '{name}'", listener.place_of("name")))
            names.add(name)

    def _note_runtime(self, parsed: ParsedMessage) -> None:
        """What a runtime value overrides is not looked up; some keys are known to override nothing that is here."""
        for layer in (layer for runtime in parsed.messages("layered_runtime") for layer in runtime.messages("layers")):
            for key in _runtime_keys(layer.get("static_layer", {})):
                if not key.startswith(INERT_RUNTIME_KEYS):
                    self.unmodelled.append(Unmodelled(f"the runtime value {key}", layer.place_of("static_layer")))

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
        shown = ""
        if state == "inert" and not _is_among(UNMODELLED_VALUES, message, name, value):
            self.inert.append(place.path)
            return False
        if state != "not modelled":
            self._note_below(parsed, name, value)
            self._note_operators(parsed, name, value)
            nameless = field.type.kind == "enum" and isinstance(value, int)
            if not nameless and not _is_among(UNMODELLED_VALUES, message, name, value):
                return True
            shown = f": {value}"
        elif self._changes_nothing(parsed.schema.name, field, value):
            return False
        self.unmodelled.append(Unmodelled(f"{parsed.schema.short_name}.{name}{shown}", place))
        return False

    def _note_below(self, parsed: ParsedMessage, name: str, value: Any) -> None:
        """Note the fields of a message that are not modelled in this place."""
        for below in sorted(WITHHELD_BELOW.get((parsed.schema.name, name), ())):
            if isinstance(value, ParsedMessage) and below in value.values:
                what = f"{value.schema.short_name}.{below} of {parsed.schema.short_name}"
                self.unmodelled.append(Unmodelled(what, value.place_of(below)))

    def _note_operators(self, parsed: ParsedMessage, name: str, value: Any) -> None:
        """Note the command operators in a format that nothing fills in, and a format in a file, which is not read."""
        for path in FORMATS.get((parsed.schema.name, name), ()):
            inner, place = value, parsed.place_of(name)
            for step in path:
                if isinstance(inner, ParsedMessage):
                    inner, place = inner.get(step), inner.place_of(step)
            for operator in unmodelled_operators(inner):
                self.unmodelled.append(Unmodelled(f"the command operator %{operator}%", place))

    def _changes_nothing(self, message: str, field: FieldSchema, value: Any) -> bool:
        """Whether a value of a field that is not modelled is as good as none."""
        if _is_among(DEFAULT_VALUES, message, field.name, value) or value in ([], {}) or self._all_inert(value):
            return True
        if isinstance(value, ParsedAny):
            return not value.type_url
        if field.oneof or field.type.kind == "message":
            return False
        if field.type.kind == "enum":
            return known_schema().enum(field.type.target).get(value) == 0
        return not value

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
        if TypedValue.proto in choices:
            try:
                return TypedValue(type_url=value.type_url, content=configuration_content(value))
            except ValueError as error:
                self.unmodelled.append(Unmodelled(str(error), value.place))
                return _LEFT_OUT
        if value.message in INERT_TYPES:
            self.inert.append(value.place.path)
            return _LEFT_OUT
        if isinstance(value.value, ParsedMessage) and value.message in choices:
            chosen = choices[value.message]
            return chosen.model_validate(self._fields(value.value, chosen))
        self.unmodelled.append(Unmodelled(value.message, value.place))
        return _LEFT_OUT


def _is_among(table: Mapping[tuple[str, str], frozenset[Any]], message: str, field: str, value: Any) -> bool:
    return isinstance(value, str | int) and value in table.get((message, field), ())


def _runtime_keys(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the keys of a layer of runtime values; ``{a: {b: 1}}`` is the same as ``{a.b: 1}``."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _runtime_keys(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"
