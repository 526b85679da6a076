"""Calls that are under way, and what is kept of them when they are over."""

from __future__ import annotations

from collections import defaultdict

from meshsim.envoy.account import Account
from meshsim.mesh.rows import CLIENT, HopRow
from meshsim.sim import Histogram, Level, Recorder

_ERROR = 500


class Leg(Account):
    """One call: who calls what, on behalf of which request; written to by everybody on its way."""

    __slots__ = (
        "app_ns",
        "begun_ns",
        "bytes_sent",
        "held_until_ns",
        "hop",
        "legs",
        "own_queue_ns",
        "parent",
        "pod",
        "request",
        "server_ns",
        "service",
        "source",
        "status",
        "tries",
        "worker",
        "zone",
    )

    #: The filter that sends it itself; a call of an application's has none.
    filter = ""

    def __init__(self, request: int, parent: Leg | None, source: str, service: str, begun_ns: int) -> None:
        # Not super(): one call less for each leg.
        self.network_ns = self.wait_ns = 0
        self.flags = ""
        self.request = request
        self.source = source
        self.service = service
        self.begun_ns = begun_ns
        self.pod = self.worker = self.zone = ""
        self.app_ns = self.server_ns = self.own_queue_ns = 0
        #: Until when it was held last by a filter that waited for an answer of its own.
        self.held_until_ns = 0
        self.status = self.tries = self.bytes_sent = 0
        #: The root's: how many legs the request has had so far.
        self.legs: list[int]
        if parent is None:
            self.hop, self.parent, self.legs = 0, -1, [1]
        else:
            self.legs = legs = parent.legs
            self.hop, self.parent = legs[0], parent.hop
            legs[0] += 1

    @property
    def failed(self) -> bool:
        """Whether there was no answer, or one of an error of the server's."""
        return not self.status or self.status >= _ERROR


class Ledger:
    """Takes what is to be kept of each call.

    Parameters
    ----------
    recorder : Recorder
        Of the run; rows are kept from level ``requests`` on.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.table = recorder.table(HopRow)
        self._kept = recorder.level >= Level.REQUESTS
        self.start_ns = 0
        self._warm_ns = 0
        self.histograms: dict[str, Histogram] = {}
        self.counters: dict[str, defaultdict[str, int]] = {}
        self._statuses: dict[int, str] = {}

    def begin(self, start_ns: int, warm_ns: int) -> None:
        """Say when the load begins, and from when on calls count."""
        self.start_ns = start_ns
        self._warm_ns = warm_ns

    def over(self, leg: Leg, end_ns: int) -> None:
        """Take a call that is over at ``end_ns``."""
        begun_ns, service = leg.begun_ns, leg.service
        took_ns = end_ns - begun_ns
        warm = begun_ns >= self._warm_ns
        if warm:
            self._count(leg, service, took_ns)
        if self._kept:
            start_ns = self.start_ns
            proxy_ns = took_ns - leg.network_ns - leg.wait_ns - leg.server_ns if leg.worker else 0
            self.table.append(
                leg.request,
                leg.hop,
                leg.parent,
                leg.source,
                service,
                leg.pod,
                leg.worker,
                leg.zone,
                begun_ns - start_ns,
                end_ns - start_ns,
                proxy_ns if proxy_ns > 0 else 0,
                leg.wait_ns + leg.own_queue_ns,
                leg.app_ns,
                leg.network_ns,
                leg.status,
                leg.flags,
                leg.tries,
                leg.bytes_sent,
                int(warm),
                leg.filter,
            )

    def _count(self, leg: Leg, service: str, took_ns: int) -> None:
        histogram = self.histograms.get(service)
        if histogram is None:
            histogram = self.histograms[service] = Histogram()
            self.counters[service] = defaultdict(int)
        histogram.add(took_ns)
        counters = self.counters[service]
        counters["requests"] += 1
        counters["tries"] += leg.tries
        counters[self._statuses.setdefault(leg.status, str(leg.status))] += 1
        if leg.failed:
            counters["errors"] += 1

    def ordered(self) -> dict[str, Histogram]:
        """Histograms, the client's first, then by name."""
        return dict(sorted(self.histograms.items(), key=lambda item: (item[0] != CLIENT, item[0])))
