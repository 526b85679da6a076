"""Guests that are no subject themselves: one that makes every phase reachable, and a gRPC server."""

from __future__ import annotations

from meshsim.abi.constants import AbiVersion
from tests.fuzz.wat import Guest, const, lines, when

_AT_END = "(local.get 2)"


def framer() -> str:
    """Lets bodies be of any length and adds trailers to them, so that whoever stands behind sees trailers."""
    guest = Guest(AbiVersion.V0_2_1)
    for callback, header_map, trailers in (("request", 0, 1), ("response", 2, 3)):
        unframe = guest.drop("env.proxy_remove_header_map_value", header_map, guest.data("content-length"))
        guest.export(f"proxy_on_{callback}_headers", 3, unframe, const(0))
        trailer = guest.drop("env.proxy_add_header_map_value", trailers, guest.data("x-t"), guest.data("1"))
        guest.export(f"proxy_on_{callback}_body", 3, when(_AT_END, trailer), const(0))
    return guest.text()


def grpc_server() -> str:
    """Makes of any response an answer to a gRPC stream: a message and trailers, when the request is whole."""
    guest = Guest(AbiVersion.V0_2_1)
    name, grpc, plain = "content-type", "application/grpc", "text/plain"
    as_plain = guest.drop("env.proxy_replace_header_map_value", 0, guest.data(name), guest.data(plain))
    guest.export("proxy_on_request_headers", 3, as_plain, const(1))
    guest.export("proxy_on_request_body", 3, "", f"(select {const(0)} {const(1)} {_AT_END})")
    as_grpc = guest.drop("env.proxy_replace_header_map_value", 2, guest.data(name), guest.data(grpc))
    unframe = guest.drop("env.proxy_remove_header_map_value", 2, guest.data("content-length"))
    guest.export("proxy_on_response_headers", 3, lines(as_grpc, unframe), const(0))
    message = guest.drop("env.proxy_set_buffer_bytes", 1, 0, -1, guest.data(b"\0\0\0\0\3abc"))
    trailer = guest.drop("env.proxy_add_header_map_value", 3, guest.data("grpc-status"), guest.data("0"))
    # What the upstream says comes before the end, and is no gRPC.
    nothing = guest.drop("env.proxy_set_buffer_bytes", 1, 0, -1, f"{const(0)} {const(0)}")
    guest.export("proxy_on_response_body", 3, lines(nothing, when(_AT_END, lines(message, trailer))), const(0))
    return guest.text()
