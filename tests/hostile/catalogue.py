"""The hostile guests, by what they do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.hostile import edges
from tests.hostile.greed import GREED
from tests.hostile.guests import DEFAULT, End, Hostile
from tests.hostile.mischief import MISCHIEF


def _catalogue() -> Iterator[tuple[str, Hostile]]:
    for group in (*GREED, *MISCHIEF):
        yield from group()
    for function in edges.functions():
        source = edges.guest(function)
        yield f"{function.name} at every edge", Hostile(source, tuple(End), limits=DEFAULT)


CATALOGUE: Mapping[str, Hostile] = dict(_catalogue())
"""What a guest does -> the guest."""
