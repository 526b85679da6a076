"""Every function of the ABI, in one table: what a module may import, and what it may export.

The table drives registration (:mod:`meshsim.abi.linking`), the look-up of callbacks, ``meshsim inspect``, the
checks of the tests and the documentation. Types are written as in :class:`meshsim.wasm.FuncType`: ``i`` is i32,
``I`` is i64, ``f`` and ``F`` the floats; ``"iii>i"`` takes three i32 and gives one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from meshsim.abi.constants import AbiVersion
from meshsim.wasm.exchange import Board
from meshsim.wasm.types import FuncType

ENV = "env"
#: Envoy offers its WASI under both names.
WASI_MODULES = ("wasi_snapshot_preview1", "wasi_unstable")

_ALL = frozenset(AbiVersion)
_V01 = frozenset({AbiVersion.V0_1_0})
_V02 = frozenset({AbiVersion.V0_2_0, AbiVersion.V0_2_1})
_V021 = frozenset({AbiVersion.V0_2_1})


def func_type(text: str) -> FuncType:
    """Read ``"iii>i"``.

    Examples
    --------
    >>> func_type("iI>i")
    FuncType(params='iI', results='i')
    """
    params, _, results = text.partition(">")
    return FuncType(params, results)


@dataclass(frozen=True, slots=True)
class HostFunction:
    """A function that the host offers: ``versions`` are the ABI versions that register it."""

    module: str
    name: str
    type: FuncType
    versions: frozenset[AbiVersion]
    meaning: str


@dataclass(frozen=True, slots=True)
class Callback:
    """A function that a module may export for the host to call."""

    name: str
    type: FuncType
    versions: frozenset[AbiVersion]
    meaning: str


_PROXY = (
    ("log", "iii>i", _ALL, "write a log line"),
    ("get_log_level", "i>i", _V021, "which log lines the host keeps"),
    ("get_current_time_nanoseconds", "i>i", _ALL, "wall-clock time"),
    ("set_tick_period_milliseconds", "i>i", _ALL, "ask for proxy_on_tick"),
    ("get_configuration", "ii>i", _V01, "read the configuration"),
    ("get_status", "iii>i", _ALL, "why the last call failed"),
    ("set_property", "iiii>i", _ALL, "leave a value on the stream"),
    ("get_property", "iiii>i", _ALL, "read an attribute"),
    ("continue_request", ">i", _V01, "resume the request"),
    ("continue_response", ">i", _V01, "resume the response"),
    ("clear_route_cache", ">i", _V01, "have the route chosen anew"),
    ("continue_stream", "i>i", _V02, "resume a paused stream"),
    ("close_stream", "i>i", _V02, "reset a stream"),
    ("send_local_response", "iiiiiiii>i", _ALL, "answer from the proxy"),
    ("get_shared_data", "iiiii>i", _ALL, "read the shared key-value store"),
    ("set_shared_data", "iiiii>i", _ALL, "write the shared key-value store"),
    ("register_shared_queue", "iii>i", _ALL, "open a shared queue"),
    ("resolve_shared_queue", "iiiii>i", _ALL, "find a shared queue"),
    ("enqueue_shared_queue", "iii>i", _ALL, "put a message into a queue"),
    ("dequeue_shared_queue", "iii>i", _ALL, "take a message from a queue"),
    ("get_header_map_pairs", "iii>i", _ALL, "read all headers of a map"),
    ("set_header_map_pairs", "iii>i", _ALL, "replace all headers of a map"),
    ("get_header_map_value", "iiiii>i", _ALL, "read a header"),
    ("add_header_map_value", "iiiii>i", _ALL, "add a header"),
    ("replace_header_map_value", "iiiii>i", _ALL, "set a header"),
    ("remove_header_map_value", "iii>i", _ALL, "remove a header"),
    ("get_header_map_size", "ii>i", _ALL, "bytes of a header map"),
    ("get_buffer_status", "iii>i", _ALL, "bytes of a body or other buffer"),
    ("get_buffer_bytes", "iiiii>i", _ALL, "read a body or other buffer"),
    ("set_buffer_bytes", "iiiii>i", _ALL, "change a body"),
    ("http_call", "iiiiiiiiii>i", _ALL, "send an HTTP request"),
    ("grpc_call", "iiiiiiiiiiii>i", _ALL, "send a gRPC request"),
    ("grpc_stream", "iiiiiiiii>i", _ALL, "open a gRPC stream"),
    ("grpc_send", "iiii>i", _ALL, "send on a gRPC stream"),
    ("grpc_cancel", "i>i", _ALL, "cancel a gRPC call"),
    ("grpc_close", "i>i", _ALL, "close a gRPC stream"),
    ("define_metric", "iiii>i", _ALL, "define a metric"),
    ("increment_metric", "iI>i", _ALL, "add to a metric"),
    ("record_metric", "iI>i", _ALL, "set or record a metric"),
    ("get_metric", "ii>i", _ALL, "read a metric"),
    ("set_effective_context", "i>i", _ALL, "act for another context"),
    ("done", ">i", _ALL, "say that a delayed end is reached"),
    ("call_foreign_function", "iiiiii>i", _ALL, "call a function of this host only"),
)

_ENVOY = (
    ("emscripten_notify_memory_growth", "i>", _ALL, "memory has grown"),
    ("pthread_equal", "ii>i", _ALL, "compare two thread ids"),
    ("envoy_resolve_dns", "iii>i", _ALL, "resolve a name (Envoy only)"),
)

_WASI = (
    ("args_get", "ii>i", "arguments"),
    ("args_sizes_get", "ii>i", "size of the arguments"),
    ("clock_res_get", "ii>i", "resolution of a clock"),
    ("clock_time_get", "iIi>i", "read a clock"),
    ("environ_get", "ii>i", "environment variables"),
    ("environ_sizes_get", "ii>i", "size of the environment"),
    ("fd_advise", "iIIi>i", "file advice"),
    ("fd_allocate", "iII>i", "file space"),
    ("fd_close", "i>i", "close a file"),
    ("fd_datasync", "i>i", "flush a file"),
    ("fd_fdstat_get", "ii>i", "what a descriptor may"),
    ("fd_fdstat_set_flags", "ii>i", "descriptor flags"),
    ("fd_fdstat_set_rights", "iII>i", "descriptor rights"),
    ("fd_filestat_get", "ii>i", "facts of a file"),
    ("fd_filestat_set_size", "iI>i", "size of a file"),
    ("fd_filestat_set_times", "iIIi>i", "times of a file"),
    ("fd_pread", "iiiIi>i", "read a file at an offset"),
    ("fd_prestat_dir_name", "iii>i", "name of an opened folder"),
    ("fd_prestat_get", "ii>i", "opened folders"),
    ("fd_pwrite", "iiiIi>i", "write a file at an offset"),
    ("fd_read", "iiii>i", "read a file"),
    ("fd_readdir", "iiiIi>i", "list a folder"),
    ("fd_renumber", "ii>i", "renumber a descriptor"),
    ("fd_seek", "iIii>i", "move in a file"),
    ("fd_sync", "i>i", "flush a file"),
    ("fd_tell", "ii>i", "place in a file"),
    ("fd_write", "iiii>i", "write: descriptor 1 logs at info, 2 at error"),
    ("path_create_directory", "iii>i", "make a folder"),
    ("path_filestat_get", "iiiii>i", "facts of a path"),
    ("path_filestat_set_times", "iiiiIIi>i", "times of a path"),
    ("path_link", "iiiiii>i", "link a path"),
    ("path_open", "iiiiiIIii>i", "open a file"),
    ("path_readlink", "iiiiii>i", "read a link"),
    ("path_remove_directory", "iii>i", "remove a folder"),
    ("path_rename", "iiiiii>i", "rename a path"),
    ("path_symlink", "iiii>i", "make a link"),
    ("path_unlink_file", "iii>i", "remove a file"),
    ("poll_oneoff", "iiii>i", "wait for events"),
    ("proc_exit", "i>", "end the program"),
    ("random_get", "ii>i", "random bytes"),
    ("sched_yield", ">i", "let others run"),
    ("sock_accept", "iii>i", "accept a connection"),
    ("sock_recv", "iiiiii>i", "receive"),
    ("sock_send", "iiiii>i", "send"),
    ("sock_shutdown", "ii>i", "shut down a socket"),
)

#: In the order in which Envoy looks them up (and complains of wrong types).
_CALLBACKS = (
    ("proxy_validate_configuration", "ii>i", _ALL, "check a configuration (unused)"),
    ("proxy_on_vm_start", "ii>i", _ALL, "a plugin starts in a VM"),
    ("proxy_on_configure", "ii>i", _ALL, "a plugin is configured"),
    ("proxy_on_tick", "i>", _ALL, "the timer fires"),
    ("proxy_on_context_create", "ii>", _ALL, "a context begins"),
    ("proxy_on_new_connection", "i>i", _ALL, "a TCP connection is accepted"),
    ("proxy_on_downstream_data", "iii>i", _ALL, "bytes from the client"),
    ("proxy_on_upstream_data", "iii>i", _ALL, "bytes from the server"),
    ("proxy_on_downstream_connection_close", "ii>", _ALL, "the client's side closes"),
    ("proxy_on_upstream_connection_close", "ii>", _ALL, "the server's side closes"),
    ("proxy_on_request_body", "iii>i", _ALL, "a piece of the request's body"),
    ("proxy_on_request_trailers", "ii>i", _ALL, "request trailers"),
    ("proxy_on_request_metadata", "ii>i", _ALL, "HTTP/2 metadata of a request"),
    ("proxy_on_response_body", "iii>i", _ALL, "a piece of the response's body"),
    ("proxy_on_response_trailers", "ii>i", _ALL, "response trailers"),
    ("proxy_on_response_metadata", "ii>i", _ALL, "HTTP/2 metadata of a response"),
    ("proxy_on_http_call_response", "iiiii>", _ALL, "an HTTP callout is answered"),
    ("proxy_on_grpc_receive", "iii>", _ALL, "a gRPC message"),
    ("proxy_on_grpc_close", "iii>", _ALL, "a gRPC call ends"),
    ("proxy_on_grpc_receive_initial_metadata", "iii>", _ALL, "a gRPC stream begins"),
    ("proxy_on_grpc_receive_trailing_metadata", "iii>", _ALL, "a gRPC stream's trailers"),
    ("proxy_on_queue_ready", "ii>", _ALL, "a queue has a message"),
    ("proxy_on_done", "i>i", _ALL, "a context is about to end"),
    ("proxy_on_log", "i>", _ALL, "time to write the access log"),
    ("proxy_on_delete", "i>", _ALL, "a context ends"),
    ("proxy_on_request_headers", "ii>i", _V01, "request headers"),
    ("proxy_on_response_headers", "ii>i", _V01, "response headers"),
    ("proxy_on_request_headers", "iii>i", _V02, "request headers"),
    ("proxy_on_response_headers", "iii>i", _V02, "response headers"),
    ("proxy_on_foreign_function", "iii>", _V02, "the host calls a custom function"),
    ("envoy_on_resolve_dns", "iii>", _ALL, "a name is resolved (Envoy only)"),
    ("envoy_on_stats_update", "ii>", _ALL, "statistics are flushed (Envoy only)"),
)

HOST_FUNCTIONS: tuple[HostFunction, ...] = (
    *(HostFunction(ENV, f"proxy_{name}", func_type(t), versions, why) for name, t, versions, why in _PROXY),
    *(HostFunction(ENV, name, func_type(t), versions, why) for name, t, versions, why in _ENVOY),
    *(HostFunction(module, name, func_type(t), _ALL, why) for module in WASI_MODULES for name, t, why in _WASI),
)

CALLBACKS: tuple[Callback, ...] = tuple(
    Callback(name, func_type(t), versions, why) for name, t, versions, why in _CALLBACKS
)

#: Host functions that a module may call while it allocates memory for the host; another one traps.
ALLOCATING = frozenset({"proxy_log", "fd_write", "clock_time_get", "poll_oneoff"})
#: WASI functions that a module may not call while it starts (seen in Envoy 1.40, one by one).
_NOT_STARTING = frozenset({"fd_close", "fd_read", "fd_seek", "path_open", "proc_exit", "sched_yield"})
#: Host functions that a module may call while it starts; another one traps.
STARTING = frozenset({"proxy_log", "emscripten_notify_memory_growth"} | {name for name, *_ in _WASI}) - _NOT_STARTING

#: How a module is asked for memory, in the order in which Envoy looks them up (the specification says the reverse).
ALLOCATORS = ("malloc", "proxy_on_memory_allocate")
ALLOCATOR_TYPE = func_type("i>i")


#: Slot of each host function in the table that a module's imports go through (:mod:`meshsim.wasm.exchange`).
SLOTS = {(function.module, function.name): slot for slot, function in enumerate(HOST_FUNCTIONS)}
#: Behind them in that table, for the shim: each callback by name, and the allocator under the empty name.
GUEST_SLOTS = {
    name: len(SLOTS) + place for place, name in enumerate((*dict.fromkeys(each.name for each in CALLBACKS), ""))
}
BOARD = Board(SLOTS, len(SLOTS) + len(GUEST_SLOTS))


@cache
def offered(version: AbiVersion) -> dict[tuple[str, str], HostFunction]:
    """Return what the host registers for a module of ``version``, by (module, name)."""
    return {(f.module, f.name): f for f in HOST_FUNCTIONS if version in f.versions}


@cache
def callbacks(version: AbiVersion) -> dict[str, Callback]:
    """Return the callbacks that the host looks up in a module of ``version``, by name."""
    return {c.name: c for c in CALLBACKS if version in c.versions}
