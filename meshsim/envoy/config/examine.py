"""The way of a configuration, from text to models, with what stops it.

YAML -> nodes -> parsed messages (types, unknown fields) -> constraints -> what Envoy refuses when it puts the parts
together -> models. The first thing that Envoy would refuse comes first; what meshsim does not model comes last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from meshsim.envoy.config.bootstrap import Bootstrap, Extension
from meshsim.envoy.config.build import Builder, Unmodelled
from meshsim.envoy.config.constraints import violations
from meshsim.envoy.config.discovered import resources
from meshsim.envoy.config.document import Node, read
from meshsim.envoy.config.parsed import ParsedAny, ParsedMessage, Place, Problem
from meshsim.envoy.config.protojson import Reader
from meshsim.envoy.config.refusal import ConfigRefused
from meshsim.envoy.config.schema import known_schema
from meshsim.envoy.config.semantics import refusals
from meshsim.envoy.config.sources import Sources
from meshsim.envoy.config.typed_struct import unpack_typed_structs
from meshsim.errors import UnmodelledField

_DATA_SOURCE = "envoy.config.core.v3.DataSource"
_PATH_SOURCE = "envoy.config.core.v3.PathConfigSource"
_HTTP_FILTER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter"
_ENVIRONMENT = "envoy.extensions.wasm.v3.EnvironmentVariables"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Names of the files and environment variables that a configuration takes from outside."""

    files: tuple[str, ...]
    variables: tuple[str, ...]


class Examination:
    """One configuration on its way.

    Parameters
    ----------
    text : str
        YAML or JSON.
    origin : str
        A name for messages, a file's path as a rule.

    Attributes
    ----------
    wanted : Wanted
        What must be read before :meth:`problems` and :meth:`bootstrap` can be asked.

    Raises
    ------
    ConfigError
        The text is not YAML.
    """

    def __init__(self, text: str, origin: str) -> None:
        self.origin = origin
        self._schema = known_schema()
        root = read(text, origin)
        self._reader = Reader(self._schema, Bootstrap.proto)
        self._unreadable = _not_json(root, text)
        self._parsed = self._reader.read(Node({}, root.line) if self._unreadable else root)
        unpack_typed_structs(self._parsed, self._schema)
        self.wanted = _wanted(self._parsed)
        self._discovered: dict[str, dict[str, ParsedMessage]] = {}

    def discover(self, sources: Sources) -> Wanted:
        """Read the files that filters are discovered in; return what must be read because of them."""
        for path, name, type_urls in _discoveries(self._parsed):
            found = resources(sources.files.get(path, b""), path, self._schema).get(name)
            if found is not None and found.packed("typed_config").type_url in type_urls:
                self._discovered.setdefault(path, {})[name] = found
        return _wanted([*self._discovered.values()])

    def problems(self, sources: Sources) -> Iterator[Problem]:
        """Yield what Envoy refuses, the first first."""
        yield from self._unreadable
        yield from self._reader.problems
        yield from violations(self._parsed, self._schema)
        yield from refusals(self._parsed, self._schema, sources)

    def build(self, sources: Sources) -> tuple[Bootstrap, list[Unmodelled]]:
        """Return the models, and what they leave out."""
        builder = Builder()
        bootstrap = builder.bootstrap(self._parsed)
        discovered = {
            path: {name: built for name, parsed in found.items() if (built := builder.extension(parsed)) is not None}
            for path, found in self._discovered.items()
        }
        return bootstrap.model_copy(update={"sources": sources, "discovered": discovered}), builder.unmodelled

    def bootstrap(self, sources: Sources, *, ignore_unmodelled: bool = False) -> Bootstrap:
        """Return the models, or raise.

        Raises
        ------
        ConfigRefused
            Envoy refuses the configuration.
        UnmodelledField
            Envoy knows a field that meshsim does not model, and it may not be left out.
        """
        first = next(self.problems(sources), None)
        if first is not None and first.after_plugins == 0:
            raise self._refused(first, None)
        bootstrap, left_out = self.build(sources)
        if left_out and not ignore_unmodelled:
            raise self._unmodelled(left_out)
        if first is not None:
            raise self._refused(first, bootstrap)
        return bootstrap

    def where(self, place: Place) -> str:
        """Return a place as it stands in messages: file, line and YAML path."""
        path = f" {place.path}" if place.path else ""
        return f"{self.origin}:{place.line}:{path}" if path else f"{self.origin}:{place.line}"

    def _refused(self, problem: Problem, bootstrap: Bootstrap | None) -> ConfigRefused:
        return ConfigRefused(
            problem.envoy_says,
            problem.reason,
            self.where(problem.place),
            after_plugins=problem.after_plugins,
            bootstrap=bootstrap,
        )

    def _unmodelled(self, left_out: list[Unmodelled]) -> UnmodelledField:
        first, more = left_out[0], len(left_out) - 1
        others = f" (and {more} more)" if more else ""
        return UnmodelledField(
            f"meshsim does not model {first.what}{others}",
            self.where(first.place),
            "leave it out, or go on without it: --ignore-unmodelled",
        )


def rediscovered(content: bytes, path: str) -> tuple[dict[str, Extension], Wanted]:
    """Read a file of extensions: those that are modelled, by name, and what must be read for them."""
    found = resources(content, path, known_schema())
    builder = Builder()
    built = {name: extension for name, parsed in found.items() if (extension := builder.extension(parsed)) is not None}
    return built, _wanted(list(found.values()))


def _not_json(root: Node, text: str) -> list[Problem]:
    """Envoy makes JSON of YAML first; a scalar at the top is none."""
    if isinstance(root.value, dict | list):
        return []
    says = f"Unable to convert YAML as JSON: {text}".strip()
    return [Problem(says, "not a mapping of fields", Place("", "", root.line))]


def _wanted(value: Any) -> Wanted:
    files: dict[str, None] = {}
    variables: dict[str, None] = {}
    for message in _all_messages(value):
        if message.schema.name == _DATA_SOURCE:
            files |= dict.fromkeys(filter(None, [message.get("filename")]))
            variables |= dict.fromkeys(filter(None, [message.get("environment_variable")]))
        elif message.schema.name == _PATH_SOURCE:
            files |= dict.fromkeys(filter(None, [message.get("path")]))
        elif message.schema.name == _ENVIRONMENT:
            variables |= dict.fromkeys(message.get("host_env_keys", []))
    return Wanted(tuple(files), tuple(variables))


def _discoveries(root: ParsedMessage) -> Iterator[tuple[str, str, list[str]]]:
    """Yield the HTTP filters that are discovered: the file's path, the filter's name, and the types it may have."""
    for http_filter in _all_messages(root):
        if http_filter.schema.name == _HTTP_FILTER:
            for source in http_filter.messages("config_discovery"):
                paths = [p for c in source.messages("config_source") for p in c.messages("path_config_source")]
                for path in paths:
                    yield path.get("path", ""), http_filter.get("name", ""), source.get("type_urls", [])


def _all_messages(value: Any) -> Iterator[ParsedMessage]:
    if isinstance(value, ParsedMessage):
        yield value
        for child in value.values.values():
            yield from _all_messages(child)
    elif isinstance(value, ParsedAny):
        yield from _all_messages(value.value)
    elif isinstance(value, list):
        for child in value:
            yield from _all_messages(child)
    elif isinstance(value, dict):
        yield from _all_messages(list(value.values()))
