"""Names for the numbers of a crossing: what each argument is, and how to show it.

The table stands beside :mod:`meshsim.abi.signatures` and covers the same functions; a test holds the two together.
Each entry names a function's arguments in order, as ``name`` (a plain number) or ``name:kind``:

=========  ======  =================================================================
kind       values  shown as
=========  ======  =================================================================
in         2       bytes that the guest hands over: ``24 B at 0x10198``
out        2       where the guest wants address and size of what the host gives it
cell       1       where the guest wants one number
bytes      1       a size
ms, ns     1       a duration
yes        1       ``true`` or ``false``
signed     1       a number that may be negative
context    1       ``2``; 0 is ``none``
others     1       the name that an enumeration of :mod:`meshsim.abi.constants` has for it
=========  ======  =================================================================

What stands at an address is not part of a crossing, and is not shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from functools import cache
from typing import NamedTuple

from meshsim.abi.constants import (
    BufferType,
    DataAction,
    HeaderMapType,
    HeadersAction,
    LogLevel,
    MetricType,
    Status,
    StreamType,
    TrailersAction,
)
from meshsim.abi.signatures import ALLOCATORS, WASI_MODULES

Value = int | float


class Argument(NamedTuple):
    """One argument, or an address and a size that belong together, as a person reads it."""

    name: str
    text: str


class Parameter(NamedTuple):
    """What the table says of an argument."""

    name: str
    kind: str

    @property
    def width(self) -> int:
        """How many values of the call it takes."""
        return 2 if self.kind in ("in", "out") else 1


_ARGUMENTS = {
    "proxy_log": "level:level message:in",
    "proxy_get_log_level": "level:cell",
    "proxy_get_current_time_nanoseconds": "time:cell",
    "proxy_set_tick_period_milliseconds": "period:ms",
    "proxy_get_configuration": "configuration:out",
    "proxy_get_status": "code:cell message:out",
    "proxy_set_property": "path:in value:in",
    "proxy_get_property": "path:in value:out",
    "proxy_continue_request": "",
    "proxy_continue_response": "",
    "proxy_clear_route_cache": "",
    "proxy_continue_stream": "stream:stream",
    "proxy_close_stream": "stream:stream",
    "proxy_send_local_response": "status details:in body:in headers:in grpc_status:signed",
    "proxy_get_shared_data": "key:in value:out cas:cell",
    "proxy_set_shared_data": "key:in value:in cas",
    "proxy_register_shared_queue": "name:in queue:cell",
    "proxy_resolve_shared_queue": "vm_id:in name:in queue:cell",
    "proxy_enqueue_shared_queue": "queue value:in",
    "proxy_dequeue_shared_queue": "queue value:out",
    "proxy_get_header_map_pairs": "map:map pairs:out",
    "proxy_set_header_map_pairs": "map:map pairs:in",
    "proxy_get_header_map_value": "map:map key:in value:out",
    "proxy_add_header_map_value": "map:map key:in value:in",
    "proxy_replace_header_map_value": "map:map key:in value:in",
    "proxy_remove_header_map_value": "map:map key:in",
    "proxy_get_header_map_size": "map:map size:cell",
    "proxy_get_buffer_status": "buffer:buffer size:cell flags:cell",
    "proxy_get_buffer_bytes": "buffer:buffer start max:bytes data:out",
    "proxy_set_buffer_bytes": "buffer:buffer start replaced:bytes data:in",
    "proxy_http_call": "upstream:in headers:in body:in trailers:in timeout:ms call:cell",
    "proxy_grpc_call": "upstream:in service:in method:in metadata:in message:in timeout:ms call:cell",
    "proxy_grpc_stream": "upstream:in service:in method:in metadata:in call:cell",
    "proxy_grpc_send": "call message:in end_of_stream:yes",
    "proxy_grpc_cancel": "call",
    "proxy_grpc_close": "call",
    "proxy_define_metric": "type:metric name:in metric:cell",
    "proxy_increment_metric": "metric offset:signed",
    "proxy_record_metric": "metric value",
    "proxy_get_metric": "metric value:cell",
    "proxy_set_effective_context": "context:context",
    "proxy_done": "",
    "proxy_call_foreign_function": "name:in argument:in result:out",
    "emscripten_notify_memory_growth": "memory",
    "pthread_equal": "one other",
    "envoy_resolve_dns": "name:in token:cell",
    "proxy_validate_configuration": "context:context configuration:bytes",
    "proxy_on_vm_start": "context:context configuration:bytes",
    "proxy_on_configure": "context:context configuration:bytes",
    "proxy_on_tick": "context:context",
    "proxy_on_context_create": "context:context parent:context",
    "proxy_on_new_connection": "context:context",
    "proxy_on_downstream_data": "context:context data:bytes end_of_stream:yes",
    "proxy_on_upstream_data": "context:context data:bytes end_of_stream:yes",
    "proxy_on_downstream_connection_close": "context:context peer",
    "proxy_on_upstream_connection_close": "context:context peer",
    "proxy_on_request_headers": "context:context headers end_of_stream:yes",
    "proxy_on_request_body": "context:context body:bytes end_of_stream:yes",
    "proxy_on_request_trailers": "context:context trailers",
    "proxy_on_request_metadata": "context:context elements",
    "proxy_on_response_headers": "context:context headers end_of_stream:yes",
    "proxy_on_response_body": "context:context body:bytes end_of_stream:yes",
    "proxy_on_response_trailers": "context:context trailers",
    "proxy_on_response_metadata": "context:context elements",
    "proxy_on_http_call_response": "context:context call headers body:bytes trailers",
    "proxy_on_grpc_receive": "context:context call message:bytes",
    "proxy_on_grpc_close": "context:context call status",
    "proxy_on_grpc_receive_initial_metadata": "context:context call elements",
    "proxy_on_grpc_receive_trailing_metadata": "context:context call elements",
    "proxy_on_queue_ready": "context:context queue",
    "proxy_on_done": "context:context",
    "proxy_on_log": "context:context",
    "proxy_on_delete": "context:context",
    "proxy_on_foreign_function": "context:context function data:bytes",
    "envoy_on_resolve_dns": "context:context token result:bytes",
    "envoy_on_stats_update": "context:context stats:bytes",
    "malloc": "size:bytes",
    "proxy_on_memory_allocate": "size:bytes",
    "_initialize": "",
    "_start": "",
    "main": "argc argv",
    "__main_void": "",
    # WASI: names as in its snapshot 1, preview 1
    "args_get": "argv:cell buffer:cell",
    "args_sizes_get": "count:cell size:cell",
    "clock_res_get": "clock resolution:cell",
    "clock_time_get": "clock precision:ns time:cell",
    "environ_get": "environ:cell buffer:cell",
    "environ_sizes_get": "count:cell size:cell",
    "fd_advise": "fd offset len advice",
    "fd_allocate": "fd offset len",
    "fd_close": "fd",
    "fd_datasync": "fd",
    "fd_fdstat_get": "fd stat:cell",
    "fd_fdstat_set_flags": "fd flags",
    "fd_fdstat_set_rights": "fd base inheriting",
    "fd_filestat_get": "fd stat:cell",
    "fd_filestat_set_size": "fd size:bytes",
    "fd_filestat_set_times": "fd accessed:ns modified:ns flags",
    "fd_pread": "fd iovs:cell iovs_len offset read:cell",
    "fd_prestat_dir_name": "fd path:cell path_len:bytes",
    "fd_prestat_get": "fd prestat:cell",
    "fd_pwrite": "fd iovs:cell iovs_len offset written:cell",
    "fd_read": "fd iovs:cell iovs_len read:cell",
    "fd_readdir": "fd buffer:cell size:bytes cookie used:cell",
    "fd_renumber": "fd to",
    "fd_seek": "fd offset:signed whence position:cell",
    "fd_sync": "fd",
    "fd_tell": "fd position:cell",
    "fd_write": "fd iovs:cell iovs_len written:cell",
    "path_create_directory": "fd path:in",
    "path_filestat_get": "fd flags path:in stat:cell",
    "path_filestat_set_times": "fd flags path:in accessed:ns modified:ns times",
    "path_link": "fd flags path:in to_fd to_path:cell",
    "path_open": "fd flags path:in open_flags base inheriting fd_flags opened:cell",
    "path_readlink": "fd path:in buffer:in used:cell",
    "path_remove_directory": "fd path:in",
    "path_rename": "fd path:in to_fd to_path:in",
    "path_symlink": "target:in fd path:cell",
    "path_unlink_file": "fd path:in",
    "poll_oneoff": "subscriptions:cell events:cell count happened:cell",
    "proc_exit": "code",
    "random_get": "buffer:cell size:bytes",
    "sched_yield": "",
    "sock_accept": "fd flags connection:cell",
    "sock_recv": "fd iovs:cell iovs_len flags received:cell out_flags:cell",
    "sock_send": "fd iovs:cell iovs_len flags sent:cell",
    "sock_shutdown": "fd how",
}

#: What a callback's answer means; a host function of ``env`` answers a status, one of WASI an error number.
_RESULTS = {
    "proxy_on_vm_start": "yes",
    "proxy_on_configure": "yes",
    "proxy_validate_configuration": "yes",
    "proxy_on_done": "yes",
    "proxy_on_request_headers": "headers action",
    "proxy_on_response_headers": "headers action",
    "proxy_on_request_body": "data action",
    "proxy_on_response_body": "data action",
    "proxy_on_request_trailers": "trailers action",
    "proxy_on_response_trailers": "trailers action",
    **dict.fromkeys(ALLOCATORS, "address"),
}

_NAMES: Mapping[str, type[IntEnum]] = {
    "level": LogLevel,
    "map": HeaderMapType,
    "buffer": BufferType,
    "stream": StreamType,
    "metric": MetricType,
    "status": Status,
    "headers action": HeadersAction,
    "data action": DataAction,
    "trailers action": TrailersAction,
}


@cache
def parameters(function: str) -> tuple[Parameter, ...] | None:
    """Return what a function's arguments are; None for a function that is in no table.

    Examples
    --------
    >>> parameters("proxy_log")
    (Parameter(name='level', kind='level'), Parameter(name='message', kind='in'))
    """
    words = _ARGUMENTS.get(_short(function))
    if words is None:
        return None
    return tuple(Parameter(name, kind or "number") for name, _, kind in (word.partition(":") for word in words.split()))


def arguments(function: str, values: Sequence[Value], *, brief: bool = False) -> tuple[Argument, ...]:
    """Return the arguments of a call, with names.

    Parameters
    ----------
    function : str
        As in a crossing: ``env.proxy_log``, ``proxy_on_log``.
    values : sequence of numbers
        As in a crossing: unsigned. Older ABI versions pass fewer; more than the table knows are numbered.
    brief : bool
        Leave out addresses.

    Examples
    --------
    >>> arguments("env.proxy_log", (2, 65944, 24))
    (Argument(name='level', text='INFO'), Argument(name='message', text='24 B at 0x10198'))
    """
    left = list(values)
    shown = []
    for parameter in parameters(function) or ():
        taken, left = left[: parameter.width], left[parameter.width :]
        if len(taken) == parameter.width and not (brief and parameter.kind in ("out", "cell")):
            kind = "brief in" if brief and parameter.kind == "in" else parameter.kind
            shown.append(Argument(parameter.name, _SHOW.get(kind, _named(kind))(*taken)))
    shown += [Argument(f"argument {len(values) - len(left) + i}", str(value)) for i, value in enumerate(left)]
    return tuple(shown)


def call(function: str, values: Sequence[Value], *, brief: bool = False) -> str:
    """Return a call in words; ``brief`` leaves out addresses.

    Examples
    --------
    >>> call("env.proxy_log", (2, 65944, 24))
    'proxy_log(level=INFO, message=24 B at 0x10198)'
    >>> call("env.proxy_get_header_map_value", (0, 8224, 13, 8108, 8104), brief=True)
    'proxy_get_header_map_value(map=REQUEST_HEADERS, key=13 B)'
    >>> call("proxy_on_context_create", (1, 0))
    'proxy_on_context_create(context=1, parent=none)'
    """
    inside = ", ".join(f"{name}={text}" for name, text in arguments(function, values, brief=brief))
    return f"{_short(function)}({inside})"


def result(function: str, values: Sequence[Value]) -> str:
    """Return what a call answered, in a word; ``void`` for nothing.

    Examples
    --------
    >>> result("env.proxy_get_property", (1,)), result("proxy_on_request_headers", (0,)), result("proxy_on_log", ())
    ('NOT_FOUND', 'CONTINUE', 'void')
    """
    if not values:
        return "void"
    return _SHOW.get(kind := _result_kind(function), _named(kind))(values[0])


def _result_kind(function: str) -> str:
    module, dot, name = function.rpartition(".")
    if not dot:
        return _RESULTS.get(name, "number")
    return "number" if module in WASI_MODULES or name == "pthread_equal" else "status"


def _short(function: str) -> str:
    return function.rpartition(".")[2]


def _named(kind: str) -> Callable[..., str]:
    """Show a number by an enumeration's name for it, or as it is where there is none."""
    names = _NAMES.get(kind)

    def show(value: Value) -> str:
        try:
            return names(int(value)).name if names else str(value)
        except ValueError:
            return f"{value} (unknown)"

    return show


def _signed(value: Value) -> str:
    """Read back the sign that an unsigned value of 32 or 64 bits has lost."""
    for bits in (32, 64):
        if (1 << (bits - 1)) <= value < (1 << bits):
            return str(int(value) - (1 << bits))
    return str(value)


_SHOW: Mapping[str, Callable[..., str]] = {
    "in": lambda address, size: f"{size} B at {address:#x}" if size else "empty",
    "brief in": lambda address, size: f"{size} B",
    "out": lambda address, size: f"to {address:#x}, {size:#x}",
    "cell": lambda address: f"to {address:#x}",
    "address": lambda address: f"{address:#x}",
    "bytes": lambda size: f"{size} B",
    "ms": lambda value: f"{value} ms",
    "ns": lambda value: f"{value} ns",
    "yes": lambda value: "true" if value else "false",
    "signed": _signed,
    "context": lambda value: str(value) if value else "none",
}
