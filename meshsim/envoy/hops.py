"""What is kept of each stream: a row for every hop of a request, and how long it took."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from meshsim.sim import Level, Recorder


class Hop(NamedTuple):
    """One stream as the proxy saw it, that is one hop of a request; times in virtual ns.

    ``cluster`` is where the request went, empty when the proxy answered itself. ``status`` is 0 for a stream that was
    cut before its response began. ``flags`` are the response flags of access logs, joined by commas.
    """

    start_ns: int
    took_ns: int
    worker: str
    listener: str
    cluster: str
    status: int
    flags: str
    bytes_sent: int


class HopLog:
    """The streams of one Envoy: rows at level ``requests`` and above, a distribution at every level.

    Examples
    --------
    >>> from meshsim.sim import Level
    >>> recorder = Recorder(Level.REQUESTS)
    >>> HopLog(recorder).add(Hop(0, 40_000, "worker_0", "ingress", "", 200, "", 5))
    >>> recorder.table(Hop).row(0).status, recorder.histograms["hop_ns"].count
    (200, 1)
    """

    def __init__(self, recorder: Recorder) -> None:
        self.rows = recorder.table(Hop)
        self.took = recorder.histogram("hop_ns")
        self._kept = recorder.level >= Level.REQUESTS
        #: Who else hears of each stream that has ended.
        self.onlooker: Callable[[Hop], None] | None = None

    def add(self, hop: Hop) -> None:
        """Keep a stream that has ended."""
        if self.onlooker is not None:
            self.onlooker(hop)
        self.rows.append(*hop)
        self.took.add(hop.took_ns)

    def add_like(self, hop: Hop, start_ns: int, took_ns: int) -> None:
        """Keep a stream that was like another, at another time."""
        if self._kept:
            self.rows.append(start_ns, took_ns, *hop[2:])
        self.took.add(took_ns)
