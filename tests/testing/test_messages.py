from __future__ import annotations

import pytest

from meshsim.testing import Headers, SentRequest


def test_headers_compare_with_mappings_whatever_the_case() -> None:
    headers = Headers([("X-A", "1"), ("x-b", "2"), ("x-a", "3")])
    assert headers == {"x-a": "1, 3", "x-b": "2"}
    assert headers != {"x-a": "1"}
    assert list(headers) == ["x-a", "x-b"]
    assert len(headers) == 2
    assert headers.get("X-B") == "2"
    assert headers.get("x-c", "none") == "none"
    assert 1 not in headers
    assert repr(headers) == "Headers({'x-a': '1, 3', 'x-b': '2'})"


def test_a_missing_header_names_those_that_are_there() -> None:
    with pytest.raises(KeyError) as missing:
        _ = Headers([("a", "1")])["b"]
    assert str(missing.value) == "no header 'b' among: a"
    with pytest.raises(KeyError, match="among: none at all"):
        _ = Headers()["b"]


def test_a_sent_request_knows_its_line_and_its_json() -> None:
    request = SentRequest("up", Headers([(":method", "POST"), (":path", "/a?b")]), '{"a": [1]}')
    assert (request.method, request.path, request.json) == ("POST", "/a?b", {"a": [1]})
