from __future__ import annotations

import pytest

from meshsim.envoy.config.core import Node
from meshsim.envoy.config.http import HttpConnectionManager
from meshsim.envoy.headers import HeaderMap, Kind
from meshsim.envoy.manager_headers import Place, early_answer, prepare_request
from meshsim.errors import NotModelled

PLACE = Place("192.0.2.9", 8443, Node(id="the-node", cluster="the-cluster"))


def request(*pairs: tuple[str, str]) -> HeaderMap:
    plain = [(b":authority", b"h"), (b":path", b"/"), (b":method", b"GET")]
    return HeaderMap([*plain, *((name.encode(), value.encode()) for name, value in pairs)], Kind.REQUEST)


def prepared(
    options: dict[str, object], *pairs: tuple[str, str], client: str = "127.0.0.1"
) -> tuple[str | None, HeaderMap]:
    headers = request(*pairs)
    config = HttpConnectionManager.model_validate(options)
    return prepare_request(headers, config, client, PLACE, lambda: b"an-id"), headers


@pytest.mark.parametrize(
    ("edge", "hops", "given", "address"),
    [
        (False, 0, "1.1.1.1, 2.2.2.2", "2.2.2.2"),
        (False, 1, "1.1.1.1, 2.2.2.2", "1.1.1.1"),
        (False, 2, "1.1.1.1, 2.2.2.2", None),
        (True, 0, "1.1.1.1", None),
        (True, 1, "1.1.1.1, ::1", "::1"),
        (False, 0, "1.1.1.1:80", None),
        (False, 0, "1.1.1.1,", None),
        (False, 0, "nonsense", None),
    ],
)
def test_whom_the_forwarded_addresses_tell(edge: bool, hops: int, given: str, address: str | None) -> None:
    options = {"use_remote_address": edge, "xff_num_trusted_hops": hops, "skip_xff_append": True}
    assert prepared(options, ("x-forwarded-for", given))[0] == address


def test_a_proxy_tells_its_port_unless_a_trusted_hop_has_told_one() -> None:
    edge = {"use_remote_address": True, "append_x_forwarded_port": True}
    assert prepared(edge, ("x-forwarded-port", "1"))[1][b"x-forwarded-port"] == b"8443"
    assert prepared({**edge, "xff_num_trusted_hops": 1}, ("x-forwarded-port", "1"))[1][b"x-forwarded-port"] == b"1"
    inner = {"append_x_forwarded_port": True}
    assert prepared(inner)[1][b"x-forwarded-port"] == b"8443"
    assert prepared(inner, ("x-forwarded-port", "1"))[1][b"x-forwarded-port"] == b"1"


@pytest.mark.parametrize(
    ("given", "left"),
    [("trailers", b"trailers"), ("gzip, trailers", b"trailers"), ("Trailers", None), ("trailers;q=1", None), ("", b"")],
)
def test_of_the_codings_that_a_client_takes_only_trailers_are_left(given: str, left: bytes | None) -> None:
    assert prepared({}, ("te", given))[1].get(b"te") == left


def test_the_machine_stands_for_a_client_on_the_loopback_interface() -> None:
    assert prepared({"use_remote_address": True})[1][b"x-forwarded-for"] == b"192.0.2.9"
    assert prepared({"use_remote_address": True}, client="10.0.0.1")[1][b"x-forwarded-for"] == b"10.0.0.1"


def test_the_node_is_the_user_agent_of_who_has_none() -> None:
    headers = prepared({"add_user_agent": True})[1]
    assert headers[b"user-agent"] == headers[b"x-envoy-downstream-service-cluster"] == b"the-cluster"
    assert headers[b"x-envoy-downstream-service-node"] == b"the-node"
    assert prepared({"add_user_agent": True}, ("user-agent", "ua"))[1][b"user-agent"] == b"ua"


def test_headers_for_the_inside_are_removed() -> None:
    headers = prepared({"route_config": {"internal_only_headers": ["X-Inside"]}}, ("x-inside", "1"), ("x-max", "2"))[1]
    assert b"x-inside" not in headers
    assert headers[b"x-max"] == b"2"


@pytest.mark.parametrize(
    ("connection", "upgrade", "status"),
    [
        ("Upgrade", "other", 403),
        ("keep-alive", "other", None),
        ("Upgrade, HTTP2-Settings", "h2c", None),
        ("upgrade", "", None),
    ],
)
def test_who_may_change_the_protocol(connection: str, upgrade: str, status: int | None) -> None:
    config = HttpConnectionManager.model_validate({"upgrade_configs": [{"upgrade_type": "websocket"}]})
    headers = request(("connection", connection), ("upgrade", upgrade), ("http2-settings", "x"))
    answer = early_answer(headers, config, 80)
    assert (answer.status if answer else None) == status
    assert (b"http2-settings" in headers) == (upgrade != "h2c")


def test_a_protocol_that_is_allowed_is_not_modelled() -> None:
    config = HttpConnectionManager.model_validate({"upgrade_configs": [{"upgrade_type": "websocket"}]})
    with pytest.raises(NotModelled, match="websocket"):
        early_answer(request(("connection", "upgrade"), ("upgrade", "WebSocket")), config, 80)
