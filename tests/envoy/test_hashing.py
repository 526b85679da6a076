from __future__ import annotations

import pytest

from meshsim.envoy.config.route import HashConnection, HashCookie, HashHeader, HashParameter, HashPolicy
from meshsim.envoy.hashing import request_hash
from meshsim.envoy.headers import HeaderMap, Kind
from meshsim.envoy.xxhash import xxh64

KEY = HashPolicy(header=HashHeader(header_name="X-Key"))
OTHER = HashPolicy(header=HashHeader(header_name="x-other"))
COOKIE = HashPolicy(cookie=HashCookie(name="s"))
QUERY = HashPolicy(query_parameter=HashParameter(name="q"))
CLIENT = HashPolicy(connection_properties=HashConnection(source_ip=True))


def hash_of(*policies: HashPolicy, **headers: str) -> int | None:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return request_hash(policies, HeaderMap([(b":path", b"/p?a=b&q=x%20y"), *pairs], Kind.REQUEST), "10.0.0.1")


@pytest.mark.parametrize(
    ("policy", "subject"),
    [(KEY, b"k"), (COOKIE, b"1"), (QUERY, b"x%20y"), (CLIENT, b"10.0.0.1")],
)
def test_what_is_hashed(policy: HashPolicy, subject: bytes) -> None:
    assert hash_of(policy, x_key="k", cookie='a=b; s="1"') == xxh64(subject)


def test_a_policy_without_its_subject_adds_nothing() -> None:
    assert hash_of(KEY, OTHER, COOKIE) is None
    assert hash_of(KEY, CLIENT) == hash_of(CLIENT)


def test_hashes_are_joined_in_order() -> None:
    a, b = xxh64(b"a"), xxh64(b"b")
    assert hash_of(KEY, OTHER, x_key="a", x_other="b") == ((a << 1 | a >> 63) & (2**64 - 1)) ^ b
    assert hash_of(KEY, KEY, x_key="a") != 0


def test_a_terminal_policy_ends_it_once_there_is_a_hash() -> None:
    last = KEY.model_copy(update={"terminal": True})
    assert hash_of(last, OTHER, x_key="a", x_other="b") == xxh64(b"a")
    assert hash_of(last, OTHER, x_other="b") == xxh64(b"b")


def test_values_of_a_header_are_hashed_sorted() -> None:
    headers = [
        HeaderMap([(b"x-key", first), (b"x-key", second)], Kind.REQUEST)
        for first, second in ((b"1", b"2"), (b"2", b"1"))
    ]
    hashes = [request_hash([KEY], each, "") for each in headers]
    assert hashes == [xxh64(b"2", xxh64(b"1"))] * 2
