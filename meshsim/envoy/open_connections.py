"""The connections of a worker, as far as anything is left of them."""

from __future__ import annotations

from collections.abc import Callable

#: Fewer than this are not worth a look.
_FEW = 64


class OpenConnections:
    """What cuts each connection, in the order in which they were accepted.

    Those that are over are let go when there may be as many of them as of the others: a worker that serves a million
    connections, one after the other, holds few of them.

    Examples
    --------
    >>> connections, cuts = OpenConnections(), []
    >>> for number in range(1000):
    ...     connections.add(lambda number=number: cuts.append(number), lambda number=number: number < 998)
    >>> len(connections) < 100
    True
    >>> connections.cut()
    >>> cuts[:2]
    [999, 998]
    """

    def __init__(self) -> None:
        self._kept: list[tuple[Callable[[], None], Callable[[], bool]]] = []
        self._look_at = _FEW

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, cut: Callable[[], None], is_over: Callable[[], bool]) -> None:
        """Keep what cuts a connection until that is over."""
        self._kept.append((cut, is_over))
        if len(self._kept) >= self._look_at:
            self._kept = [entry for entry in self._kept if not entry[1]()]
            self._look_at = max(_FEW, 2 * len(self._kept))

    def cut(self) -> None:
        """Cut all, the last one first."""
        for cut, _ in reversed(self._kept):
            cut()
