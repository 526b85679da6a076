"""The headers that the connection manager removes, changes and adds, on the way in and on the way out.

All rules were seen in Envoy 1.40 (``ConnectionManagerUtility``), header by header and in order. A request counts as
coming from outside: Envoy takes no address for internal unless it is told to. With ``use_remote_address`` this Envoy
is the *edge*: it believes no header about who the client is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

from meshsim.envoy.config.core import Node
from meshsim.envoy.config.http import HttpConnectionManager
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.local_reply import LocalReply
from meshsim.envoy.normalisation import normalise_host, normalise_path
from meshsim.errors import NotModelled

_HOP_BY_HOP = (b"connection", b"upgrade", b"transfer-encoding", b"keep-alive", b"proxy-connection")
_HOP_BY_HOP_RESPONSE = (b"connection", b"upgrade", b"transfer-encoding", b"proxy-connection")

#: Request headers that only a trusted neighbour may set.
_INTERNAL = (
    b"x-envoy-expected-rq-timeout-ms x-envoy-force-trace x-envoy-hedge-on-per-try-timeout x-envoy-internal "
    b"x-envoy-ip-tags x-envoy-is-timeout-retry x-envoy-max-retries x-envoy-original-url "
    b"x-envoy-retriable-header-names x-envoy-retriable-status-codes x-envoy-retry-grpc-on x-envoy-retry-on "
    b"x-envoy-upstream-alt-stat-name x-envoy-upstream-rq-per-try-timeout-ms "
    b"x-envoy-upstream-rq-timeout-alt-response x-envoy-upstream-rq-timeout-ms x-envoy-upstream-stream-duration-ms"
).split()
#: Those that an edge removes as well.
_EDGE = (
    b"x-envoy-decorator-operation x-envoy-downstream-service-cluster x-envoy-downstream-service-node "
    b"x-envoy-original-host x-envoy-original-path"
).split()

_SCHEMES = (b"http", b"https")
_UPGRADE_REQUIRED = 426


def expects_go_on(headers: HeaderMap) -> bool:
    """Whether a client waits for a word before it sends a body."""
    return (headers.get(b"expect") or b"").lower() == b"100-continue"


def early_answer(
    headers: HeaderMap, config: HttpConnectionManager, port: int, *, old: bool = False
) -> LocalReply | None:
    """Bring path and host to their forms; answer what the connection manager does not hand to the filters.

    ``port`` is the listener's, ``old`` says that this is HTTP/1.0. None is the result for all other requests.
    """
    http1 = config.http_protocol_options
    if old and not (http1 and http1.accept_http_10):
        return LocalReply(_UPGRADE_REQUIRED, b"Upgrade Required", "low_version")
    if old and http1 and http1.default_host_for_http_10 and b":authority" not in headers:
        headers.add(b":authority", http1.default_host_for_http_10.encode())
    path = headers.get(b":path") or b""
    if b":authority" not in headers:
        return LocalReply(400, details="missing_host_header")
    if headers.get(b":method") != b"CONNECT" and (answer := _path_answer(headers, path, config)) is not None:
        return answer
    normalise_host(headers, config, port)
    return _upgrade_answer(headers, config)


def _path_answer(headers: HeaderMap, path: bytes, config: HttpConnectionManager) -> LocalReply | None:
    if b"#" in path:
        return LocalReply(400, details="path_normalization_failed")
    if not path.startswith(b"/"):
        return LocalReply(404, details="absolute_path_rejected" if path else "missing_path_rejected")
    return normalise_path(headers, config)


def _upgrade_answer(headers: HeaderMap, config: HttpConnectionManager) -> LocalReply | None:
    """Refuse another protocol, unless it is allowed; an offer of HTTP/2 is passed over."""
    wanted = (headers.get(b"upgrade") or b"").lower()
    if not wanted or b"upgrade" not in (headers.get(b"connection") or b"").lower():
        return None
    if wanted == b"h2c":
        headers.remove(b"http2-settings")
        return None
    allowed = {upgrade.upgrade_type.lower() for upgrade in config.upgrade_configs if upgrade.enabled is not False}
    if wanted.decode("latin-1") in allowed:
        raise NotModelled(f"a connection that is upgraded to {wanted.decode('latin-1')}")
    return LocalReply(403, details="upgrade_failed")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a connection manager is.

    ``local_address`` is what Envoy appends to ``x-forwarded-for`` for a peer on the loopback interface: an address of
    its own machine. ``port`` is the listener's.
    """

    local_address: str
    port: int
    node: Node


def prepare_request(
    headers: HeaderMap, config: HttpConnectionManager, client: str, place: Place, draw_id: Callable[[], bytes]
) -> str | None:
    """Change a request's headers before the filters see them; give the client's address when a header tells it.

    Parameters
    ----------
    client : str
        Address of the peer.
    draw_id : callable
        Gives the ``x-request-id`` for a request that needs one.
    """
    for name in _HOP_BY_HOP:
        headers.remove(name)
    _sanitise_te(headers)
    edge = bool(config.use_remote_address)
    given_address = _given_address(headers, config)
    if edge and not config.skip_xff_append:
        _append(headers, b"x-forwarded-for", place.local_address if client.startswith("127.") else client, b",")
    untrusted = edge and not config.xff_num_trusted_hops
    _set_scheme(headers, untrusted)
    if config.append_x_forwarded_port and (untrusted or b"x-forwarded-port" not in headers):
        headers.put(b"x-forwarded-port", b"%d" % place.port)
    _remove_internal(headers, config, edge)
    if config.add_user_agent:
        _set_user_agent(headers, place.node)
    if config.via:
        _append(headers, b"via", config.via, b", ")
    if edge:
        headers.put(b"x-envoy-external-address", (given_address or client).encode())
    _set_request_id(headers, config, edge, draw_id)
    return given_address


def _sanitise_te(headers: HeaderMap) -> None:
    """Leave of the transfer codings that a client takes the one that has a meaning here: trailers."""
    codings = headers.get(b"te")
    if not codings:
        return
    if b"trailers" in (coding.strip(b" \t") for coding in codings.split(b",")):
        headers.put(b"te", b"trailers")
    else:
        headers.remove(b"te")


def _given_address(headers: HeaderMap, config: HttpConnectionManager) -> str | None:
    """The client's address as far as the last hops can be trusted, in the form that addresses have.

    An edge believes the header only when there are hops to trust; an inner proxy believes the hop before them.
    """
    hops = (headers.get(b"x-forwarded-for") or b"").decode("latin-1").split(",")
    back = config.xff_num_trusted_hops + (0 if config.use_remote_address else 1)
    if not 0 < back <= len(hops):
        return None
    try:
        return str(ip_address(hops[-back].strip()))
    except ValueError:
        return None


def _remove_internal(headers: HeaderMap, config: HttpConnectionManager, edge: bool) -> None:
    for name in (*_INTERNAL, *(_EDGE if edge else ())):
        headers.remove(name)
    if config.forward_client_cert_details != "ALWAYS_FORWARD_ONLY":  # no connection has a client's certificate
        headers.remove(b"x-forwarded-client-cert")
    for given in config.route_config.internal_only_headers if config.route_config else ():
        headers.remove(given.lower().encode())


def _set_user_agent(headers: HeaderMap, node: Node) -> None:
    """Tell who this Envoy is; a user agent that the client names stays."""
    cluster = node.cluster.encode()
    headers.put(b"x-envoy-downstream-service-cluster", cluster)
    if not headers.get(b"user-agent"):
        headers.put(b"user-agent", cluster)
    if node.id:
        headers.put(b"x-envoy-downstream-service-node", node.id.encode())


def _set_scheme(headers: HeaderMap, forced: bool) -> None:
    if forced or b"x-forwarded-proto" not in headers:
        headers.put(b"x-forwarded-proto", b"http")
    proto = headers[b"x-forwarded-proto"]
    if b":scheme" not in headers:
        headers.add(b":scheme", proto if proto in _SCHEMES else b"http")


def _set_request_id(
    headers: HeaderMap, config: HttpConnectionManager, edge: bool, draw_id: Callable[[], bytes]
) -> None:
    if config.generate_request_id is False:
        return
    if b"x-request-id" not in headers or (edge and not config.preserve_external_request_id):
        headers.put(b"x-request-id", draw_id())


def complete_response(
    headers: HeaderMap, config: HttpConnectionManager, request: HeaderMap, date: bytes, *, lasts: bool | None = None
) -> None:
    """Change a response's headers after the filters have seen them.

    ``lasts`` is None when nothing need be said about the connection, else whether it goes on.
    """
    if b"date" not in headers:
        headers.add(b"date", date)
    server = (config.server_name or "envoy").encode()
    if config.server_header_transformation == "OVERWRITE":
        headers.put(b"server", server)
    elif config.server_header_transformation == "APPEND_IF_ABSENT" and b"server" not in headers:
        headers.add(b"server", server)
    for name in _HOP_BY_HOP_RESPONSE:
        headers.remove(name)
    if config.always_set_request_id_in_response and b"x-request-id" in request:
        headers.put(b"x-request-id", request[b"x-request-id"])
    if config.via:
        _append(headers, b"via", config.via, b", ")
    if lasts is not None:
        headers.put(b"connection", b"keep-alive" if lasts else b"close")


def _append(headers: HeaderMap, key: bytes, value: str, joiner: bytes) -> None:
    """Append to a header's value, or add the header."""
    old = headers.get(key)
    headers.put(key, old + joiner + value.encode() if old else value.encode())
