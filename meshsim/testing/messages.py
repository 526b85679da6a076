"""HTTP messages as a test looks at them: what the client got, and what upstreams saw."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from meshsim.envoy.answers import UpstreamRequest
from meshsim.envoy.outcome import Header
from meshsim.errors import MeshsimError
from meshsim.testing.activity import Activity


class Headers(Mapping[str, str]):
    """Headers by name, whatever the case of its letters; a name that is there twice has its values joined by ``, ``.

    Examples
    --------
    >>> headers = Headers([("X-Tag", "a"), ("x-tag", "b")])
    >>> headers["x-tag"], headers.all("x-tag"), "x-other" in headers
    ('a, b', ('a', 'b'), False)
    >>> headers == {"x-tag": "a, b"}
    True
    """

    def __init__(self, pairs: Iterable[Header] = ()) -> None:
        self.pairs = tuple((name.lower(), value) for name, value in pairs)

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a name, in their order."""
        return tuple(value for key, value in self.pairs if key == name.lower())

    def __getitem__(self, name: str) -> str:
        __tracebackhide__ = True  # pytest shows the test's line, not this one
        values = self.all(name)
        if not values:
            raise MissingName(f"no header {name!r} among: {', '.join(self) or 'none at all'}")
        return ", ".join(values)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.all(name))

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(key for key, _ in self.pairs))

    def __len__(self) -> int:
        return len({key for key, _ in self.pairs})

    def __repr__(self) -> str:
        return f"Headers({dict(self)!r})"


class MissingName(KeyError):
    """A name that is not there; unlike other key errors it reads as a sentence."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class SentRequest:
    """A request that went out through the proxy: to the upstream, or a callout's.

    ``complete`` is False for one that had not ended when it was looked at.
    """

    cluster: str
    headers: Headers
    body: str = ""
    trailers: Headers = field(default_factory=Headers)
    complete: bool = True

    @classmethod
    def of(cls, cluster: str, request: UpstreamRequest) -> SentRequest:
        """Show what a scripted upstream has got."""
        return cls(cluster, Headers(request.headers), request.body, Headers(request.trailers), request.complete)

    @property
    def method(self) -> str:
        """The method."""
        return self.headers[":method"]

    @property
    def path(self) -> str:
        """The path, with its query."""
        return self.headers[":path"]

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply(Activity):
    """What came of one request: the answer that the client got, and all that happened until then.

    Attributes
    ----------
    status : int
        0 when the client got no answer; ``error`` then says what it saw.
    upstream : SentRequest or None
        What the upstream saw; None when the request did not get there. Of several tries, the last.
    elapsed_ms : float
        From the request to the whole answer, in virtual time.
    """

    status: int = 0
    headers: Headers = field(default_factory=Headers)
    body: str = ""
    trailers: Headers = field(default_factory=Headers)
    error: str | None = None
    upstream: SentRequest | None = None
    elapsed_ms: float = 0

    @property
    def json(self) -> Any:
        """The answer's body, read as JSON."""
        return json.loads(self.body)

    @property
    def request_headers(self) -> Headers:
        """The request's headers as the upstream saw them."""
        __tracebackhide__ = True
        return self._sent.headers

    @property
    def request_body(self) -> str:
        """The request's body as the upstream saw it."""
        __tracebackhide__ = True
        return self._sent.body

    @property
    def request_trailers(self) -> Headers:
        """The request's trailers as the upstream saw them."""
        __tracebackhide__ = True
        return self._sent.trailers

    @property
    def _sent(self) -> SentRequest:
        __tracebackhide__ = True
        if self.upstream is None:
            who = "the filter answered" if self.is_local else "the client got"
            answer = f"{self.status} {self.body!r}" if self.status else f"no answer ({self.error})"
            raise MeshsimError(
                f"the request did not reach the upstream: {who} {answer}",
                remedy="look at .status and .body, or at .trace for what the filter did",
            )
        return self.upstream

    @property
    def is_local(self) -> bool:
        """Whether the filter sent a local response (``proxy_send_local_response``)."""
        return self.called("proxy_send_local_response") > 0
