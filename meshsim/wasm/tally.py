"""A number that one side counts up and another side reads very often."""

from __future__ import annotations


class Tally:
    """A count; in compiled modules, to read it is to read a word.

    Examples
    --------
    >>> fuel = Tally()
    >>> fuel.count += 12
    >>> fuel.count
    12
    """

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0
