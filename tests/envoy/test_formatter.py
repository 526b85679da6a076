from __future__ import annotations

import pytest

from meshsim.envoy.config.core import SubstitutionFormatString
from meshsim.envoy.config.listener import Listener
from meshsim.envoy.config.operators import MODELLED, unmodelled_operators
from meshsim.envoy.filters.base import HttpFilter
from meshsim.envoy.formatter import OPERATORS, content_type, format_body, values_of
from meshsim.envoy.headers import HeaderMap, Kind
from meshsim.envoy.routing import Routed
from meshsim.envoy.stream import Stream
from meshsim.envoy.stream_info import StreamInfo


@pytest.fixture
def stream() -> Stream:
    info = StreamInfo(0, ("10.0.0.1", 40001), ("127.0.0.1", 80), 7, Listener(), code=200, flags=["UF", "NR"])
    stream = Stream(None, info, [HttpFilter()], 100, Routed())  # type: ignore[arg-type]
    stream.request_headers = HeaderMap(
        [(b":authority", b"h"), (b":path", b"/p?%71=a%20b+c&q=2"), (b"x-user", b"caf\xc3\xa9 \xff")], Kind.REQUEST
    )
    return stream


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain", "plain"),
        ("100%%", "100%"),
        ("%REQ(x-user)%", "café \udcff"),
        ("%REQ(X-USER):3%", "caf"),
        ("%REQ(x-none?x-user):4%", "café"),
        ("%REQ(x-none)%", ""),
        ("%REQ(host)%|%REQ(:authority)%", "h|h"),
        ("%RESP(x)%%TRAILER(x)%", ""),
        ("%RESPONSE_CODE% %RESPONSE_FLAGS% %PROTOCOL%", "200 UF,NR HTTP/1.1"),
        ("%DOWNSTREAM_REMOTE_ADDRESS%>%DOWNSTREAM_LOCAL_PORT%", "10.0.0.1:40001>80"),
        ("%UPSTREAM_HOST%%UPSTREAM_CLUSTER%%ROUTE_NAME%%RESPONSE_CODE_DETAILS%", ""),
        ("%CONNECTION_ID%", "7"),
        ("%RESPONSE_FLAGS_LONG%", "UpstreamConnectionFailure,NoRouteFound"),
        ("%QUERY_PARAM(q)%|%QUERY_PARAM(none)%|%QUERY_PARAMS%|%PATH(NQ)%", "a b+c||%71=a%20b+c&q=2|/p"),
        ("%LOCAL_REPLY_BODY%%DYNAMIC_METADATA(a:b)%", ""),
    ],
)
def test_templates_are_filled_in(stream: Stream, template: str, text: str) -> None:
    assert values_of(stream)(template) == text


def test_the_configuration_knows_which_operators_are_filled_in() -> None:
    assert set(OPERATORS) == MODELLED
    assert unmodelled_operators(["%REQ(a)% %HOSTNAME%", {"b": "%CEL(a)%%%"}]) == ["HOSTNAME", "CEL"]


def test_a_body_in_json_keeps_types_and_tells_what_is_absent(stream: Stream) -> None:
    template = {
        "z": "%RESPONSE_CODE%",
        "a": ["%REQ(none)%", "<%REQ(none)%>", 1.0, 1.5, True],
        "b": "%LOCAL_REPLY_BODY%",
    }
    form = SubstitutionFormatString(json_format=template)
    assert format_body(form, stream, b'say "no"') == b'{"a":[null,"<->",1,1.5,true],"b":"say \\"no\\"","z":200}\n'
    brief = SubstitutionFormatString(json_format={"a": "%REQ(none)%", "b": "%PROTOCOL%"}, omit_empty_values=True)
    assert format_body(brief, stream, b"") == b'{"b":"HTTP/1.1"}\n'
    assert content_type(form) == b"application/json"


def test_a_body_in_text_has_a_dash_for_what_is_absent(stream: Stream) -> None:
    form = SubstitutionFormatString(text_format="%REQ(none)% %LOCAL_REPLY_BODY%", content_type="text/html")
    assert format_body(form, stream, b"caf\xe9") == b"- caf\xe9"
    assert content_type(form) == b"text/html"
