"""Where things stand in a YAML file: a line for each path, so that a mistake can be shown where it was made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import yaml

from meshsim.envoy.config.document import read
from meshsim.errors import ConfigError

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong, and where: a line (0 when there is none to name) and a path such as ``load.open.rate``."""

    line: int
    path: str
    what: str
    remedy: str = ""

    def text(self, origin: str) -> str:
        """Say it in a line, and the remedy in another one."""
        place = f"{origin}:{self.line}" if self.line else origin
        advice = f"\n  -> {self.remedy}" if self.remedy else ""
        return f"{place}: {f'{self.path}: ' if self.path else ''}{self.what}{advice}"


class Mistakes(ConfigError):
    """All that is wrong with a file.

    Attributes
    ----------
    mistakes : tuple of Mistake
        In the order of lines.
    """

    def __init__(self, origin: str, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes, key=lambda mistake: mistake.line))
        super().__init__("\n".join(mistake.text(origin) for mistake in self.mistakes))


def yaml_values(text: str, origin: str) -> Any:
    """Return the plain values of a YAML text.

    Raises
    ------
    ConfigError
        The text is not YAML, or it nests too deep, or its aliases multiply beyond reason.

    Examples
    --------
    >>> yaml_values("rate: 5", "example")
    {'rate': 5}
    """
    read(text, origin)  # says what is wrong with the syntax, and where
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # a tag that is not known; a date that is none
        raise ConfigError(f"not YAML: {error}", origin, "mend the file's syntax") from None


class Document:
    r"""A YAML text: its values, and the line of each.

    Raises
    ------
    ConfigError
        The text is not YAML, or its aliases multiply beyond reason.
    Mistakes
        A mapping has a key twice.

    Examples
    --------
    >>> document = Document("load:\n  open: {rate: 5}\n", "example")
    >>> document.value["load"], document.line(("load", "open", "rate")), document.line(("load", "nope"))
    ({'open': {'rate': 5}}, 2, 1)
    """

    def __init__(self, text: str, origin: str) -> None:
        self.value: Any = yaml_values(text, origin)
        self.origin = origin
        self._lines: dict[Path, int] = {(): 1}
        self._twice: list[Mistake] = []
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is not None:
            self._walk(root, ())
        if self._twice:
            raise Mistakes(origin, self._twice)

    def line(self, path: Path) -> int:
        """Return the line of what stands at a path, or of the nearest thing above it."""
        while path not in self._lines:
            path = path[:-1]
        return self._lines[path]

    def _walk(self, node: yaml.Node, path: Path) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                below = (*path, _key(key))
                if below in self._lines:
                    self._twice.append(Mistake(_line(key), dotted(below), f"is there twice: line {self._lines[below]}"))
                self._lines[below] = _line(key)
                self._walk(value, below)
        elif isinstance(node, yaml.SequenceNode):
            for place, item in enumerate(node.value):
                self._lines[(*path, place)] = _line(item)
                self._walk(item, (*path, place))


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _key(node: yaml.Node) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


def dotted(path: Path) -> str:
    """Write a path as people do.

    Examples
    --------
    >>> dotted(("plugins", 0, "module"))
    'plugins[0].module'
    """
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def parsed(text: str) -> Path:
    """Read a path as people write it, with brackets or only dots.

    Raises
    ------
    ConfigError
        It is none.

    Examples
    --------
    >>> parsed("plugins[0].module"), parsed("services.*.workers"), parsed("timeline.1.at")
    (('plugins', 0, 'module'), ('services', '*', 'workers'), ('timeline', 1, 'at'))
    """
    parts = text.replace("[", ".").replace("]", "").split(".")
    if not all(parts):
        raise ConfigError(f"{text!r} is no path", remedy="write it as load.open.rate or plugins[0].module")
    return tuple(int(part) if part.isdecimal() else part for part in parts)


def changed(value: Any, path: Path, new: Any) -> Any:
    """Return plain values with another one at a path; what is on the way there is made where it is missing.

    Raises
    ------
    ConfigError
        There is nothing on the way that could hold the next part.

    Examples
    --------
    >>> changed({"load": {"open": {"rate": 1}}}, ("load", "open", "rate"), 9)
    {'load': {'open': {'rate': 9}}}
    """
    if not path:
        return new
    first, rest = path[0], path[1:]
    if isinstance(value, list) and isinstance(first, int) and first < len(value):
        return [*value[:first], changed(value[first], rest, new), *value[first + 1 :]]
    if (value is None or isinstance(value, Mapping)) and isinstance(first, str):
        below = dict(value or {})
        return {**below, first: changed(below.get(first), rest, new)}
    has = f"a list of {len(value)}" if isinstance(value, list) else type(value).__name__
    raise ConfigError(f"there is no {first!r} in {has}", dotted(path), "name a place that the scenario has")


def instead(word: str, known: Iterable[str]) -> str:
    """Say what may have been meant, or what there is.

    Examples
    --------
    >>> instead("rat", ["rate", "burst"]), instead("x", ["rate", "burst"])
    ('did you mean rate?', 'there are: rate, burst')
    """
    names = list(known)
    near = get_close_matches(word, names, n=1)
    return f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}" if names else ""


def fields_at(schema: Mapping[str, Any], path: Path) -> list[str]:
    """Return the names that a mapping at a path may hold, by a JSON Schema; none where anything may stand."""
    found = [schema]
    for part in path:
        found = [below for one in found for below in _below(schema, one, part)]
    return [name for one in found for variant in _variants(schema, one) for name in variant.get("properties", ())]


def _variants(root: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A schema without references, and each of its alternatives."""
    if "$ref" in schema:
        yield from _variants(root, root["$defs"][schema["$ref"].rpartition("/")[2]])
        return
    yield schema
    for variant in schema.get("anyOf", ()):
        yield from _variants(root, variant)


def _below(root: Mapping[str, Any], schema: Mapping[str, Any], part: str | int) -> Iterator[Mapping[str, Any]]:
    for variant in _variants(root, schema):
        if isinstance(part, int):
            below = variant.get("items")
        else:
            below = variant.get("properties", {}).get(part, variant.get("additionalProperties"))
        if isinstance(below, Mapping):
            yield below
