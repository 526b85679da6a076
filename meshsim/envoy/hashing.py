"""Hashes of requests, for load balancers that want one: what a route's hash policies say, joined.

As in Envoy 1.40 (``HashPolicyImpl``): each policy that finds its subject adds to the hash, in order, until a terminal
one has been reached with a hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from meshsim.envoy.config.route import HashPolicy
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.routing import query_parameters
from meshsim.envoy.xxhash import xxh64

_MASK = (1 << 64) - 1


def request_hash(policies: Sequence[HashPolicy], headers: HeaderMap, client: str) -> int | None:
    """Return a request's hash; None when no policy finds anything. ``client`` is the client's address."""
    joined: int | None = None
    for policy in policies:
        subjects = _subjects(policy, headers, client)
        if subjects:
            before = 0 if joined is None else ((joined << 1) | (joined >> 63)) & _MASK
            joined = before ^ reduce(lambda seed, subject: xxh64(subject, seed), subjects, 0)
        if policy.terminal and joined is not None:
            break
    return joined


def _subjects(policy: HashPolicy, headers: HeaderMap, client: str) -> list[bytes]:
    """What a policy hashes: all values of a header, sorted; of the rest there is one."""
    if policy.header:
        name = policy.header.header_name.lower().encode()
        name = b":authority" if name == b"host" else name
        return sorted(value for key, value in headers.pairs() if key == name)
    subject = _subject(policy, headers, client)
    return [] if subject is None else [subject]


def _subject(policy: HashPolicy, headers: HeaderMap, client: str) -> bytes | None:
    if policy.cookie:
        return _cookie(headers, policy.cookie.name.encode())
    if policy.query_parameter:
        query = (headers.get(b":path") or b"").partition(b"?")[2].decode("utf-8", "surrogateescape")
        wanted = policy.query_parameter.name
        found = (value for name, value in query_parameters(query) if name == wanted)
        value = next(found, None)
        return None if value is None else value.encode("utf-8", "surrogateescape")
    if policy.connection_properties and policy.connection_properties.source_ip:
        return client.encode()
    return None


def _cookie(headers: HeaderMap, wanted: bytes) -> bytes | None:
    for key, value in headers.pairs():
        if key == b"cookie":
            for pair in value.split(b";"):
                name, mark, content = pair.strip().partition(b"=")
                if mark and name == wanted:
                    return content.strip(b'"')
    return None
