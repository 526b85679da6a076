"""The raw tree of a bootstrap: PyYAML's nodes, with their places in the text, and no opinion on what they mean."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from meshsim.errors import ConfigError


def compose(text: str, where: str) -> yaml.Node | None:
    """The root node of a YAML or JSON text; None for an empty one.

    Raises
    ------
    ConfigError
        When the text is not YAML, with line and column.
    """
    # Tabs are blanks in JSON and refused by PyYAML; same length, so that positions stay right.
    plain = text.replace("\t", " ") if text.lstrip().startswith("{") else text
    try:
        return yaml.compose(plain, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{where}, line {mark.line + 1}, column {mark.column + 1}" if mark else where
        raise ConfigError(f"not YAML: {error.problem}", place) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"not YAML: {error}", where) from error


def _snake(key: str) -> str:
    """Protobuf's JSON takes a field by either of its names, ``port_value`` or ``portValue``."""
    return re.sub(r"[A-Z]", lambda letter: "_" + letter.group().lower(), key)


def look(node: yaml.Node | None, *keys: str) -> yaml.Node | None:
    """The node under a path of field names; None when it is not there."""
    for key in keys:
        if not isinstance(node, yaml.MappingNode):
            return None
        # The last of two equal keys wins, as in Envoy.
        node = next((value for name, value in reversed(node.value) if _snake(str(name.value)) == key), None)
    return node


def items(node: yaml.Node | None) -> list[yaml.Node]:
    """The elements of a list; none for anything else."""
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def walk(node: yaml.Node | None, seen: set[int] | None = None) -> Iterator[tuple[str, yaml.Node]]:
    """Every (field name, value) of the tree; a value that an alias repeats once."""
    seen = set() if seen is None else seen
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield _snake(str(key.value)), value
            yield from walk(value, seen)
    for item in items(node):
        yield from walk(item, seen)
