from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.envoy.headers import HeaderMap, Kind

KEYS = [b":path", b":method", b"x-a", b"x-b", b"via", b"cookie", b"server", b"grpc-status", b""]


class Model:
    """A header map as a list, each rule in one obvious line."""

    def __init__(self, kind: Kind) -> None:
        self.joined = kind.value
        self.pairs: list[tuple[bytes, bytes]] = []

    def add(self, key: bytes, value: bytes) -> None:
        places = [i for i, (name, _) in enumerate(self.pairs) if name == key]
        if places and key in self.joined:
            old = self.pairs[places[0]][1]
            self.pairs[places[0]] = key, b",".join(filter(None, (old, value)))
        else:
            self._insert(key, value)

    def _insert(self, key: bytes, value: bytes) -> None:
        pseudo = [pair for pair in self.pairs if pair[0].startswith(b":")]
        plain = [pair for pair in self.pairs if not pair[0].startswith(b":")]
        (pseudo if key.startswith(b":") else plain).append((key, value))
        self.pairs = pseudo + plain

    def remove(self, key: bytes, _: bytes = b"") -> None:
        self.pairs = [pair for pair in self.pairs if pair[0] != key]

    def replace(self, key: bytes, value: bytes) -> None:
        self.remove(key)
        self._insert(key, value)

    def put(self, key: bytes, value: bytes) -> None:
        for i, (name, _) in enumerate(self.pairs):
            if name == key:
                self.pairs[i] = key, value
                return
        self._insert(key, value)


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["add", "remove", "replace", "put"]), st.sampled_from(KEYS), st.sampled_from([b"", b"1", b"22"])
    ),
    max_size=25,
)


@given(st.sampled_from(Kind), OPERATIONS)
def test_against_a_plain_list(kind: Kind, operations: list[tuple[str, bytes, bytes]]) -> None:
    headers, model = HeaderMap(kind=kind), Model(kind)
    for operation, key, value in operations:
        if operation == "remove":
            headers.remove(key)
            model.remove(key)
        else:
            getattr(headers, operation)(key, value)
            getattr(model, operation)(key, value)
        assert headers.pairs() == model.pairs
        assert len(headers) == len(model.pairs)
        assert headers.byte_size() == sum(len(k) + len(v) for k, v in model.pairs)
        for name in KEYS:
            values = [v for k, v in model.pairs if k == name]
            assert headers.all(name) == values
            assert headers.get(name) == (values[0] if values else None)
            assert (name in headers) is bool(values)


def test_host_is_the_authority_of_a_request_and_a_plain_header_elsewhere() -> None:
    request = HeaderMap([(b":authority", b"a"), (b"host", b"b")], Kind.REQUEST)
    assert request.pairs() == [(b":authority", b"a,b")]
    assert request[b"host"] == b"a,b"
    request.remove(b"host")
    assert b":authority" not in request
    assert HeaderMap([(b"host", b"b")], Kind.RESPONSE).pairs() == [(b"host", b"b")]


@given(OPERATIONS, OPERATIONS)
def test_a_copy_is_independent(first: list[tuple[str, bytes, bytes]], then: list[tuple[str, bytes, bytes]]) -> None:
    headers = HeaderMap(kind=Kind.REQUEST)
    for _, key, value in first:
        headers.add(key, value)
    twin, before = headers.copy(), list(headers.pairs())
    for _, key, value in then:
        twin.replace(key, value)
    assert headers.pairs() == before
    assert twin.kind is headers.kind


@pytest.mark.parametrize(
    ("kind", "joins", "separate"),
    [
        (Kind.REQUEST, [b"accept", b"x-forwarded-for", b":path", b"via"], [b"cookie", b"date", b"x-own", b"etag"]),
        (Kind.RESPONSE, [b"server", b"etag", b"vary", b":status"], [b"set-cookie", b"accept", b"x-own"]),
        (Kind.TRAILERS, [b"grpc-status", b"grpc-message"], [b"via", b"content-length"]),
    ],
)
def test_well_known_headers_join_and_others_stand_apart(kind: Kind, joins: list[bytes], separate: list[bytes]) -> None:
    for key in joins:
        assert HeaderMap([(key, b"1"), (key, b"2")], kind).pairs() == [(key, b"1,2")]
    for key in separate:
        assert len(HeaderMap([(key, b"1"), (key, b"2")], kind)) == 2
