"""Answers that Envoy itself makes: their headers and body, for plain requests and for gRPC.

Rules of Envoy's ``Utility::sendLocalReply``, seen in Envoy 1.40: the reply's own headers first, then the length and
type of the body; a gRPC request gets status 200 with the outcome in ``grpc-status`` and no body.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from meshsim.envoy.headers import HeaderMap, Kind, as_number

GRPC_OF_HTTP = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}
GRPC_UNKNOWN = 2
_GRPC_TYPE = b"application/grpc"
_LAST_STATUS = 16


def read_grpc_status(text: bytes | None) -> int | None:
    """Read a ``grpc-status``: None when there is none, -1 when it is none that gRPC has.

    Examples
    --------
    >>> read_grpc_status(b"7"), read_grpc_status(b""), read_grpc_status(b"2,0"), read_grpc_status(b"17")
    (7, None, -1, -1)
    """
    if not text:
        return None
    number = as_number(text.strip().removeprefix(b"+"))
    return -1 if number is None or number > _LAST_STATUS else number


#: Changes a reply's headers, and gives its body and the body's type.
Form = Callable[[HeaderMap, bytes], tuple[bytes, bytes]]


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

    def compose(self, *, grpc: bool, head: bool = False, form: Form | None = None) -> tuple[HeaderMap, bytes]:
        """Headers and body, before any filter sees them; ``form`` may change both.

        The answer to a HEAD request (``head``) has no message of gRPC.

        Examples
        --------
        >>> headers, body = LocalReply(403, b"denied").compose(grpc=False)
        >>> headers.pairs()
        [(b':status', b'403'), (b'content-length', b'6'), (b'content-type', b'text/plain')]
        """
        headers = HeaderMap([(b":status", b"%d" % self.status)], Kind.RESPONSE)
        if self.edit:
            self.edit(headers)
        body, body_type, given_type = self.body, b"text/plain", headers.get(b"content-type")
        if form:
            body, body_type = form(headers, body)
        if grpc:
            self._make_grpc(headers, b"" if head else body)
            return headers, b""
        if body:
            headers.put(b"content-length", b"%d" % len(body))
            reformed = body != self.body and headers.get(b"content-type") == given_type
            if b"content-type" not in headers or reformed:
                headers.put(b"content-type", body_type)
        else:
            headers.remove(b"content-length")
            headers.remove(b"content-type")
        return headers, body

    def _make_grpc(self, headers: HeaderMap, body: bytes) -> None:
        http_status = as_number(headers.get(b":status")) or 0
        headers.put(b":status", b"200")
        headers.put(b"content-type", _GRPC_TYPE)
        if not headers.get(b"grpc-status"):
            status = self.grpc_status
            if status is None:
                status = GRPC_OF_HTTP.get(http_status, GRPC_UNKNOWN)
            headers.put(b"grpc-status", b"%d" % status)
        if body:
            headers.put(b"grpc-message", percent_encode(body))
        headers.remove(b"content-length")


def percent_encode(message: bytes) -> bytes:
    r"""Encode a gRPC message: printable ASCII stays, but ``%`` and ``~`` (as ``PercentEncoding`` of Envoy 1.40 has it).

    Examples
    --------
    >>> percent_encode(b"no\n100%~")
    b'no%0A100%25%7E'
    """
    return b"".join(bytes((code,)) if 0x20 <= code < 0x7E and code != 0x25 else b"%%%02X" % code for code in message)


def is_grpc(headers: HeaderMap) -> bool:
    """Whether a request is gRPC by its content type."""
    content_type = headers.get(b"content-type") or b""
    return content_type == _GRPC_TYPE or content_type.startswith(_GRPC_TYPE + b"+")
