from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from meshsim.abi.constants import LogLevel
from meshsim.abi.proxy_wasm import ProxyWasm
from meshsim.abi.wasi import BADF, FAULT, INVAL, NOSYS, NOTDIR, NOTSUP, SUCCESS, Wasi
from tests.abi.conftest import FakeHost, MakeWasm, module

FAR = 2**32 - 1
Read = Callable[[int, int], bytes]


@pytest.fixture
def host() -> FakeHost:
    return FakeHost()


@pytest.fixture
def wasm(make_wasm: MakeWasm, host: FakeHost) -> ProxyWasm:
    return make_wasm(module(), host)


@pytest.fixture
def wasi(wasm: ProxyWasm) -> Wasi:
    return Wasi(wasm)


def vectors(wasm: ProxyWasm, *pieces: bytes) -> tuple[int, int]:
    """Put pieces and a table of them into the memory; return where the table is and how long."""
    table, at = b"", 0x1000
    for piece in pieces:
        wasm.vm.memory.write(at, piece)
        table += struct.pack("<II", at, len(piece))
        at += len(piece)
    wasm.vm.memory.write(0x800, table)
    return 0x800, len(pieces)


@pytest.mark.parametrize(
    ("pieces", "logged", "written"),
    [
        ((b"hello",), "hello", 5),
        ((b"two\n\n",), "two\n", 5),
        ((b"\n",), "", 1),
        ((b"a", b"", b"b\n"), "ab", 3),
        ((b"\xff\0",), "\udcff\0", 2),
    ],
)
def test_output_is_logged_without_its_newline(
    wasm: ProxyWasm, wasi: Wasi, host: FakeHost, pieces: tuple[bytes, ...], logged: str, written: int
) -> None:
    for fd, level in ((1, LogLevel.INFO), (2, LogLevel.ERROR)):
        assert wasi.fd_write(fd, *vectors(wasm, *pieces), 16) == SUCCESS
        assert host.logs.pop() == (level, f"wasm log: {logged}")
        assert wasm.vm.memory.read_u32(16) == written


def test_no_output_is_no_line(wasm: ProxyWasm, wasi: Wasi, host: FakeHost) -> None:
    for pieces in ((), (b"",)):
        assert wasi.fd_write(1, *vectors(wasm, *pieces), 16) == SUCCESS
        assert wasm.vm.memory.read_u32(16) == 0
    assert host.logs == []


def test_a_bad_place_for_the_count_does_not_take_the_line_back(wasm: ProxyWasm, wasi: Wasi, host: FakeHost) -> None:
    assert wasi.fd_write(1, *vectors(wasm, b"said"), FAR) == FAULT
    assert host.logs == [(LogLevel.INFO, "wasm log: said")]


@pytest.mark.parametrize("fd", [0, 3, FAR])
def test_other_descriptors_do_not_exist(wasm: ProxyWasm, wasi: Wasi, host: FakeHost, fd: int) -> None:
    assert wasi.fd_write(fd, *vectors(wasm, b"x"), 16) == BADF
    assert wasi.fd_fdstat_get(fd, 16) == BADF
    assert wasi.fd_tell(fd, 16) == BADF
    assert wasi.fd_sync(fd) == BADF
    assert wasi.fd_renumber(1, fd) == BADF
    assert host.logs == []


def test_the_output_descriptors_may_be_written(wasm: ProxyWasm, wasi: Wasi) -> None:
    assert wasi.fd_fdstat_get(1, 16) == SUCCESS
    assert wasm.vm.memory.read(16, 24) == struct.pack("<QQQ", 0, 64, 0)
    assert wasi.fd_fdstat_get(2, FAR) == SUCCESS  # Envoy does not look
    assert wasi.fd_renumber(1, 2) == NOTSUP
    assert wasi.fd_read(1, 0, 0, 0) == NOSYS
    assert wasi.fd_readdir(1, 0, 0, 0, 16) == NOTDIR


def test_the_environment(wasm: ProxyWasm, wasi: Wasi, host: FakeHost) -> None:
    host.environment = {"A": "1", "LONG": "value"}
    assert wasi.environ_sizes_get(16, 20) == SUCCESS
    assert (wasm.vm.memory.read_u32(16), wasm.vm.memory.read_u32(20)) == (2, 4 + 11)
    assert wasi.environ_get(32, 64) == SUCCESS
    assert wasm.vm.memory.read(32, 8) == struct.pack("<II", 64, 68)
    assert wasm.vm.memory.read(64, 15) == b"A=1\0LONG=value\0"
    assert wasi.environ_get(FAR, 64) == wasi.environ_get(32, FAR) == FAULT


def test_a_variable_that_is_not_utf_8_reaches_the_guest_as_it_is(wasm: ProxyWasm, wasi: Wasi, host: FakeHost) -> None:
    host.environment = {"A": b"\xff".decode("utf-8", "surrogateescape")}
    assert wasi.environ_get(32, 64) == SUCCESS
    assert wasm.vm.memory.read(64, 4) == b"A=\xff\0"


@pytest.mark.parametrize(("clock", "time"), [(0, 1_000_000_007), (1, 5)])
def test_the_clocks_are_the_hosts(wasm: ProxyWasm, wasi: Wasi, clock: int, time: int) -> None:
    assert wasi.clock_time_get(clock, 1, 16) == SUCCESS
    assert wasm.vm.memory.read(16, 8) == struct.pack("<Q", time)
    assert wasi.clock_res_get(clock, 16) == SUCCESS
    assert wasm.vm.memory.read(16, 8) == struct.pack("<Q", 1)
    assert wasi.clock_time_get(clock, 1, FAR) == FAULT


def test_there_is_no_third_clock(wasi: Wasi) -> None:
    assert wasi.clock_time_get(2, 1, 16) == wasi.clock_res_get(3, 16) == NOTSUP


@pytest.mark.parametrize(
    ("pointer", "size", "answer"),
    [
        (16, 0, SUCCESS),
        (FAR, 0, SUCCESS),
        (0, 65536, SUCCESS),
        (16, 65537, INVAL),
        (FAR, 65537, INVAL),
        (FAR, 1, FAULT),
    ],
)
def test_chance(wasm: ProxyWasm, wasi: Wasi, pointer: int, size: int, answer: int) -> None:
    assert wasi.random_get(pointer, size) == answer
    if size and answer == SUCCESS:
        assert wasm.vm.memory.read(pointer, size) == b"\xaa" * size


def test_what_a_host_function_stands_for_is_told_when_it_is_unusual(wasi: Wasi, host: FakeHost) -> None:
    assert wasi.fd_seek(1, 0, 0, 0) == wasi.fd_close(9) == SUCCESS
    assert wasi.proc_exit(1) is None  # type: ignore[func-returns-value]
    assert [text for _, text in host.reports] == [
        "wasi_unstable fd_seek",
        "wasi_unstable fd_close",
        "wasi_unstable proc_exit",
    ]
