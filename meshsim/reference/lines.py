"""Lines of the ABI trace: what they say, and how they read at each level of comparison."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from meshsim.envoy.outcome import Line


class Level(enum.IntEnum):
    """How closely two traces agree; a higher one includes the lower ones."""

    PROXY = 1
    CALLS = 2
    EXACT = 3

    @property
    def word(self) -> str:
        """The name in commands and files: ``exact``."""
        return self.name.lower()

    @classmethod
    def named(cls, word: str) -> Level:
        """The level for a word.

        >>> Level.named("calls") is Level.CALLS
        True
        """
        return cls[word.upper()]


#: What each argument of a host function is: ``v`` a value, ``p`` an address in the guest's memory, ``n`` a size in
#: bytes of something in it. Functions whose arguments are all values are left out.
_ARGUMENTS = {
    "env.proxy_log": "vpn",
    "env.proxy_get_log_level": "p",
    "env.proxy_get_current_time_nanoseconds": "p",
    "env.proxy_get_configuration": "pp",
    "env.proxy_get_status": "ppp",
    "env.proxy_set_property": "pnpn",
    "env.proxy_get_property": "pnpp",
    "env.proxy_send_local_response": "vpnpnpnv",
    "env.proxy_get_shared_data": "pnppp",
    "env.proxy_set_shared_data": "pnpnv",
    "env.proxy_register_shared_queue": "pnp",
    "env.proxy_resolve_shared_queue": "pnpnp",
    "env.proxy_enqueue_shared_queue": "vpn",
    "env.proxy_dequeue_shared_queue": "vpp",
    "env.proxy_get_header_map_pairs": "vpp",
    "env.proxy_set_header_map_pairs": "vpn",
    "env.proxy_get_header_map_value": "vpnpp",
    "env.proxy_add_header_map_value": "vpnpn",
    "env.proxy_replace_header_map_value": "vpnpn",
    "env.proxy_remove_header_map_value": "vpn",
    "env.proxy_get_header_map_size": "vp",
    "env.proxy_get_buffer_status": "vpp",
    "env.proxy_get_buffer_bytes": "vvvpp",
    "env.proxy_set_buffer_bytes": "vvvpn",
    "env.proxy_http_call": "pnpnpnpnvp",
    "env.proxy_grpc_call": "pnpnpnpnpnvp",
    "env.proxy_grpc_stream": "pnpnpnpnp",
    "env.proxy_grpc_send": "vpnv",
    "env.proxy_define_metric": "vpnp",
    "env.proxy_get_metric": "vp",
    "env.proxy_call_foreign_function": "pnpnpp",
    "env.envoy_resolve_dns": "pnp",
    "wasi.args_get": "pp",
    "wasi.args_sizes_get": "pp",
    "wasi.clock_res_get": "vp",
    "wasi.clock_time_get": "vvp",
    "wasi.environ_get": "pp",
    "wasi.environ_sizes_get": "pp",
    "wasi.fd_fdstat_get": "vp",
    "wasi.fd_prestat_get": "vp",
    "wasi.fd_read": "vpvp",
    "wasi.fd_seek": "vvvp",
    "wasi.fd_write": "vpvp",
    "wasi.poll_oneoff": "ppvp",
    "wasi.random_get": "pn",
}

ALLOCATORS = frozenset({"malloc", "proxy_on_memory_allocate"})
#: Host functions that tell a guest something which no two runs share.
UNREPEATABLE = frozenset({"wasi.clock_time_get", "wasi.random_get"})
_CALL = re.compile(r"(\[(?:host->vm|vm->host)\]) ([^(\s]+)\(([^)]*)\)")
_RETURN = re.compile(r"(\[(?:host<-vm|vm<-host)\]) (\S+) return: ")


@dataclass(frozen=True, slots=True)
class Call:
    """One line of the trace, taken apart.

    ``name`` is the function, WASI's two modules as ``wasi``; ``arguments`` is None for the line of a return.
    """

    side: str
    name: str
    arguments: tuple[str, ...] | None

    @classmethod
    def read(cls, line: str) -> Call | None:
        """Take a line apart; None when it is neither a call nor a return.

        >>> Call.read("[vm->host] wasi_snapshot_preview1.random_get(64, 8)").name
        'wasi.random_get'
        """
        if match := _CALL.fullmatch(line):
            inside = match.group(3)
            return cls(match.group(1), _name(match.group(2)), tuple(inside.split(", ")) if inside else ())
        if match := _RETURN.match(line):
            return cls(match.group(1), _name(match.group(2)), None)
        return None


def _name(text: str) -> str:
    module, dot, function = text.partition(".")
    return f"wasi.{function}" if dot and module.startswith("wasi_") else text


def normal(line: str, level: Level) -> str | None:
    """A line as it reads at a level; None when the level leaves it out.

    >>> normal("[vm->host] env.proxy_log(2, 1024, 3)", Level.CALLS)
    '[vm->host] env.proxy_log(2, address, size)'
    >>> normal("[host<-vm] malloc return: 1024", Level.CALLS)
    '[host<-vm] malloc return: address'
    >>> normal("[host<-vm] malloc return: 1024", Level.PROXY) is None
    True
    """
    call = None if level is Level.EXACT else Call.read(line)
    if call is None:
        return line
    if level is Level.PROXY and (call.name.startswith("wasi.") or call.name in ALLOCATORS):
        return None
    if call.arguments is None:
        return f"{call.side} {call.name} return: address" if call.name in ALLOCATORS else line
    kinds = _ARGUMENTS.get(call.name, "").ljust(len(call.arguments), "v")
    words = [_MASKED.get(kind, text) for kind, text in zip(kinds, call.arguments, strict=False)]
    return f"{call.side} {call.name}({', '.join(words)})"


_MASKED = {"p": "address", "n": "size"}


def by_thread(trace: Iterable[Line]) -> dict[str, list[str]]:
    """The lines of each thread, in order; main first, then the workers by number."""
    threads: dict[str, list[str]] = {}
    for thread, line in trace:
        threads.setdefault(thread, []).append(line)
    return dict(sorted(threads.items(), key=lambda item: thread_order(item[0])))


def thread_order(thread: str) -> tuple[bool, int, str]:
    """Sorting key of a thread's name: main, worker_0, worker_1... worker_10."""
    number = thread.rpartition("_")[2]
    return thread != "main", int(number) if number.isdecimal() else 0, thread


def split_ticks(lines: Sequence[str]) -> tuple[list[str], list[tuple[str, ...]]]:
    """A thread's lines without its ticks, and the ticks: the lines from each call of ``proxy_on_tick`` to its return.

    A tick that traps has no return line; it ends before the next call from the host that is not inside of it,
    which is then the next callback.
    """
    rest: list[str] = []
    ticks: list[tuple[str, ...]] = []
    span: list[str] = []
    for line in lines:
        call = Call.read(line)
        if span:
            if _starts_callback(call, span):
                ticks.append(tuple(span))
                span = []
            else:
                span.append(line)
                if line.startswith("[host<-vm] proxy_on_tick "):
                    ticks.append(tuple(span))
                    span = []
                continue
        if call and call.side == "[host->vm]" and call.name == "proxy_on_tick":
            span = [line]
        else:
            rest.append(line)
    if span:
        ticks.append(tuple(span))
    return rest, ticks


def _starts_callback(call: Call | None, span: Sequence[str]) -> bool:
    """Whether a call from the host begins anew, rather than inside the host call that is open in the span."""
    if call is None or call.side != "[host->vm]":
        return False
    calls = [inner for line in span if (inner := Call.read(line))]
    opened = sum(inner.side == "[vm->host]" for inner in calls) - sum(inner.side == "[vm<-host]" for inner in calls)
    return opened <= 0


def before_streams(lines: Iterable[str]) -> Iterator[str]:
    """What a worker did before it met its first stream, or its shutdown."""
    for line in lines:
        call = Call.read(line)
        if call and call.arguments and call.side == "[host->vm]":
            if call.name == "proxy_on_context_create" and call.arguments[1:] != ("0",):
                return
            if call.name in ("proxy_on_done", "proxy_on_delete"):
                return
        yield line


def reads_clock_or_random(trace: Iterable[Line]) -> bool:
    """Whether a guest asked for a clock's time or for random bytes."""
    return any(
        (call := Call.read(line)) is not None and call.name in UNREPEATABLE
        for _, line in trace
        if line.startswith("[vm->host] wasi_")
    )
