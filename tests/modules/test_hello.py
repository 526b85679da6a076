"""The seven `hello` modules behave alike, each run by a host of thirty lines that shares no code with meshsim."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import wasmtime

HELLO = Path(__file__).parents[2] / "modules" / "hello"
LANGUAGES = ("wat", "c", "cpp", "zig", "rust", "go", "assemblyscript")
ROOT, STREAM = 1, 2
OK, NOT_FOUND, INVALID_MEMORY_ACCESS = 0, 1, 6

CALLBACKS = {
    "proxy_abi_version_0_2_1",
    "proxy_on_memory_allocate",
    "proxy_on_context_create",
    "proxy_on_vm_start",
    "proxy_on_configure",
    "proxy_on_request_headers",
    "proxy_on_log",
    "proxy_on_done",
    "proxy_on_delete",
}

every_language = pytest.mark.parametrize("language", LANGUAGES)


ENGINE = wasmtime.Engine()


@cache
def compiled(language: str) -> wasmtime.Module:
    return wasmtime.Module.from_file(ENGINE, str(HELLO / f"hello-{language}.wasm"))


class Host:
    """A VM with one plugin in it, and the three host functions that `hello` asks for, written down as they happen."""

    def __init__(self, language: str) -> None:
        module = compiled(language)
        self.headers: dict[bytes, bytes] = {}
        self.calls: list[tuple[object, ...]] = []
        self.store = wasmtime.Store(ENGINE)
        self.store.set_wasi(wasmtime.WasiConfig())
        linker = wasmtime.Linker(ENGINE)
        linker.define_wasi()
        i32 = wasmtime.ValType.i32()
        for name, function, arity in (
            ("proxy_log", self.log, 3),
            ("proxy_get_header_map_value", self.get_header, 5),
            ("proxy_add_header_map_value", self.add_header, 5),
        ):
            linker.define_func("env", name, wasmtime.FuncType([i32] * arity, [i32]), function)
        self.exports = linker.instantiate(self.store, module).exports(self.store)
        self.memory = self.exports["memory"]
        if "_initialize" in self.exports:
            self.call("_initialize")
        self.call("proxy_on_context_create", ROOT, 0)

    def call(self, name: str, *arguments: int) -> int | None:
        return self.exports[name](self.store, *arguments)

    def read(self, address: int, size: int) -> bytes:
        return bytes(self.memory.read(self.store, address, address + size)) if size else b""

    def write(self, address: int, data: bytes) -> None:
        self.memory.write(self.store, data, address)

    def log(self, level: int, message: int, size: int) -> int:
        self.calls.append(("log", level, self.read(message, size)))
        return OK

    def get_header(self, headers: int, key: int, key_size: int, value_cell: int, size_cell: int) -> int:
        name = self.read(key, key_size)
        self.calls.append(("get", headers, name))
        if name not in self.headers:
            return NOT_FOUND
        value, block = self.headers[name], 0
        if value:
            block = self.call("proxy_on_memory_allocate", len(value)) or 0
            if not block:
                return INVALID_MEMORY_ACCESS
            self.write(block, value)
        self.write(value_cell, block.to_bytes(4, "little"))
        self.write(size_cell, len(value).to_bytes(4, "little"))
        return OK

    def add_header(self, headers: int, key: int, key_size: int, value: int, value_size: int) -> int:
        self.calls.append(("add", headers, self.read(key, key_size), self.read(value, value_size)))
        return OK

    def request(self, stream: int = STREAM, **headers: bytes) -> int | None:
        """Send the headers of one request through the filter, then end the stream; return what it answered."""
        self.headers = {name.encode(): value for name, value in headers.items()}
        self.call("proxy_on_context_create", stream, ROOT)
        action = self.call("proxy_on_request_headers", stream, len(headers), 1)
        self.call("proxy_on_log", stream)
        self.call("proxy_on_done", stream)
        self.call("proxy_on_delete", stream)
        return action


def asks() -> tuple[object, ...]:
    return ("get", 0, b"authorization")


def says(text: bytes) -> tuple[object, ...]:
    return ("log", 2, text)


def marks(language: str) -> tuple[object, ...]:
    return ("add", 0, b"x-wasm", language.encode())


@every_language
def test_offers_the_same_callbacks_and_asks_for_the_same_host_functions(language: str) -> None:
    module = compiled(language)
    assert {export.name for export in module.exports if export.name.startswith("proxy_")} == CALLBACKS
    assert {imported.name for imported in module.imports if imported.module == "env"} == {
        "proxy_log",
        "proxy_get_header_map_value",
        "proxy_add_header_map_value",
    }


@every_language
def test_only_go_needs_wasi(language: str) -> None:
    modules = {imported.module for imported in compiled(language).imports}
    assert modules == ({"env", "wasi_snapshot_preview1"} if language == "go" else {"env"})


@every_language
def test_accepts_its_start_its_configuration_and_its_end(language: str) -> None:
    host = Host(language)
    answers = [host.call(name, ROOT, 0) for name in ("proxy_on_vm_start", "proxy_on_configure")]
    answers.append(host.call("proxy_on_done", ROOT))
    host.call("proxy_on_delete", ROOT)
    assert (answers, host.calls) == ([1, 1, 1], [])


@every_language
def test_logs_the_header_marks_the_request_and_says_goodbye(language: str) -> None:
    host = Host(language)
    assert host.request(authorization=b"Bearer abc") == 0
    assert host.calls == [asks(), says(b"Bearer abc"), marks(language), says(b"goodbye")]


@every_language
def test_logs_nothing_without_the_header(language: str) -> None:
    host = Host(language)
    assert host.request(cookie=b"a=b") == 0
    assert host.calls == [asks(), marks(language), says(b"goodbye")]


@every_language
@pytest.mark.parametrize("value", [b"", b"\xff\x00\xfe", b"x" * 50_000], ids=["empty", "not UTF-8", "50 kB"])
def test_takes_any_value_as_it_comes(language: str, value: bytes) -> None:
    host = Host(language)
    host.request(authorization=value)
    assert host.calls[1] == says(value)


@every_language
def test_serves_streams_that_overlap(language: str) -> None:
    host = Host(language)
    host.call("proxy_on_context_create", 2, ROOT)
    host.call("proxy_on_context_create", 3, ROOT)
    for stream in (3, 2):
        host.call("proxy_on_request_headers", stream, 0, 1)
    host.call("proxy_on_delete", 3)
    host.call("proxy_on_log", 2)
    assert host.calls == [asks(), marks(language), asks(), marks(language), says(b"goodbye")]


@every_language
def test_gives_back_the_memory_of_every_request(language: str) -> None:
    host = Host(language)

    def pages_after(requests: range) -> int:
        for stream in requests:
            host.request(stream, authorization=b"x" * 8_000)
        return host.memory.size(host.store)

    # 8 MB to find its size (Go lets garbage pile up to 4 MB before it collects), then 16 MB that must not show.
    assert pages_after(range(2, 1_002)) == pages_after(range(1_002, 3_002))


def test_goes_on_without_a_value_that_does_not_fit() -> None:
    host = Host("wat")
    assert host.request(authorization=b"x" * 65_536) == 0
    assert host.calls == [asks(), marks("wat"), says(b"goodbye")]
    host.calls.clear()
    host.request(authorization=b"fits again")
    assert host.calls[1] == says(b"fits again")
