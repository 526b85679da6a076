from __future__ import annotations

import pytest

from meshsim.envoy.config.document import plain, read
from meshsim.errors import ConfigError

# The right side is what a running Envoy 1.40 showed of these values under node.metadata.
SEEN = """
zeta: 1
f: 1.5
e: 1e3
big: 3000000000
low: -2147483648
high: 2147483648
beyond: 9223372036854775808
hex: 0x10
hexbig: 0xffffffffff
minushex: -0x10
oct: 010
oct2: 0o10
lead: 08
plus: +5
us: 1_000
booleans: [y, yes, True, ON, n, No, off, FALSE]
texts: [tRue, oN, nULL]
nulls: [~, null, Null, NULL, ]
empty:
quoted: ["5", 'true', ""]
special: [.nan, .inf, 2020-01-01, 1:30, 0b11, 1.]
literal: |
  5
folded: >-
  true
tagged: [!!str 5, !!int "5", !!binary aGk=]
"""
EXPECTED = {
    "zeta": 1,
    "f": "1.5",
    "e": "1e3",
    "big": "3000000000",
    "low": -2147483648,
    "high": "2147483648",
    "beyond": "9223372036854775808",
    "hex": 16,
    "hexbig": "1099511627775",
    "minushex": -16,
    "oct": 8,
    "oct2": "0o10",
    "lead": "08",
    "plus": 5,
    "us": "1_000",
    "booleans": [True, True, True, True, False, False, False, False],
    "texts": ["tRue", "oN", "nULL"],
    "nulls": [None, None, None, None],
    "empty": None,
    "quoted": ["5", "true", ""],
    "special": [".nan", ".inf", "2020-01-01", "1:30", "0b11", "1."],
    "literal": "5\n",
    "folded": "true",
    "tagged": [5, 5, "aGk="],
}


@pytest.mark.parametrize("key", EXPECTED)
def test_scalars_mean_what_they_mean_to_envoy(key: str) -> None:
    assert plain(read(SEEN, "seen"))[key] == EXPECTED[key]
    assert type(plain(read(SEEN, "seen"))[key]) is type(EXPECTED[key])


def test_a_number_longer_than_python_reads_is_text_as_any_beyond_64_bits() -> None:
    digits = "9" * 5000
    assert plain(read(f"a: {digits}\nb: -{digits}\n", "example")) == {"a": digits, "b": f"-{digits}"}


def test_the_last_of_two_equal_keys_wins_and_there_are_no_merge_keys() -> None:
    tree = plain(read("a: &x {p: 1}\nb: {<<: *x, q: 2}\nc: 1\nc: 2\n~: none\n1.5: float\n", "x"))

    assert tree == {"a": {"p": 1}, "b": {"<<": {"p": 1}, "q": 2}, "c": 2, "null": "none", "1.5": "float"}


def test_nodes_know_their_lines() -> None:
    root = read("a:\n  - x\n  - {b: 1}\n", "x")

    assert [root.value["a"].value[0].line, root.value["a"].value[1].value["b"].line] == [2, 3]


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("a: [b", "f.yaml:1", "not YAML"),
        ("a:\n\t- b", "f.yaml:2", "not YAML"),
        ("a: 1\n---\nb: 2", "f.yaml:2", "not YAML"),
        ("? [a, b]\n: c", "f.yaml:1", "a key is a list"),
        ("a: &x [*x]", "f.yaml:1", "nested too deep"),
        ("a\0b", "f.yaml", "not YAML"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(text: str, where: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text, "f.yaml")

    assert caught.value.where == where
    assert what in caught.value.what


def test_aliases_cannot_multiply_without_end() -> None:
    levels = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 9))

    with pytest.raises(ConfigError, match="too large"):
        read(f"l0: &l0 x\n{levels}\n", "bomb.yaml")
