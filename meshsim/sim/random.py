"""Random numbers by name: one seed, and any number of streams that do not disturb each other.

What a stream gives depends on the seed and its name alone, never on which other streams exist or who drew first;
so a mesh with one more service gives all others the same load. Streams are derived by SHA-256, not by ``hash()``:
the same in every process, for every ``PYTHONHASHSEED`` and Python version.

A model that needs a variate per event draws them in blocks with numpy (:meth:`Streams.variates`), which is several
times cheaper than one by one. numpy is loaded by the first block, not by the import.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

BLOCK = 4096
"""Variates drawn at a time; what they are does not depend on it."""

_LONGEST_NS = 1 << 62
"""146 years."""


class Streams:
    """The random streams of one run.

    Parameters
    ----------
    seed : int
        Any integer.

    Examples
    --------
    >>> Streams(1).stream("uuid").randbytes(4).hex()
    '3e7b2ddc'
    >>> Streams(1).stream("jitter").randbytes(4).hex()
    '23bb39a5'
    """

    def __init__(self, seed: int) -> None:
        self._key = sha256(f"meshsim streams {seed}".encode()).digest()
        self._streams: dict[str, Random] = {}
        self._generators: dict[str, Generator] = {}
        self._children: dict[str, Streams] = {}

    def stream(self, name: str) -> Random:
        """Give the stream of this name: the same object each time, which goes on where it was.

        Draw with ``random``, ``getrandbits`` and ``randbytes``: Python keeps ``random`` as it is for ever, and the
        other two are the generator's plain bits. Other methods may differ between Python versions.
        """
        if name not in self._streams:
            self._streams[name] = Random(self._derive("stream", name))
        return self._streams[name]

    def child(self, name: str) -> Streams:
        """Give the family of streams of this name, as of one proxy of a mesh or one replication of a run."""
        if name not in self._children:
            self._children[name] = Streams(self._derive("child", name))
        return self._children[name]

    def variates(self, name: str, draw: Callable[[Generator, int], NDArray[Any]]) -> Iterator[Any]:
        """Draw without end, a block at a time.

        Parameters
        ----------
        name : str
            Two iterators of one name share a generator and take turns block by block; give each a name.
        draw : callable
            ``draw(generator, n)`` makes an array of the next n variates.

        Returns
        -------
        iterator of float or int
            Python numbers, not numpy's, as arithmetic with those is slow.
        """
        generator = self._generator(name)
        while True:
            yield from draw(generator, BLOCK).tolist()

    def exponential_ns(self, name: str, mean_ns: float) -> Iterator[int]:
        """Draw exponential times in ns: arrivals of an open load, service without memory."""
        return self.variates(name, lambda generator, n: whole_ns(generator.exponential(mean_ns, n)))

    def uniform_ns(self, name: str, low_ns: int, high_ns: int) -> Iterator[int]:
        """Draw times in ns, each from ``low_ns`` to ``high_ns``, both included, equally likely."""
        return self.variates(name, lambda generator, n: generator.integers(low_ns, high_ns, n, endpoint=True))

    def lognormal_ns(self, name: str, median_ns: float, sigma: float) -> Iterator[int]:
        """Draw log-normal times in ns, as service times with a tail; ``sigma`` is that of the logarithm."""
        return self.variates(name, lambda generator, n: whole_ns(median_ns * generator.lognormal(0.0, sigma, n)))

    def _derive(self, kind: str, name: str) -> int:
        """Give 256 bits for a stream; the key before them has a fixed length, so no two names can collide."""
        return int.from_bytes(sha256(self._key + f"{kind}:{name}".encode()).digest(), "big")

    def _generator(self, name: str) -> Generator:
        if name not in self._generators:
            from numpy.random import PCG64, Generator

            self._generators[name] = Generator(PCG64(self._derive("variates", name)))
        return self._generators[name]


def whole_ns(times: NDArray[Any]) -> NDArray[Any]:
    """Make whole ns of times; what a heavy tail has beyond 64 bits would turn negative, and ends at 146 years."""
    return times.round().clip(max=_LONGEST_NS).astype("int64")
