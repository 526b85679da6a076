"""The headers that the connection manager removes, changes and adds, on the way in and on the way out.

All rules were seen in Envoy 1.40 (``ConnectionManagerUtility``), header by header and in order. A request counts as
coming from outside: Envoy takes no address for internal unless it is told to. With ``use_remote_address`` this Envoy
is the *edge*: it believes no header about who the client is.
"""

from __future__ import annotations

from meshsim.envoy.config.http import HttpConnectionManager
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.local_reply import LocalReply

_HOP_BY_HOP = (b"connection", b"upgrade", b"transfer-encoding", b"keep-alive", b"proxy-connection", b"expect")
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


def early_answer(headers: HeaderMap) -> LocalReply | None:
    """Answer what the connection manager does not hand to the filters; None for any other request."""
    path = headers.get(b":path") or b""
    if b":authority" not in headers:
        return LocalReply(400, details="missing_host_header")
    if b"#" in path:
        return LocalReply(400, details="path_normalization_failed")
    if not path.startswith(b"/"):
        return LocalReply(404, details="absolute_path_rejected" if path else "missing_path_rejected")
    if b"upgrade" in headers and b"upgrade" in (headers.get(b"connection") or b"").lower():
        return LocalReply(403, details="upgrade_failed")
    return None


def prepare_request(
    headers: HeaderMap, config: HttpConnectionManager, client: str, local_address: str, request_id: bytes
) -> None:
    """Change a request's headers before the filters see them.

    Parameters
    ----------
    client : str
        Address of the peer.
    local_address : str
        What Envoy appends to ``x-forwarded-for`` for a peer on the loopback interface: an address of its own machine.
    request_id : bytes
        The ``x-request-id`` for a request that needs one.
    """
    for name in _HOP_BY_HOP:
        headers.remove(name)
    if (headers.get(b"te") or b"trailers").lower() != b"trailers":
        headers.remove(b"te")
    edge = bool(config.use_remote_address)
    given_address = _trusted_address(headers, config) if edge else None
    if edge and not config.skip_xff_append:
        _append(headers, b"x-forwarded-for", local_address if client.startswith("127.") else client, b",")
    _set_scheme(headers, edge and not config.xff_num_trusted_hops)
    for name in (*_INTERNAL, *(_EDGE if edge else ())):
        headers.remove(name)
    if config.via:
        _append(headers, b"via", config.via, b", ")
    if edge:
        headers.put(b"x-envoy-external-address", (given_address or client).encode())
    _set_request_id(headers, config, edge, request_id)


def _trusted_address(headers: HeaderMap, config: HttpConnectionManager) -> str | None:
    """The client's address as far as the last hops can be trusted."""
    hops = [hop.strip() for hop in (headers.get(b"x-forwarded-for") or b"").decode().split(",") if hop.strip()]
    trusted = config.xff_num_trusted_hops
    return hops[-trusted] if trusted and len(hops) >= trusted else None


def _set_scheme(headers: HeaderMap, forced: bool) -> None:
    if forced or b"x-forwarded-proto" not in headers:
        headers.put(b"x-forwarded-proto", b"http")
    proto = headers[b"x-forwarded-proto"]
    if b":scheme" not in headers:
        headers.add(b":scheme", proto if proto in _SCHEMES else b"http")


def _set_request_id(headers: HeaderMap, config: HttpConnectionManager, edge: bool, request_id: bytes) -> None:
    if config.generate_request_id is False:
        return
    if b"x-request-id" not in headers or (edge and not config.preserve_external_request_id):
        headers.put(b"x-request-id", request_id)


def complete_response(
    headers: HeaderMap, config: HttpConnectionManager, request: HeaderMap, date: bytes, *, close: bool
) -> None:
    """Change a response's headers after the filters have seen them; ``close`` says that the connection ends."""
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
    if close:
        headers.put(b"connection", b"close")


def _append(headers: HeaderMap, key: bytes, value: str, joiner: bytes) -> None:
    """Append to a header's value, or add the header."""
    old = headers.get(key)
    headers.put(key, old + joiner + value.encode() if old else value.encode())
