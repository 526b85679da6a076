"""Values that headers leave as metadata, beside the recorded case ``header-to-metadata``."""

from __future__ import annotations

import pytest

from meshsim.envoy.config.metadata_filters import HeaderRule, HeaderToMetadata, KeyValuePair
from meshsim.envoy.filters.metadata import HeaderToMetadataFilter, HeaderToMetadataUse
from meshsim.envoy.headers import HeaderMap, Kind


class Info:
    def __init__(self) -> None:
        self.dynamic_metadata: dict[str, dict[str, object]] = {}


class Stream:
    def __init__(self) -> None:
        self.info = Info()

    def take_route(self) -> None:
        return None


def left(rule: HeaderRule, *pairs: tuple[bytes, bytes]) -> tuple[dict[str, dict[str, object]], HeaderMap]:
    use = HeaderToMetadataUse("f", HeaderToMetadata(request_rules=(rule,)))
    made, stream, headers = HeaderToMetadataFilter(use), Stream(), HeaderMap(pairs, Kind.REQUEST)
    made.stream = stream  # type: ignore[assignment]
    made.decode_headers(headers, True)
    return stream.info.dynamic_metadata, headers


def of_type(kind: str, **more: str) -> HeaderRule:
    pair = KeyValuePair.model_validate({"metadata_namespace": "n", "key": "k", "type": kind, **more})
    return HeaderRule(header="x", on_header_present=pair)


@pytest.mark.parametrize(
    ("text", "number"),
    [(b"4.5", 4.5), (b" 1e3 ", 1000.0), (b"0x10", 16.0), (b"+5", 5.0), (b"4,5", None), (b"1_0", None), (b"", None)],
)
def test_numbers(text: bytes, number: float | None) -> None:
    assert left(of_type("NUMBER"), (b"x", text))[0] == ({"n": {"k": number}} if number is not None else {})


@pytest.mark.parametrize(
    ("text", "plain"), [(b"aGk=", "hi"), (b"YQ", "a"), (b"a", None), (b"/+==", None), (b"**", None)]
)
def test_base64(text: bytes, plain: str | None) -> None:
    assert left(of_type("STRING", encode="BASE64"), (b"x", text))[0] == ({"n": {"k": plain}} if plain else {})


def test_a_header_that_is_there_more_than_once_is_joined_and_may_be_taken_away() -> None:
    rule = HeaderRule(header="X", remove=True, on_header_present=KeyValuePair(key="k"))
    spaces, headers = left(rule, (b"x", b"1"), (b"x", b"2"))
    assert spaces == {"envoy.filters.http.header_to_metadata": {"k": "1,2"}}
    assert b"x" not in headers


@pytest.mark.parametrize(
    ("cookie", "value"),
    [(b"a=1; c=two", "two"), (b'c="q"', "q"), (b"c=; c=later", "none"), (b"cc=1", "none")],
)
def test_the_first_cookie_of_a_name_counts(cookie: bytes, value: str) -> None:
    there, missing = (
        KeyValuePair(key="k", metadata_namespace="n"),
        KeyValuePair(key="k", metadata_namespace="n", value="none"),
    )
    rule = HeaderRule(cookie="c", on_header_present=there, on_header_missing=missing)
    assert left(rule, (b"cookie", cookie))[0] == {"n": {"k": value}}
