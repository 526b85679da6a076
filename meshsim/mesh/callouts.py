"""Requests that filters send themselves: callouts, each a leg of the request that the filter works on."""

from __future__ import annotations

from meshsim.envoy.asked import Asked
from meshsim.mesh.legs import Ledger, Leg


class CalloutLeg(Leg):
    """A callout; its parent is the call in whose proxy the filter stands."""

    __slots__ = ("_asked", "_begun_by", "_ledger", "filter")

    def __init__(self, asked: Asked, begun_by: Leg, source: str, service: str, ledger: Ledger) -> None:
        super().__init__(begun_by.request, begun_by, source, service, asked.now_ns())
        self.filter = asked.filter
        self._asked = asked
        self._begun_by = begun_by
        self._ledger = ledger

    def close(self, status: int, size_bytes: int) -> None:
        """Keep it. While a filter holds the parent for it, nobody works on the parent."""
        now_ns, parent = self._asked.now_ns(), self._begun_by
        self.status, self.bytes_sent = status, size_bytes
        if self._asked.asker.is_held:
            parent.server_ns += now_ns - max(self.begun_ns, parent.held_until_ns)
            parent.held_until_ns = now_ns
        self._ledger.over(self, now_ns)
