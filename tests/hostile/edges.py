"""One guest a host function: it makes the call with each argument at each edge, in several callbacks."""

from __future__ import annotations

from collections.abc import Iterator

from meshsim.abi.constants import AbiVersion
from meshsim.abi.signatures import WASI_MODULES, HostFunction, offered
from tests.hostile.wat import call, on, pairs, text

SIZE = 2 * 65536

#: Of each function's arguments: ``v`` a value, ``V`` a wide one, ``p`` and ``n`` a range that is read,
#: ``o`` and ``O`` where 4 or 8 bytes are written, ``s`` where 24 are, ``w`` and ``m`` a range that is written.
ROLES = {
    "proxy_log": "vpn",
    "proxy_get_log_level": "o",
    "proxy_get_current_time_nanoseconds": "O",
    "proxy_set_tick_period_milliseconds": "v",
    "proxy_get_configuration": "oo",
    "proxy_get_status": "ooo",
    "proxy_set_property": "pnpn",
    "proxy_get_property": "pnoo",
    "proxy_continue_request": "",
    "proxy_continue_response": "",
    "proxy_clear_route_cache": "",
    "proxy_continue_stream": "v",
    "proxy_close_stream": "v",
    "proxy_send_local_response": "vpnpnpnv",
    "proxy_get_shared_data": "pnooo",
    "proxy_set_shared_data": "pnpnv",
    "proxy_get_header_map_pairs": "voo",
    "proxy_set_header_map_pairs": "vpn",
    "proxy_get_header_map_value": "vpnoo",
    "proxy_add_header_map_value": "vpnpn",
    "proxy_replace_header_map_value": "vpnpn",
    "proxy_remove_header_map_value": "vpn",
    "proxy_get_header_map_size": "vo",
    "proxy_get_buffer_status": "voo",
    "proxy_get_buffer_bytes": "vvvoo",
    "proxy_set_buffer_bytes": "vvvpn",
    "proxy_http_call": "pnpnpnpnvo",
    "proxy_grpc_call": "pnpnpnpnpnvo",
    "proxy_grpc_stream": "pnpnpnpno",
    "proxy_grpc_send": "vpnv",
    "proxy_grpc_cancel": "v",
    "proxy_grpc_close": "v",
    "envoy_resolve_dns": "pno",
    "proxy_register_shared_queue": "pno",
    "proxy_resolve_shared_queue": "pnpno",
    "proxy_enqueue_shared_queue": "vpn",
    "proxy_dequeue_shared_queue": "voo",
    "proxy_define_metric": "vpno",
    "proxy_increment_metric": "vV",
    "proxy_record_metric": "vV",
    "proxy_get_metric": "vO",
    "proxy_call_foreign_function": "pnpnoo",
    "proxy_set_effective_context": "v",
    "proxy_done": "",
    "emscripten_notify_memory_growth": "v",
    "pthread_equal": "vv",
    "args_sizes_get": "oo",
    "clock_res_get": "vO",
    "clock_time_get": "vVO",
    "environ_sizes_get": "oo",
    "fd_fdstat_get": "vs",
    "fd_readdir": "vpnVo",
    "fd_tell": "vO",
    "fd_write": "vpno",
    "fd_pwrite": "vpnVo",
    "poll_oneoff": "ppvo",
    "path_readlink": "vvvvvo",
    "sock_accept": "vvO",
    "sock_recv": "vvvvoo",
    "sock_send": "vvvvo",
    "random_get": "wm",
}

_FAR = (2**31 - 1, 2**31, 2**32 - SIZE, 2**32 - 4, 2**32 - 1)
_PLACES = (0, 1, SIZE - 8, SIZE - 4, SIZE - 3, SIZE - 1, SIZE, SIZE + 1, *_FAR)
_LENGTHS = (0, 1, 9, SIZE - 1024, SIZE, SIZE + 1, *_FAR)
_VALUES = (0, 1, 2, 3, 4, 5, 8, 9, 17, 403, 65536, *_FAR)
_WIDE = (0, 1, 2**63 - 1, 2**63, 2**64 - 1)
_EDGES = {"v": _VALUES, "i": _VALUES, "V": _WIDE, "I": _WIDE, "n": _LENGTHS, "m": _LENGTHS}

#: A block of pairs at the start of the texts: it can be read as a header map, as a name, and as a value.
_BLOCK = pairs([(b":method", b"GET"), (b":path", b"/"), (b":authority", b"a")])
_GOOD = {"v": 0, "V": 1, "i": 0, "I": 1, "p": 1024, "n": len(_BLOCK), "m": 16, "o": 512, "O": 520, "s": 528, "w": 560}


def functions() -> Iterator[HostFunction]:
    """Every host function of the newest version, WASI under one of its names."""
    for function in offered(AbiVersion.V0_2_1).values():
        if function.module != WASI_MODULES[1]:
            yield function


def calls(function: HostFunction) -> list[str]:
    """The call with one argument at an edge and the others good, and with all at the far end."""
    roles = ROLES.get(function.name) or function.type.params
    good = [_GOOD[role] for role in roles]
    made = [call(function.name, *good)]
    for place, role in enumerate(roles):
        for edge in _EDGES.get(role, _PLACES):
            made.append(call(function.name, *good[:place], edge, *good[place + 1 :]))
    if roles:
        made.append(call(function.name, *[2**32 - 1] * len(roles)))
    return made


def guest(function: HostFunction) -> str:
    """A module that makes all the calls while it is configured, and in three callbacks of a stream."""
    return text(
        f"(func $edges {' '.join(calls(function))})",
        f"(func {call('pthread_equal', _BLOCK)})",  # never called: it puts the block at the start of the texts
        on("configure", "(call $edges)"),
        on("request_headers", "(call $edges)"),
        on("response_headers", "(call $edges)"),
        on("log", "(call $edges)"),
        on("tick", "(call $edges)"),
    )
