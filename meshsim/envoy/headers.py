"""Header maps as Envoy keeps them: pseudo headers first, insertion order, and well-known headers that exist once.

Rules seen in Envoy 1.40: keys are lower case; a pseudo header (``:path``) goes behind the other pseudo headers, any
other to the end; adding to a well-known header that is there appends to its value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum

from meshsim.abi.shim.blocks import MapRules, encode_block, entries_of

Pair = tuple[bytes, bytes]

_MAX_DIGITS = 18

_BOTH = (
    b"cache-control connection content-encoding content-length content-type keep-alive proxy-connection proxy-status "
    b"transfer-encoding upgrade via x-envoy-attempt-count x-envoy-decorator-operation x-request-id"
)
_REQUEST = (
    b":authority :method :path :protocol :scheme accept accept-encoding access-control-request-headers "
    b"access-control-request-method authorization expect grpc-accept-encoding grpc-timeout if-match "
    b"if-modified-since if-none-match if-range origin pragma referer te user-agent x-client-trace-id "
    b"x-envoy-downstream-service-cluster x-envoy-downstream-service-node x-envoy-expected-rq-timeout-ms "
    b"x-envoy-external-address x-envoy-force-trace x-envoy-hedge-on-per-try-timeout x-envoy-internal "
    b"x-envoy-ip-tags x-envoy-is-timeout-retry x-envoy-max-retries x-envoy-original-host x-envoy-original-path "
    b"x-envoy-retriable-header-names x-envoy-retriable-status-codes x-envoy-retry-grpc-on x-envoy-retry-on "
    b"x-envoy-upstream-alt-stat-name x-envoy-upstream-rq-per-try-timeout-ms x-envoy-upstream-rq-timeout-ms "
    b"x-forwarded-client-cert x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-proto"
)
_RESPONSE = (
    b":status access-control-allow-credentials access-control-allow-headers access-control-allow-methods "
    b"access-control-allow-origin access-control-expose-headers access-control-max-age age date etag expires "
    b"grpc-message grpc-status last-modified location server vary x-envoy-degraded x-envoy-immediate-health-check-fail "
    b"x-envoy-ratelimited x-envoy-upstream-canary x-envoy-upstream-healthchecked-cluster "
    b"x-envoy-upstream-service-time"
)


class Kind(Enum):
    """Kinds of maps, with the headers that each keeps in a slot of their own (seen in Envoy 1.40, name by name)."""

    REQUEST = frozenset(_BOTH.split() + _REQUEST.split())
    RESPONSE = frozenset(_BOTH.split() + _RESPONSE.split())
    TRAILERS = frozenset((b"grpc-message", b"grpc-status"))

    #: How maps of this kind treat names.
    rules: MapRules

    def __init__(self, once: frozenset[bytes]) -> None:
        self.rules = MapRules(once, host_is_authority=b":authority" in once)


def as_number(value: bytes | None) -> int | None:
    """Read a header's value as a whole number that fits 63 bits; None for anything else.

    Examples
    --------
    >>> as_number(b"12"), as_number(b"twelve"), as_number(None)
    (12, None, None)
    """
    if value is None or not value.isdigit() or len(value) > _MAX_DIGITS:
        return None
    return int(value)


class HeaderMap:
    """An ordered multimap of lower-case keys; in a request, ``host`` is another name for ``:authority``.

    Examples
    --------
    >>> headers = HeaderMap([(b":path", b"/"), (b"a", b"1")])
    >>> headers.add(b":method", b"GET")
    >>> headers.add(b"a", b"2")
    >>> headers.pairs()
    [(b':path', b'/'), (b':method', b'GET'), (b'a', b'1'), (b'a', b'2')]
    >>> headers.replace(b"a", b"3")
    >>> headers[b"a"], len(headers)
    (b'3', 3)
    """

    __slots__ = ("_block", "_entries", "_pseudo", "_stale", "kind")

    def __init__(self, pairs: Iterable[Pair] = (), kind: Kind = Kind.TRAILERS) -> None:
        self.kind = kind
        self._entries: list[Pair] = []
        self._pseudo = 0
        #: The map as bytes, while nothing has changed since it was made; and whether these are newer than the entries.
        self._block: bytes | None = None
        self._stale = False
        for key, value in pairs:
            self.add(key, value)

    @property
    def _pairs(self) -> list[Pair]:
        if self._stale:
            self._stale = False
            self._entries[:] = entries_of(self._block or b"")
        return self._entries

    def pairs(self) -> list[Pair]:
        """Every entry, in order (the map's own list: copy it before changing the map)."""
        return self._pairs

    def copy(self) -> HeaderMap:
        """An independent map with the same entries."""
        twin = HeaderMap(kind=self.kind)
        twin._entries, twin._pseudo = self._entries.copy(), self._pseudo
        twin._block, twin._stale = self._block, self._stale
        return twin

    # -- as bytes, for :mod:`meshsim.abi.shim` ---

    @property
    def rules(self) -> MapRules:
        """How the map treats names."""
        return self.kind.rules

    def block(self) -> bytes | None:
        """The map as bytes; None for one that holds what it would not have taken."""
        if self._block is None:
            if self.kind is Kind.REQUEST and any(key == b"host" for key, _ in self._entries):
                return None
            self._block = encode_block(self._entries)
        return self._block

    def adopt(self, block: bytes) -> None:
        """Become what these bytes say; they are taken apart when somebody looks."""
        self._block, self._stale = block, True
        self._pseudo = int.from_bytes(block[4:8], "little")

    # -- look-up and change ---

    def get(self, key: bytes) -> bytes | None:
        """The first value of a key, or None."""
        key = self._name(key)
        for name, value in self._pairs:
            if name == key:
                return value
        return None

    def all(self, key: bytes) -> list[bytes]:
        """Every value of a key."""
        key = self._name(key)
        return [value for name, value in self._pairs if name == key]

    def add(self, key: bytes, value: bytes) -> None:
        """Append an entry, or append to the value of a well-known header that is there."""
        key = self._name(key)
        if key in self.kind.value:
            for i, (name, old) in enumerate(self._pairs):
                if name == key:
                    self._block = None
                    self._entries[i] = key, old + b"," + value if old and value else old or value
                    return
        self._insert(key, value)

    def _name(self, key: bytes) -> bytes:
        return b":authority" if key == b"host" and self.kind is Kind.REQUEST else key

    def _insert(self, key: bytes, value: bytes) -> None:
        pairs, self._block = self._pairs, None
        if key[:1] == b":":
            pairs.insert(self._pseudo, (key, value))
            self._pseudo += 1
        else:
            pairs.append((key, value))

    def replace(self, key: bytes, value: bytes) -> None:
        """Set a key to one value, at the end: what a guest's or a configuration's change does."""
        self.remove(key)
        self._insert(self._name(key), value)

    def put(self, key: bytes, value: bytes) -> None:
        """Set a key to one value, where it stands: what Envoy itself does with well-known headers."""
        for i, (name, _) in enumerate(self._pairs):
            if name == key:
                self._entries[i] = key, value
                self._block = None
                return
        self._insert(key, value)

    def remove(self, key: bytes) -> None:
        """Remove every entry of a key."""
        key = self._name(key)
        kept = [pair for pair in self._pairs if pair[0] != key]
        if len(kept) == len(self._entries):
            return
        if key[:1] == b":":
            self._pseudo -= len(self._entries) - len(kept)
        self._entries[:] = kept
        self._block = None

    def assign(self, pairs: Iterable[Pair]) -> None:
        """Become a map of these entries, which are in order already."""
        self._entries[:] = pairs
        self._pseudo = sum(key[:1] == b":" for key, _ in self._entries)
        self._block, self._stale = None, False

    def byte_size(self) -> int:
        """Bytes of all keys and values."""
        return sum(len(key) + len(value) for key, value in self._pairs)

    def __getitem__(self, key: bytes) -> bytes:
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __contains__(self, key: bytes) -> bool:
        return self.get(key) is not None

    def __iter__(self) -> Iterator[Pair]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return int.from_bytes(self._block[:4], "little") if self._stale and self._block else len(self._entries)

    def __repr__(self) -> str:
        return f"HeaderMap({self._pairs!r})"
