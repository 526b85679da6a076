"""Numbers and words that make sense: what is out of its range is refused where it is given, not where it would hurt."""

from __future__ import annotations

from collections.abc import Collection
from math import inf
from typing import Any

from meshsim.errors import ConfigError

#: The longest time that can be asked for, in ns: two years. Sums of many still fit the 64 bits of a column.
LONGEST_NS = 1 << 56


def within(what: object, **ranges: tuple[float, float]) -> None:
    """Look at fields of a value: each from a least to a greatest, both included, and finite in any case.

    Raises
    ------
    ConfigError
        One is not.

    Examples
    --------
    >>> from meshsim.mesh import Call
    >>> within(Call("a", probability=0.5), probability=(0, 1))
    >>> within(Call("a"), probability=(2, inf))
    Traceback (most recent call last):
    meshsim.errors.ConfigError: Call: probability is 1.0
      -> a number from 2 on
    """
    for name, (least, greatest) in ranges.items():
        value = getattr(what, name)
        if not least <= value <= greatest or value == inf:
            end = "on" if greatest in (inf, LONGEST_NS) else f"to {greatest:g}"
            raise ConfigError(f"{name} is {value}", type(what).__name__, f"a number from {least:,.15g} {end}")


def among(what: object, **words: Collection[Any]) -> None:
    """Look at fields of a value: each one of some words.

    Raises
    ------
    ConfigError
        One is not.
    """
    for name, known in words.items():
        value = getattr(what, name)
        if value not in known:
            raise ConfigError(f"{name} is {value!r}", type(what).__name__, f"one of {', '.join(known)}")
