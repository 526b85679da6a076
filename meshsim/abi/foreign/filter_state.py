"""``set_envoy_filter_state``, ``declare_property``, ``clear_route_cache``: what a stream carries, and where it goes.

Which names Envoy 1.40 has a factory for, and which texts each takes, was tried one by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

from meshsim.abi.codec import encode_value
from meshsim.abi.constants import Status
from meshsim.abi.foreign.declared import Declaration, StateObject
from meshsim.abi.protobuf import Message

if TYPE_CHECKING:
    from meshsim.abi.context import Context

#: A factory reads a text into an object, or raises ValueError.
Factory = Callable[[bytes], StateObject]

_INTEGER = re.compile(rb"[ \t\n\v\f\r]*\+?0*(\d{1,20})[ \t\n\v\f\r]*")
_ADDRESS = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):(\d{1,5})", re.ASCII)
_MAX_PORT = 65535


def _number(limit: int) -> Factory:
    def read(text: bytes) -> StateObject:
        match = _INTEGER.fullmatch(text)
        if match is None or int(match[1]) >= limit:
            raise ValueError("no number")
        return StateObject(match[1])

    return read


def _ip_text(address: IPv4Address | IPv6Address) -> str:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return f"::ffff:{mapped}" if mapped else str(address)


def _ip(text: bytes) -> StateObject:
    address = ip_address(text.decode("ascii"))
    shown = _ip_text(address)
    return StateObject(f"[{shown}]:0".encode() if address.version == 6 else f"{shown}:0".encode())


def _address(text: bytes) -> StateObject:
    """Read an address with a port; it is shown as a map of its parts, which is empty as a whole."""
    match = _ADDRESS.fullmatch(text.decode("ascii"))
    if match is None or int(match[3]) > _MAX_PORT:
        raise ValueError("no address")
    address = IPv6Address(match[1]) if match[1] else IPv4Address(match[2])
    return StateObject(encode_value({}), fields={"ip": _ip_text(address), "port": int(match[3])})


def _proxied(text: bytes) -> StateObject:
    """Read a host name, a comma and a proxy's address."""
    host, comma, address = text.partition(b",")
    if not comma or not host:
        raise ValueError("no address of a proxy")
    return _address(address)


def _refusing(text: bytes) -> StateObject:
    raise ValueError("no text of those tried is taken")


_FACTORIES: dict[str, Factory] = {
    **dict.fromkeys(
        (
            "envoy.string",
            "envoy.hashable_string",
            "envoy.tcp_proxy.cluster",
            "envoy.network.application_protocols",
            "envoy.network.upstream_server_name",
            "envoy.network.upstream_subject_alt_names",
            "envoy.network.network_namespace",
            "envoy.router.debug_config",
            "envoy.upstream.dynamic_host",
            "envoy.ai.model.request",
        ),
        StateObject,
    ),
    "envoy.tcp_proxy.disable_tunneling": lambda text: StateObject(b"true" if text == b"true" else b"false"),
    "envoy.ratelimit.hits_addend": _number(1 << 32),
    "envoy.upstream.dynamic_port": _number(1 << 32),
    "envoy.tcp_proxy.per_connection_idle_timeout_ms": _number(1 << 64),
    "envoy.network.ip": _ip,
    "envoy.filters.listener.original_dst.local_ip": _address,
    "envoy.filters.listener.original_dst.remote_ip": _address,
    "envoy.network.transport_socket.original_dst_address": _address,
    "envoy.network.transport_socket.http_11_proxy.info": _proxied,
    "envoy.ai.llm_protocol.request": _refusing,
}
#: Objects without a serialised form: attributes do not show them.
_HIDDEN = frozenset(
    {
        "envoy.network.application_protocols",
        "envoy.network.transport_socket.http_11_proxy.info",
        "envoy.router.debug_config",
    }
)


def clear_route_cache(context: Context, argument: bytes) -> None:
    """Have the stream's route chosen anew; the argument is ignored."""
    context.host.clear_route_cache()


def set_envoy_filter_state(context: Context, argument: bytes) -> Status | None:
    """Put an object on the stream of the acting context."""
    try:
        message = Message(argument)
        name, text = message.text(1), message.data(2)
        message.text(2)
    except ValueError:
        return Status.BAD_ARGUMENT
    factory = _FACTORIES.get(name)
    if factory is None:
        return Status.NOT_FOUND
    try:
        made = factory(text)
    except ValueError:
        return Status.BAD_ARGUMENT
    status = context.wasm.acting.host.set_filter_state(name.encode(), None if name in _HIDDEN else made)
    return status or None


def declare_property(context: Context, argument: bytes) -> Status | None:
    """Declare the type of a value that is still to be set.

    Envoy keeps it in the called context, but ``proxy_set_property`` asks the root context's declarations alone.
    """
    try:
        message = Message(argument)
        name = message.text(1)
        declaration = Declaration(message.integer(3), bool(message.integer(2)), message.data(4))
    except ValueError:
        return Status.BAD_ARGUMENT
    declarations = context.foreign.declarations
    if name.encode() in declarations:
        return Status.BAD_ARGUMENT
    declarations[name.encode()] = declaration
    return None
