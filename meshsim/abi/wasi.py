"""WASI preview 1, as much of it as Envoy offers: output, clocks, random bytes, environment; no files, no network.

Most functions answer one number, whatever they are asked; they are a table. Envoy offers the same functions under
``wasi_snapshot_preview1`` and ``wasi_unstable``.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from meshsim.abi.constants import LogLevel
from meshsim.abi.hostcalls import guest_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshsim.abi.proxy_wasm import ProxyWasm

SUCCESS, BADF, NOTDIR, FAULT, INVAL, NOENT, NOSYS, NOTSUP, NOTCAPABLE = 0, 8, 20, 21, 28, 44, 52, 58, 76

_STDOUT, _STDERR = 1, 2
_REALTIME, _MONOTONIC = 0, 1
_RIGHT_TO_WRITE = 64
_RANDOM_MAX_BYTES = 64 * 1024
#: What one vector of a write takes here, while it is looked at.
_VECTOR_BYTES = 128

#: Functions whose answer depends on nothing.
_CONSTANT = {
    "args_get": SUCCESS,
    "fd_advise": SUCCESS,
    "fd_fdstat_set_flags": NOSYS,
    "fd_filestat_get": BADF,
    "fd_pread": NOSYS,
    "fd_prestat_dir_name": NOSYS,
    "fd_prestat_get": BADF,
    "fd_read": NOSYS,
    "path_create_directory": NOTSUP,
    "path_filestat_get": NOTSUP,
    "path_filestat_set_times": NOTSUP,
    "path_link": NOTSUP,
    "path_open": NOENT,
    "path_remove_directory": NOTSUP,
    "path_rename": NOTSUP,
    "path_symlink": NOTSUP,
    "path_unlink_file": NOTSUP,
    "sched_yield": SUCCESS,
    "sock_shutdown": NOTSUP,
}

#: Functions that succeed on the two output descriptors and know no other.
_OUTPUT_ONLY = frozenset(
    {
        "fd_allocate",
        "fd_datasync",
        "fd_fdstat_set_rights",
        "fd_filestat_set_size",
        "fd_filestat_set_times",
        "fd_sync",
    }
)


class Wasi:
    """The WASI functions of one VM."""

    def __init__(self, wasm: ProxyWasm) -> None:
        self._wasm = wasm
        self._host = wasm.host

    def __getattr__(self, name: str) -> Callable[..., int]:
        """Give the functions of the two tables."""
        if name in _CONSTANT:
            return lambda *_: _CONSTANT[name]
        if name in _OUTPUT_ONLY:
            return lambda fd, *_: SUCCESS if fd in (_STDOUT, _STDERR) else BADF
        raise AttributeError(name)

    def _put(self, pointer: int, data: bytes) -> int:
        return SUCCESS if self._wasm.vm.memory.write(pointer, data) else FAULT

    # -- output ---

    def fd_write(self, fd: int, vectors: int, count: int, written_out: int) -> int:
        """Log what is written: descriptor 1 at info, 2 at error; one trailing newline goes."""
        text = self._gather(vectors, count)
        if text is None:
            return FAULT
        if fd not in (_STDOUT, _STDERR):
            return BADF
        if text:
            level = LogLevel.INFO if fd == _STDOUT else LogLevel.ERROR
            message = guest_text(text.removesuffix(b"\n"))
            self._wasm.keep_log(len(text))
            self._host.log(level, f"wasm log{self._wasm.acting.log_prefix}: {message}")
        return self._put(written_out, struct.pack("<I", len(text)))

    def fd_pwrite(self, fd: int, vectors: int, count: int, offset: int, written_out: int) -> int:
        """Log what is written, at whatever offset."""
        return self.fd_write(fd, vectors, count, written_out)

    def _gather(self, vectors: int, count: int) -> bytes | None:
        memory = self._wasm.vm.memory
        end = memory.size
        if count and vectors + 8 * count > end:
            return None
        self._wasm.allowance.spend(_VECTOR_BYTES * count)
        pieces = list(struct.iter_unpack("<II", memory.read(vectors, 8 * count) or b""))
        if any(pointer + size > end for pointer, size in pieces):
            return None
        # Many vectors may name the same bytes: their sum has no bound but this.
        self._wasm.allowance.spend(sum(size for _, size in pieces))
        return b"".join(memory.read(pointer, size) or b"" for pointer, size in pieces)

    # -- descriptors ---

    def fd_seek(self, fd: int, offset: int, whence: int, new_offset_out: int) -> int:
        """Say in Envoy's log that this was called, and agree."""
        return self._unusual("fd_seek")

    def fd_close(self, fd: int) -> int:
        """Say in Envoy's log that this was called, and agree."""
        return self._unusual("fd_close")

    def _unusual(self, name: str) -> int:
        self._host.report(LogLevel.TRACE, f"wasi_unstable {name}")
        return SUCCESS

    def fd_fdstat_get(self, fd: int, stat_out: int) -> int:
        """Describe the two output descriptors: they may be written. Envoy does not check where to."""
        if fd not in (_STDOUT, _STDERR):
            return BADF
        self._put(stat_out, struct.pack("<QQQ", 0, _RIGHT_TO_WRITE, 0))
        return SUCCESS

    def fd_tell(self, fd: int, offset_out: int) -> int:
        """Give place 0 of the output descriptors."""
        return self._put(offset_out, bytes(8)) if fd in (_STDOUT, _STDERR) else BADF

    def fd_renumber(self, fd: int, to: int) -> int:
        """Refuse, and unknown descriptors first."""
        return NOTSUP if {fd, to} <= {_STDOUT, _STDERR} else BADF

    def fd_readdir(self, fd: int, buffer: int, size: int, cookie: int, used_out: int) -> int:
        """List nothing: there are no folders."""
        return self._put(used_out, bytes(4)) or NOTDIR

    def path_readlink(self, fd: int, path: int, path_size: int, buffer: int, buffer_size: int, used_out: int) -> int:
        """Say that nothing was read, and refuse."""
        return self._put(used_out, bytes(4)) or NOTSUP

    # -- sockets ---

    def sock_accept(self, fd: int, flags: int, fd_out: int) -> int:
        """Give descriptor 0, in eight bytes, and refuse."""
        return self._put(fd_out, bytes(8)) or NOTSUP

    def sock_recv(self, fd: int, vectors: int, count: int, flags: int, size_out: int, flags_out: int) -> int:
        """Say that nothing was received, with no flags (16 bits of them), and refuse."""
        return self._put(size_out, bytes(4)) or self._put(flags_out, bytes(2)) or NOTSUP

    def sock_send(self, fd: int, vectors: int, count: int, flags: int, size_out: int) -> int:
        """Say that nothing was sent, and refuse."""
        return self._put(size_out, bytes(4)) or NOTSUP

    # -- environment ---

    def args_sizes_get(self, count_out: int, size_out: int) -> int:
        """No arguments."""
        return self._put(count_out, bytes(4)) or self._put(size_out, bytes(4))

    def environ_sizes_get(self, count_out: int, size_out: int) -> int:
        """Count variables and the bytes that they take."""
        entries = self._entries()
        sizes = len(entries), sum(map(len, entries))
        return self._put(count_out, struct.pack("<I", sizes[0])) or self._put(size_out, struct.pack("<I", sizes[1]))

    def environ_get(self, pointers: int, text: int) -> int:
        """Give ``NAME=value`` strings and where each begins."""
        at = text
        for i, entry in enumerate(self._entries()):
            if self._put(pointers + 4 * i, struct.pack("<I", at)) or self._put(at, entry):
                return FAULT
            at += len(entry)
        return SUCCESS

    def _entries(self) -> list[bytes]:
        return [
            f"{name}={value}\0".encode("utf-8", "surrogateescape") for name, value in self._host.environment.items()
        ]

    # -- clocks and chance ---

    def clock_time_get(self, clock: int, precision: int, time_out: int) -> int:
        """Give virtual time: the wall clock or the time since the start."""
        readings = {_REALTIME: self._host.epoch_ns, _MONOTONIC: self._host.now_ns}
        if clock not in readings:
            return NOTSUP
        return self._put(time_out, struct.pack("<Q", readings[clock]()))

    def clock_res_get(self, clock: int, resolution_out: int) -> int:
        """Both clocks count nanoseconds."""
        return self._put(resolution_out, struct.pack("<Q", 1)) if clock in (_REALTIME, _MONOTONIC) else NOTSUP

    def random_get(self, buffer: int, size: int) -> int:
        """Give bytes of a seeded stream, at most 64 KiB at a time."""
        if size > _RANDOM_MAX_BYTES:
            return INVAL
        return self._put(buffer, self._host.random_bytes(size)) if size else SUCCESS

    def poll_oneoff(self, subscriptions: int, events: int, count: int, count_out: int) -> int:
        """Nothing ever happens; Go's runtime asks."""
        return self._put(count_out, bytes(4))

    def proc_exit(self, code: int) -> None:
        """Say so in the log, and return to the guest, as Envoy does."""
        self._host.report(LogLevel.TRACE, "wasi_unstable proc_exit")
