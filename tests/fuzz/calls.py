"""The host functions and the kinds of their arguments; how a call of a class is drawn.

A call of a class has one argument of this class, drawn among those that have it; the others are right.
"""

from __future__ import annotations

from functools import cache

from tests.fuzz.arguments import KINDS, Scene
from tests.fuzz.cells import Class
from tests.fuzz.wat import NUMBER, POINTER, SIZE, TYPES

#: The kinds of each function's arguments.
CALLS: dict[str, str] = {
    "env.proxy_log": "level text",
    "env.proxy_get_log_level": "out4",
    "env.proxy_get_current_time_nanoseconds": "out8",
    "env.proxy_set_tick_period_milliseconds": "period",
    "env.proxy_get_configuration": "out4 out4",
    "env.proxy_get_status": "out4 out4 out4",
    "env.proxy_set_property": "own_path value",
    "env.proxy_get_property": "path out4 out4",
    "env.proxy_continue_request": "",
    "env.proxy_continue_response": "",
    "env.proxy_clear_route_cache": "",
    "env.proxy_continue_stream": "stream",
    "env.proxy_close_stream": "stream",
    "env.proxy_send_local_response": "status details body local grpc_status",
    "env.proxy_get_shared_data": "key out4 out4 out4",
    "env.proxy_set_shared_data": "new_key value cas",
    "env.proxy_register_shared_queue": "queue_name out4",
    "env.proxy_resolve_shared_queue": "vm queue_name out4",
    "env.proxy_enqueue_shared_queue": "queue message",
    "env.proxy_dequeue_shared_queue": "queue out4 out4",
    "env.proxy_get_header_map_pairs": "map out4 out4",
    "env.proxy_set_header_map_pairs": "other_map pairs",
    "env.proxy_get_header_map_value": "map read_name out4 out4",
    "env.proxy_add_header_map_value": "map name value",
    "env.proxy_replace_header_map_value": "map name value",
    "env.proxy_remove_header_map_value": "map name",
    "env.proxy_get_header_map_size": "map out4",
    "env.proxy_get_buffer_status": "buffer out4 out4",
    "env.proxy_get_buffer_bytes": "buffer from length out4 out4",
    "env.proxy_set_buffer_bytes": "written_buffer from cut content",
    "env.proxy_http_call": "cluster request body metadata timeout out4",
    "env.proxy_grpc_call": "service method method metadata message timeout out4",
    "env.proxy_grpc_stream": "service method method metadata out4",
    "env.proxy_grpc_send": "token message flag",
    "env.proxy_grpc_cancel": "token",
    "env.proxy_grpc_close": "token",
    "env.proxy_define_metric": "metric_kind metric_name out4",
    "env.proxy_increment_metric": "metric delta",
    "env.proxy_record_metric": "metric delta",
    "env.proxy_get_metric": "metric out8",
    "env.proxy_set_effective_context": "context",
    "env.proxy_done": "",
    "env.proxy_call_foreign_function": "foreign text out4 out4",
    "env.emscripten_notify_memory_growth": "number",
    "env.pthread_equal": "number number",
    "env.envoy_resolve_dns": "host out4",
    "wasi.args_get": "pointer pointer",
    "wasi.args_sizes_get": "out4 out4",
    "wasi.clock_res_get": "clock out8",
    "wasi.clock_time_get": "clock long out8",
    "wasi.environ_get": "out4 fill_start",
    "wasi.environ_sizes_get": "out4 out4",
    "wasi.fd_advise": "fd long long number",
    "wasi.fd_allocate": "fd long long",
    "wasi.fd_close": "fd",
    "wasi.fd_datasync": "fd",
    "wasi.fd_fdstat_get": "fd fill_start",
    "wasi.fd_fdstat_set_flags": "fd number",
    "wasi.fd_fdstat_set_rights": "fd long long",
    "wasi.fd_filestat_get": "fd pointer",
    "wasi.fd_filestat_set_size": "fd long",
    "wasi.fd_filestat_set_times": "fd long long number",
    "wasi.fd_pread": "fd iovecs long out4",
    "wasi.fd_prestat_dir_name": "fd fill",
    "wasi.fd_prestat_get": "fd pointer",
    "wasi.fd_pwrite": "fd iovecs long out4",
    "wasi.fd_read": "fd iovecs out4",
    "wasi.fd_readdir": "fd fill long out4",
    "wasi.fd_renumber": "fd fd",
    "wasi.fd_seek": "fd long number out8",
    "wasi.fd_sync": "fd",
    "wasi.fd_tell": "fd out8",
    "wasi.fd_write": "fd iovecs out4",
    "wasi.path_create_directory": "fd text",
    "wasi.path_filestat_get": "fd number text pointer",
    "wasi.path_filestat_set_times": "fd number text long long number",
    "wasi.path_link": "fd number text fd number",
    "wasi.path_open": "fd number text number long long number out4",
    "wasi.path_readlink": "fd text fill out4",
    "wasi.path_remove_directory": "fd text",
    "wasi.path_rename": "fd text fd text",
    "wasi.path_symlink": "fd fd text",
    "wasi.path_unlink_file": "fd text",
    "wasi.poll_oneoff": "pointer pointer number out4",
    "wasi.proc_exit": "number",
    "wasi.random_get": "fill",
    "wasi.sched_yield": "",
    "wasi.sock_accept": "fd number out4",
    "wasi.sock_recv": "fd iovecs number out4 out4",
    "wasi.sock_send": "fd iovecs number out4",
    "wasi.sock_shutdown": "fd number",
}
assert CALLS.keys() == TYPES.keys(), CALLS.keys() ^ TYPES.keys()


@cache
def classes_of(function: str) -> frozenset[Class]:
    """The classes in which a function can be called; without arguments only well."""
    kinds = [KINDS[word] for word in CALLS[function].split()]
    return frozenset(class_ for class_ in Class if class_ is Class.VALID or any(kind.of(class_) for kind in kinds))


def draw(function: str, class_: Class, scene: Scene) -> tuple[str, ...]:
    """Arguments of a class for a function."""
    kinds = [KINDS[word] for word in CALLS[function].split()]
    those = [i for i, kind in enumerate(kinds) if kind.of(class_)]
    chosen = scene.random.choice(those) if those else -1
    scene.outs[:] = [POINTER, SIZE, NUMBER]
    arguments: list[str] = []
    for i, kind in enumerate(kinds):
        take = kind.of(class_) if i == chosen else kind.valid
        assert take
        arguments += take(scene)
    return tuple(arguments)
