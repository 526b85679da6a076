"""What a filter of Envoy's own is to its connection manager."""

from __future__ import annotations

from typing import Protocol

from meshsim.envoy.filters.base import HttpFilter
from meshsim.envoy.thread_host import ThreadHost


class NativeUse(Protocol):
    """A filter in a chain: makes what stands in a stream's chain."""

    def on_stream(self, host: ThreadHost) -> HttpFilter:
        """Make the filter for a stream on a worker."""
