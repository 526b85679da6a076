"""YAML as Envoy reads it: a tree of nodes, each with its line.

Envoy turns a YAML file into JSON before it looks at any message, and its rules for plain scalars are neither those of
YAML 1.1 nor of 1.2 (seen in Envoy 1.40 by dumping the configuration of a running one):

* ``y``, ``yes``, ``on``, ``true`` and their opposites are booleans, in lower case, upper case or capitalised;
* whole numbers, also ``0x10`` and ``010``, are numbers while they fit 32 bits, and text beyond;
* every other number stays text: ``1.5`` in a ``google.protobuf.Struct`` is the string "1.5";
* quotes make text, unless a tag other than ``!!str`` stands before them; tags change nothing else;
* the last of two equal keys wins; ``<<`` is a key like any other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from meshsim.errors import ConfigError

_MAX_DEPTH = 100
_MAX_NODES = 500_000

Scalar = None | bool | int | str

_BOOLEANS = {
    spelling: truth
    for truth, words in ((True, ("y", "yes", "true", "on")), (False, ("n", "no", "false", "off")))
    for word in words
    for spelling in (word, word.upper(), word.capitalize())
}
_TEXT_TAG = "tag:yaml.org,2002:str"
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
#: Of a decimal number of 64 bits. Python refuses to read one of thousands of digits.
_MOST_DIGITS = 19
_INTEGER = re.compile(r"([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")


@dataclass(frozen=True, slots=True)
class Node:
    """One YAML node.

    Attributes
    ----------
    value : None, bool, int, str, list of Node, or dict of str to Node
        Aliases are shared nodes.
    line : int
        Counted from 1.
    """

    value: Any
    line: int


def resolve_scalar(text: str) -> Scalar:
    """Return what a plain (unquoted) scalar stands for.

    Examples
    --------
    >>> [resolve_scalar(text) for text in ("on", "0x10", "1.5", "3000000000", "~")]
    [True, 16, '1.5', '3000000000', None]
    """
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    whole = _INTEGER.fullmatch(text)
    if whole is None:
        return text
    sign, digits = whole.groups()
    base = 16 if digits[:2] in ("0x", "0X") else 8 if digits.startswith("0") else 10
    if base == 10 and len(digits) > _MOST_DIGITS:
        return text
    number = int(digits, base) * (-1 if sign == "-" else 1)
    if not -(1 << 63) <= number < 1 << 63:
        return text
    return number if -(1 << 31) <= number < 1 << 31 else str(number)


def read(text: str, origin: str) -> Node:
    """Return the root node of a YAML (or JSON) text.

    Parameters
    ----------
    text : str
        One YAML document.
    origin : str
        The name for error messages, a file's path as a rule.

    Raises
    ------
    ConfigError
        The text is not YAML, or it refers to itself, or its aliases multiply beyond reason.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        root = yaml.compose(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # At the end of a file without a last newline, the parser is one line further than there is.
        place = f"{origin}:{min(mark.line + 1, max(1, len(text.splitlines())))}" if mark else origin
        raise ConfigError(f"not YAML: {error.problem or error.context}", place, "mend the file's syntax") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"not YAML: {error}", origin, "mend the file's syntax") from None
    if root is None:
        return Node(None, 1)
    return _Converter(origin).convert(root, 0)


class _Converter:
    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._count = 0

    def convert(self, node: yaml.Node, depth: int) -> Node:
        line = node.start_mark.line + 1
        self._count += 1
        if depth > _MAX_DEPTH or self._count > _MAX_NODES:
            raise ConfigError("nested too deep, or too large through its aliases", f"{self._origin}:{line}")
        if isinstance(node, yaml.ScalarNode):
            # The C parser gives plain scalars the style "", the other one None.
            plain = not node.style or node.tag != _TEXT_TAG
            return Node(resolve_scalar(node.value) if plain else node.value, line)
        if isinstance(node, yaml.SequenceNode):
            return Node([self.convert(item, depth + 1) for item in node.value], line)
        return Node({self._key(key): self.convert(value, depth + 1) for key, value in node.value}, line)

    def _key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            place = f"{self._origin}:{node.start_mark.line + 1}"
            raise ConfigError("a key is a list or a mapping", place, "use text for keys")
        return "null" if not node.style and node.value in _NULLS else node.value


def plain(node: Node) -> Any:
    """Return a node and all below as plain Python values.

    Examples
    --------
    >>> plain(read("a: {b: [1, x]}", "example"))
    {'a': {'b': [1, 'x']}}
    """
    if isinstance(node.value, dict):
        return {key: plain(value) for key, value in node.value.items()}
    if isinstance(node.value, list):
        return [plain(item) for item in node.value]
    return node.value
