"""What scripted upstreams are told to answer, and what they keep of a request: values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from meshsim.envoy.codec import bodiless_status
from meshsim.envoy.outcome import Header, as_bytes
from meshsim.envoy.wire import Data, End, Head, Part
from meshsim.errors import ConfigError

_MS = 1_000_000
_FRAMING = ("content-length", "transfer-encoding")


class Failure(StrEnum):
    """How an upstream fails instead of answering."""

    #: Nothing takes connections.
    REFUSED = "refused"
    #: The connection (in HTTP/2: the stream) is closed without an answer.
    RESET = "reset"
    #: The connection is closed in the middle of the answer's body.
    CUT = "cut"
    #: There is never an answer.
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """A request as it came to an upstream.

    Attributes
    ----------
    time_ns : int
        When its headers came, in virtual time.
    headers : tuple of (name, value)
        In their order, pseudo headers (``:method``) first.
    body : str
        See :func:`meshsim.envoy.outcome.as_text`.
    complete : bool
        False for a request that never ended, or has not ended yet.
    """

    time_ns: int
    headers: tuple[Header, ...]
    body: str = ""
    trailers: tuple[Header, ...] = ()
    complete: bool = False

    def header(self, name: str) -> str | None:
        """Return the first value of a header, or None."""
        return next((value for key, value in self.headers if key == name.lower()), None)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an upstream answers.

    Parameters
    ----------
    headers, trailers : mapping, or pairs
        As they are sent; ``content-length`` is added where it is needed.
    body : str or bytes
        Text is sent in UTF-8.
    latency_ms : float
        From the request's end to the answer, in virtual time.
    failure : Failure or its name, optional
        ``refused``, ``reset``, ``cut`` or ``silent``.

    Examples
    --------
    >>> Answer(status=403, headers={"x-why": "quota"}).headers
    (('x-why', 'quota'),)
    """

    status: int = 200
    headers: Mapping[str, str] | Iterable[Header] = ()
    body: str | bytes = ""
    trailers: Mapping[str, str] | Iterable[Header] = ()
    latency_ms: float = 0
    failure: Failure | str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "headers", as_pairs(self.headers))
        object.__setattr__(self, "trailers", as_pairs(self.trailers))
        if self.failure is not None:
            known = ", ".join(Failure)
            if self.failure not in list(Failure):
                raise ConfigError(f"no such failure: {self.failure!r}", "Answer.failure", f"one of {known}")
            object.__setattr__(self, "failure", Failure(self.failure))

    @classmethod
    def grpc(cls, *messages: bytes, status: int = 0, message: str = "", latency_ms: float = 0) -> Answer:
        """Return a gRPC answer: ``messages``, already serialised, then the status in the trailers.

        Examples
        --------
        >>> Answer.grpc(b"abc", status=7).trailers
        (('grpc-status', '7'),)
        """
        framed = b"".join(b"\0" + len(data).to_bytes(4, "big") + data for data in messages)
        end = [("grpc-status", str(status)), *([("grpc-message", message)] if message else [])]
        head = (("content-type", "application/grpc"),)
        return cls(200, head, framed, end, latency_ms)

    @property
    def latency_ns(self) -> int:
        """:attr:`latency_ms` in ns."""
        return round(self.latency_ms * _MS)

    def parts(self, *, http2: bool, to_head: bool) -> list[Part]:
        """Return what is written; ``to_head`` says that a HEAD request is answered."""
        body = self.body if isinstance(self.body, bytes) else as_bytes(self.body)
        headers, trailers = list(as_pairs(self.headers)), _encoded(as_pairs(self.trailers))
        bodiless = to_head or bodiless_status(self.status)
        if http2:
            ends = bodiless or not (body or trailers)
            head = Head(_encoded(headers), status=self.status, protocol=b"HTTP/2", end=ends)
            if ends:
                return [head]
            return [head, Data(body, not trailers), *([End(trailers)] if trailers else [])]
        if not bodiless_status(self.status) and not any(name.lower() in _FRAMING for name, _ in headers):
            chunked = ("transfer-encoding", "chunked")
            headers.append(chunked if trailers else ("content-length", str(len(body))))
        head = Head(_encoded(headers), status=self.status)
        return [head] if bodiless else [head, Data(body), End(trailers)]


Script = Answer | Sequence[Answer] | Callable[[UpstreamRequest], Answer]


def as_pairs(headers: Mapping[str, str] | Iterable[Header]) -> tuple[Header, ...]:
    """Return headers as pairs."""
    return tuple(headers.items() if isinstance(headers, Mapping) else headers)


def _encoded(pairs: Iterable[Header]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((as_bytes(name), as_bytes(value)) for name, value in pairs)
