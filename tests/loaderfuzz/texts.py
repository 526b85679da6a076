"""Broken YAML and JSON: a good text with a few characters, or its tree with a few values, changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import yaml

#: What a text is sprinkled with.
TOKENS = (
    "{", "}", "[", "]", ":", ",", "- ", "&a ", "*a", "!!binary ", "!x ", "|", ">", "'", '"', "%", "#", "@", "`", "\t",
    "\n", "\0", "\ufeff", "\ud7ff", "\u2028", "\U0001f600", "\\", "~", "null", "yes", "0x10", "1e999", "-1", ".inf",
    "18446744073709551616", "<<: ", "---\n", "...\n", "? ", "%YAML 1.1\n", "[" * 200, "{a: " * 200, "  ",
)  # fmt: skip
#: What a value of a tree is replaced with.
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 80, 65536, 2**31, 2**32, 2**63, 2**64, 10**30, 0.5, 1e308, float("inf"), "", " ", "a",
    "*", "/", "0s", "1s", "-1s", "0.000000001s", "1e9s", "315576000000s", "%REQ(", "%REQ(x)%", "%", "[", "(", ".*",
    "(a*)*b", "\0", "\n", "é", "x" * 300, "type.googleapis.com/", "type.googleapis.com/google.protobuf.Struct", [], {},
    [[]], [{}], {"": None}, {"a": "b"}, ["a", 1], "../../modules/http-script.wasm", "127.0.0.1", "::", "0.0.0.0",
    "FAIL_OPEN", "DISTINCT", "100", "1.5", "{}",
)  # fmt: skip

Change = Callable[[Random, str], str]


def _token(random: Random, text: str) -> str:
    at = random.randrange(len(text) + 1)
    return text[:at] + random.choice(TOKENS) + text[at + random.randint(0, 3) :]


def _drop(random: Random, text: str) -> str:
    at = random.randrange(len(text) + 1)
    return text[:at] + text[at + random.randint(1, 40) :]


def _cut(random: Random, text: str) -> str:
    return text[: random.randrange(len(text) + 1)]


def _lines(random: Random, text: str) -> str:
    lines = text.splitlines(keepends=True) or [""]
    at, other = random.randrange(len(lines)), random.randrange(len(lines))
    match random.randrange(5):
        case 0:
            lines[at], lines[other] = lines[other], lines[at]
        case 1:
            lines.insert(other, lines[at])
        case 2:
            del lines[at]
        case 3:
            lines[at] = " " * random.randint(1, 3) + lines[at]
        case _:
            lines[at] = lines[at].removeprefix("  ")
    return "".join(lines)


def _word(random: Random, text: str) -> str:
    """Put one word of the text in the place of another."""
    words = text.split()
    return text.replace(random.choice(words), random.choice(words), 1) if words else text


TEXT_CHANGES: tuple[Change, ...] = (_token, _token, _drop, _cut, _lines, _lines, _word, _word)


def change_text(random: Random, text: str) -> str:
    """Change a few characters, words or lines anywhere."""
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        text = random.choice(TEXT_CHANGES)(random, text)
    return text


def places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Each place in a tree, as the list or mapping and the key in it.

    >>> [key for _, key in places({"a": [1, {"b": 2}]})]
    ['a', 0, 1, 'b']
    """
    keys = list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        yield tree, key
        yield from places(tree[key])


def change_tree(random: Random, tree: Any, other: Any) -> Any:
    """Change a few values, keys and items; the other tree lends some."""
    for _ in range(random.choice((1, 1, 1, 1, 2, 3))):
        found = list(places(tree))
        if not found:
            return random.choice(VALUES)
        owner, key = random.choice(found)
        lender, lent = random.choice(found if random.random() < 0.6 else list(places(other)) or found)
        match random.randrange(8):
            case 0:
                del owner[key]
            case 1 if isinstance(owner, list):
                owner.insert(random.randrange(len(owner) + 1), owner[key])
            case 2 if isinstance(owner, dict):
                owner[str(lent)] = owner.pop(key)
            case 3 if isinstance(owner, list):
                owner.extend([owner[key]] * random.choice((1, 3, 50)))
            case 4 | 5:
                # A copy: a tree that holds itself is no document.
                owner[key] = json.loads(json.dumps(lender[lent]))
            case _:
                owner[key] = random.choice(VALUES)
        tree = json.loads(json.dumps(tree))
    return tree


def bootstrap_mutant(random: Random, text: str, other: str) -> str:
    """A broken form of a bootstrap in YAML."""
    if random.random() < 0.25:
        return change_text(random, text)
    tree = change_tree(random, yaml.safe_load(text), yaml.safe_load(other))
    if random.random() < 0.5:
        return json.dumps(tree)
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)


def requests_mutant(random: Random, text: str, other: str) -> str:
    """A broken form of a REQUESTS.json."""
    if random.random() < 0.35:
        return change_text(random, text)
    return json.dumps(change_tree(random, json.loads(text), json.loads(other)))
