"""Answers that Envoy itself makes: their headers and body, for plain requests and for gRPC.

Rules of Envoy's ``Utility::sendLocalReply``, seen in Envoy 1.40: the reply's own headers first, then the length and
type of the body; a gRPC request gets status 200 with the outcome in ``grpc-status`` and no body.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote_from_bytes

from meshsim.envoy.headers import HeaderMap, Kind

GRPC_OF_HTTP = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}
GRPC_UNKNOWN = 2
_GRPC_TYPE = b"application/grpc"


@dataclass(frozen=True, slots=True)
class LocalReply:
    """An answer of the proxy's own.

    ``details`` says why, in a word that logs carry; ``edit`` changes the headers before the body's are added;
    ``flag`` is the response flag of access logs.
    """

    status: int
    body: bytes = b""
    details: str = ""
    grpc_status: int | None = None
    edit: Callable[[HeaderMap], None] | None = None
    flag: str = ""

    def compose(self, *, grpc: bool) -> tuple[HeaderMap, bytes]:
        """Headers and body, before any filter sees them.

        Examples
        --------
        >>> headers, body = LocalReply(403, b"denied").compose(grpc=False)
        >>> headers.pairs()
        [(b':status', b'403'), (b'content-length', b'6'), (b'content-type', b'text/plain')]
        """
        headers = HeaderMap([(b":status", b"%d" % self.status)], Kind.RESPONSE)
        if self.edit:
            self.edit(headers)
        if grpc:
            self._make_grpc(headers)
            return headers, b""
        if self.body:
            headers.put(b"content-length", b"%d" % len(self.body))
            if b"content-type" not in headers:
                headers.add(b"content-type", b"text/plain")
        else:
            headers.remove(b"content-length")
            headers.remove(b"content-type")
        return headers, self.body

    def _make_grpc(self, headers: HeaderMap) -> None:
        headers.put(b":status", b"200")
        headers.put(b"content-type", _GRPC_TYPE)
        if b"grpc-status" not in headers:
            status = self.grpc_status
            if status is None:
                status = GRPC_OF_HTTP.get(self.status, GRPC_UNKNOWN)
            headers.add(b"grpc-status", b"%d" % status)
        if self.body:
            headers.put(b"grpc-message", percent_encode(self.body))
        headers.remove(b"content-length")


def percent_encode(message: bytes) -> bytes:
    r"""Encode a gRPC message: printable ASCII but ``%`` stays.

    Examples
    --------
    >>> percent_encode(b"no\n100%")
    b'no%0A100%25'
    """
    printable = bytes(code for code in range(0x20, 0x7F) if code != ord("%"))
    return quote_from_bytes(message, safe=printable).encode()


def is_grpc(headers: HeaderMap) -> bool:
    """Whether a request is gRPC by its content type."""
    content_type = headers.get(b"content-type") or b""
    return content_type == _GRPC_TYPE or content_type.startswith(_GRPC_TYPE + b"+")
