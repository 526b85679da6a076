from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.envoy.requests import PACE_MS, Request, load_requests, parse_requests, wire
from meshsim.errors import ConfigError


def sent(request: Request) -> bytes:
    return b"".join(piece.data for piece in wire(request))


def test_an_empty_object_is_a_get_of_the_root_from_example_com() -> None:
    assert parse_requests("[{}]") == [Request(None, "GET", "/", "example.com")]
    assert sent(Request()) == b"GET / HTTP/1.1\r\nhost: example.com\r\n\r\n"


def test_every_field_reaches_the_request() -> None:
    text = json.dumps(
        [
            {
                "listener": "in",
                "method": "POST",
                "path": "/a?b",
                "authority": "h:1",
                "headers": [["A", "b"], ["A", "c"]],
                "chunks": ["x"],
                "trailers": [["T", "é"]],
                "at_ms": 20,
            }
        ]
    )
    assert parse_requests(text) == [
        Request("in", "POST", "/a?b", "h:1", (("A", "b"), ("A", "c")), None, ("x",), (("T", "é"),), 20)
    ]


def test_headers_keep_their_order_and_a_body_goes_out_with_its_head() -> None:
    request = Request(method="PUT", headers=(("b", "1"), ("a", "2")), body="é")
    assert [piece.delay_ms for piece in wire(request)] == [0]
    assert sent(request) == b"PUT / HTTP/1.1\r\nhost: example.com\r\nb: 1\r\na: 2\r\ncontent-length: 2\r\n\r\n\xc3\xa9"


def test_an_empty_body_still_says_its_length() -> None:
    assert b"\r\ncontent-length: 0\r\n\r\n" in sent(Request(body=""))


def test_chunks_are_paced_and_so_is_the_end() -> None:
    pieces = wire(Request(chunks=("a" * 17, "b")))
    assert [piece.delay_ms for piece in pieces] == [0, PACE_MS, PACE_MS, PACE_MS]
    assert [piece.data for piece in pieces[1:]] == [b"11\r\n" + b"a" * 17 + b"\r\n", b"1\r\nb\r\n", b"0\r\n\r\n"]


def test_trailers_alone_make_a_chunked_request_without_data() -> None:
    pieces = wire(Request(trailers=(("t", "1"),)))
    assert pieces[0].data.endswith(b"\r\ntransfer-encoding: chunked\r\n\r\n")
    assert [piece.data for piece in pieces[1:]] == [b"0\r\nt: 1\r\n\r\n"]


def test_an_empty_chunk_is_a_pause() -> None:
    pieces = wire(parse_requests('[{"chunks": ["a", "", "b"]}]')[0])
    assert [(piece.delay_ms, piece.data) for piece in pieces[1:]] == [
        *((50, b"1\r\na\r\n"), (50, b""), (50, b"1\r\nb\r\n"), (50, b"0\r\n\r\n"))
    ]


def test_no_chunks_at_all_is_a_chunked_body_without_data() -> None:
    assert [piece.data for piece in wire(Request(chunks=()))[1:]] == [b"0\r\n\r\n"]


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("{}", "requests.json", "a list, not an object"),
        ("[1]", "requests.json[0]", "a request is an object, not a number"),
        ('[{}, {"pth": "/"}]', "requests.json[1]", "unknown key `pth`"),
        ('[{"path": 1}]', "requests.json[0].path", "must be a string, not a number"),
        ('[{"path": null}]', "requests.json[0].path", "must be a string, not null"),
        ('[{"path": ""}]', "requests.json[0].path", "must not be empty"),
        ('[{"path": "/a b"}]', "requests.json[0].path", "cannot be sent in a request line"),
        ('[{"path": "/\\r\\nx: y"}]', "requests.json[0].path", '"\\r" cannot be sent'),
        ('[{"method": "G T"}]', "requests.json[0].method", "not an HTTP method"),
        ('[{"listener": ""}]', "requests.json[0].listener", "must not be empty"),
        ('[{"authority": "a\\nb"}]', "requests.json[0].authority", "cannot be sent in a header value"),
        ('[{"headers": {"a": "b"}}]', "requests.json[0].headers", "must be a list, not an object"),
        ('[{"headers": [["a"]]}]', "requests.json[0].headers[0]", "[name, value]"),
        ('[{"headers": [["a", "b"], ["a", true]]}]', "requests.json[0].headers[1]", "[name, value]"),
        ('[{"headers": [["a b", "c"]]}]', "requests.json[0].headers[0]", "as a header name"),
        ('[{"headers": [[":path", "/"]]}]', "requests.json[0].headers[0]", "as a header name"),
        ('[{"headers": [["a", "b\\u0000"]]}]', "requests.json[0].headers[0]", "cannot be sent in a header value"),
        ('[{"headers": [["Content-Length", "3"]]}]', "requests.json[0].headers[0]", "by the client itself"),
        ('[{"headers": [["HOST", "x"]]}]', "requests.json[0].headers[0]", "by the client itself"),
        ('[{"trailers": [["a", "\\n"]]}]', "requests.json[0].trailers[0]", "cannot be sent in a header value"),
        ('[{"chunks": "abc"}]', "requests.json[0].chunks", "must be a list, not a string"),
        ('[{"body": "a", "chunks": ["b"]}]', "requests.json[0]", "`body` and `chunks` exclude each other"),
        ('[{"body": "a", "trailers": [["b", "c"]]}]', "requests.json[0]", "`body` and `trailers` exclude each other"),
        ('[{"body": "\\ud800"}]', "requests.json[0].body", "surrogate"),
        ('[{"at_ms": -1}]', "requests.json[0].at_ms", "0 or more"),
        ('[{"at_ms": true}]', "requests.json[0].at_ms", "whole number"),
        ('[{"at_ms": 1.5}]', "requests.json[0].at_ms", "whole number"),
        ('[{"at_ms": 86400001}]', "requests.json[0].at_ms", "at most 86400000, a day"),
        ('[{"path": "/", "path": "/b"}]', "requests.json", "`path` is there twice"),
        ("[{]", "requests.json, line 1, column 3", "not JSON"),
        ("[" * 100_000, "requests.json", "nested too deeply"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_its_place(text: str, place: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_requests(text)
    assert caught.value.where == place
    assert what in caught.value.what


def test_a_file_is_read_and_named_in_errors(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text('\ufeff[{"path": "/x"}]', encoding="utf-8")
    assert load_requests(path) == load_requests(str(path)) == [Request(path="/x")]
    path.write_text('[{"path": 1}]')
    with pytest.raises(ConfigError, match=r"r\.json\[0\]\.path: must be a string"):
        load_requests(path)


def test_a_text_is_read_as_it_is() -> None:
    assert load_requests(' [{"path": "/x"}]') == [Request(path="/x")]


def test_a_missing_file_and_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_requests(tmp_path / "none.json")
    (tmp_path / "bad.json").write_bytes(b"[\xff]")
    with pytest.raises(ConfigError, match="not UTF-8 at byte 1"):
        load_requests(tmp_path / "bad.json")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: (
            st.lists(x)
            | st.dictionaries(
                st.sampled_from(["path", "headers", "body", "chunks", "trailers", "at_ms", "method", "x"]), x
            )
        ),
    )
)
def test_any_json_is_either_requests_that_can_be_sent_or_refused(data: object) -> None:
    try:
        requests = parse_requests(json.dumps([data]))
    except ConfigError:
        return
    for request in requests:
        head = wire(request)[0].data.partition(b"\r\n\r\n")[0]
        assert len(head.split(b"\r\n")) == 2 + len(request.headers) + (request.chunked or request.body is not None)
