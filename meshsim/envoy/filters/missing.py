"""What stands for an HTTP filter whose configuration was to be discovered, and was not."""

from __future__ import annotations

from meshsim.abi.constants import HeadersAction
from meshsim.envoy.filters.base import HttpFilter
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.local_reply import LocalReply

_MISSING = LocalReply(500, flag="NFCF")


class MissingFilter(HttpFilter):
    """Answers every request with 500."""

    def decode_headers(self, headers: HeaderMap, end: bool) -> HeadersAction:
        """Answer."""
        self.stream.reply(_MISSING)
        return HeadersAction.STOP_ALL_AND_WATERMARK
