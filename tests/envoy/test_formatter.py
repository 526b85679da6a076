from __future__ import annotations

import pytest

from meshsim.envoy.config.listener import Listener
from meshsim.envoy.filters.base import HttpFilter
from meshsim.envoy.formatter import OPERATORS, check, values_of
from meshsim.envoy.headers import HeaderMap, Kind
from meshsim.envoy.routing import Routed
from meshsim.envoy.stream import Stream, StreamInfo
from meshsim.errors import UnmodelledField


@pytest.fixture
def stream() -> Stream:
    info = StreamInfo(0, ("10.0.0.1", 40001), ("127.0.0.1", 80), 7, Listener(), code=200, flags=["UF", "NR"])
    stream = Stream(None, info, [HttpFilter()], 100, Routed())  # type: ignore[arg-type]
    stream.request_headers = HeaderMap([(b":authority", b"h"), (b"x-user", b"caf\xc3\xa9 \xff")], Kind.REQUEST)
    return stream


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain", "plain"),
        ("100%%", "100%"),
        ("%REQ(x-user)%", "café \udcff"),
        ("%REQ(X-USER):3%", "caf"),
        ("%REQ(x-none?x-user):4%", "café"),
        ("%REQ(x-none)%", "-"),
        ("%REQ(host)%|%REQ(:authority)%", "h|h"),
        ("%RESP(x)%%TRAILER(x)%", "--"),
        ("%RESPONSE_CODE% %RESPONSE_FLAGS% %PROTOCOL%", "200 UF,NR HTTP/1.1"),
        ("%DOWNSTREAM_REMOTE_ADDRESS%>%DOWNSTREAM_LOCAL_PORT%", "10.0.0.1:40001>80"),
        ("%UPSTREAM_HOST%%UPSTREAM_CLUSTER%%ROUTE_NAME%%RESPONSE_CODE_DETAILS%", "----"),
        ("%CONNECTION_ID%", "7"),
    ],
)
def test_templates_are_filled_in(stream: Stream, template: str, text: str) -> None:
    assert values_of(stream)(template) == text


def test_an_operator_that_is_not_modelled_is_told_at_start() -> None:
    with pytest.raises(UnmodelledField, match="%START_TIME%"):
        check("%REQ(a)% %START_TIME%", "where")
    for name in OPERATORS:
        check(f"%{name}%", "where")
