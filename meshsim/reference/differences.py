"""Where two lists of lines part: by position, or as multisets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two replays part.

    Attributes
    ----------
    rule : str
        Name of the rule in the table of rules.
    where : str
        Thread, response or name.
    before : tuple of str
        The last lines on which both agree.
    left, right : tuple of str
        What each side has from there on; empty when it has nothing more.
    """

    rule: str
    where: str
    left: tuple[str, ...]
    right: tuple[str, ...]
    before: tuple[str, ...] = ()


def first_difference(
    rule: str, where: str, left: Sequence[str], right: Sequence[str], context: int = 3, shown: int = 4
) -> Iterator[Difference]:
    """Where two lists of lines part, with a few lines around; nothing when they are the same."""
    if left == right:
        return
    same = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    yield Difference(
        rule,
        f"{where}, line {same + 1}",
        tuple(left[same : same + shown]),
        tuple(right[same : same + shown]),
        tuple(left[max(0, same - context) : same]),
    )


def differ(rule: str, where: str, left: list[str], right: list[str]) -> Iterator[Difference]:
    """What two lists have apart, where they are not the same; nothing when they are."""
    if left != right:
        yield Difference(rule, where, *_apart(left, right))


def multisets(rule: str, where: str, left: Iterable[str], right: Iterable[str]) -> Iterator[Difference]:
    """What two collections have apart, in whatever order they are; nothing when they are the same multiset."""
    ours, theirs = list(left), list(right)
    if Counter(ours) != Counter(theirs):
        yield Difference(rule, where, *_apart(ours, theirs))


def _apart(left: list[str], right: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What each list has more than the other, in its own order."""
    return _beyond(left, right), _beyond(right, left)


def _beyond(lines: list[str], others: list[str]) -> tuple[str, ...]:
    spare = Counter(others)
    out = []
    for line in lines:
        if spare[line]:
            spare[line] -= 1
        else:
            out.append(line)
    return tuple(out)
