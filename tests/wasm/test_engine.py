from __future__ import annotations

import gc
from pathlib import Path

import pytest
import wasmtime

from meshsim.errors import ModuleError, NotModelled
from meshsim.wasm import CodeCache, Engine, FuncType, Vm, shared_engine
from meshsim.wasm import engine as engine_module
from meshsim.wasm.engine import NativeEngine
from meshsim.wasm.selftest import self_test

TWO = bytes(wasmtime.wat2wasm('(module (func (export "two") (result i32) (i32.const 2)))'))
THREE = bytes(wasmtime.wat2wasm('(module (func (export "two") (result i32) (i32.const 3)))'))


def run(engine: Engine, data: bytes) -> int:
    function = Vm(engine.compile(data), {}).function("two", FuncType("", "i"))
    assert function is not None
    return function()  # type: ignore[no-any-return]


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the modules that Wasmtime was asked to compile."""
    sizes: list[int] = []
    self_test()

    class Spy(wasmtime.Module):
        def __init__(self, engine: wasmtime.Engine, wasm: bytes) -> None:
            sizes.append(len(wasm))
            super().__init__(engine, wasm)

    monkeypatch.setattr(engine_module.wasmtime, "Module", Spy)
    return sizes


def test_a_module_is_compiled_once(compilations: list[int]) -> None:
    engine = Engine()
    first = engine.compile(TWO)
    assert engine.compile(bytearray(TWO)) is first
    assert engine.compile(THREE) is not first
    assert compilations == [len(TWO), len(THREE)]


def test_recent_modules_are_kept_and_older_ones_are_not(compilations: list[int]) -> None:
    engine = Engine()
    for number in range(engine_module.RECENT + 1):
        engine.compile(bytes(wasmtime.wat2wasm(f"(module (func (result i32) (i32.const {number})))")))
    gc.collect()
    assert len(engine._compiled) == engine_module.RECENT
    engine.compile(bytes(wasmtime.wat2wasm("(module (func (result i32) (i32.const 16)))")))
    assert len(compilations) == engine_module.RECENT + 1


def test_code_comes_from_the_cache(tmp_path: Path, compilations: list[int]) -> None:
    assert run(Engine(CodeCache(tmp_path)), TWO) == 2
    assert run(Engine(CodeCache(tmp_path)), TWO) == 2
    assert compilations == [len(TWO)]
    assert run(Engine(CodeCache(tmp_path), memory_reservation=1 << 20), TWO) == 2  # other settings, other code
    assert compilations == [len(TWO)] * 2


def test_code_that_the_engine_refuses_is_compiled_anew(tmp_path: Path, compilations: list[int]) -> None:
    cache = CodeCache(tmp_path)
    Engine(cache).compile(TWO)
    (entry,) = cache.folder.iterdir()
    facts, settings = Engine().compile(TWO).facts, Engine()
    name = settings.compile(TWO).native()[0].name
    assert cache.path(facts.sha256, name) == entry
    cache.store(b"valid checksum, but no code", facts.sha256, name)
    compilations.clear()
    assert run(Engine(cache), TWO) == 2
    assert compilations == [len(TWO)]
    assert run(Engine(cache), TWO) == 2
    assert compilations == [len(TWO)]


def test_code_of_one_engine_does_not_run_in_another(tmp_path: Path) -> None:
    plain = Engine().compile(TWO).native()[1].serialize()
    _, module = Engine().compile(TWO, interruptible=True).native(interruptible=True)
    assert bytes(plain) != bytes(module.serialize())


def test_without_a_usable_cache_modules_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert run(Engine(CodeCache(tmp_path / "file")), TWO) == 2


def test_the_name_in_the_cache_says_version_and_settings() -> None:
    name = Engine(memory_reservation=1 << 20).compile(TWO).native()[0].name
    assert name == "wasmtime 50.0.1 Settings(interruptible=False, memory_reservation=1048576)".replace(
        "50.0.1", engine_module.wasmtime_version()
    )


def test_a_module_is_compiled_for_deadlines_when_one_is_wanted(compilations: list[int]) -> None:
    compiled = Engine().compile(TWO)
    native, _ = compiled.native()
    other, _ = compiled.native(interruptible=True)
    assert isinstance(native, NativeEngine)
    assert (native.settings.interruptible, other.settings.interruptible) == (False, True)
    assert compiled.native(interruptible=True)[0] is other
    assert compilations == [len(TWO)] * 2


def test_compiled_code_has_a_size() -> None:
    small = Engine().compile(TWO)
    much = "(drop (memory.grow (i32.const 0)))" * 5000
    big = Engine().compile(bytes(wasmtime.wat2wasm(f"(module (memory 1) (func {much}))")))
    assert 0 < small.native_bytes < big.native_bytes


@pytest.mark.parametrize(
    "wat",
    [
        "(tag) (func (block $b (try_table (catch_all $b))))",
        "(func $f (return_call $f))",
        "(func (drop (ref.i31 (i32.const 1))))",
        "(memory i64 1)",
        "(memory $a 1) (memory $b 1)",
        "(func (param v128) (drop (i8x16.relaxed_swizzle (local.get 0) (local.get 0))))",
        "(memory 1) (func (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1))))",
        "(type $f (func)) (func (param (ref $f)) (call_ref $f (local.get 0)))",
        "(global i32 (i32.add (i32.const 1) (i32.const 2)))",
    ],
)
def test_what_v8_runs_by_default_runs_here(engine: Engine, wat: str) -> None:
    assert engine.compile(bytes(wasmtime.wat2wasm(f"(module {wat})"))).native_bytes > 0


def test_an_invalid_module_is_refused_with_the_engines_reason(engine: Engine) -> None:
    broken = bytearray(TWO)
    broken[-3:-1] = b"\x6a\x01"  # i32.add on an empty stack instead of a constant
    with pytest.raises(ModuleError, match="the engine refuses the module: ") as caught:
        engine.compile(bytes(broken))
    assert "\n" not in caught.value.what
    assert not isinstance(caught.value, NotModelled)


def test_what_only_v8_runs_is_not_modelled(engine: Engine) -> None:
    with pytest.raises(NotModelled, match="shared-memory"):
        engine.compile(bytes(wasmtime.wat2wasm("(module (memory 1 1 shared))")))
    body = bytes.fromhex("00 0640 19 0b 0b")  # try catch_all end end
    legacy = b"\0asm\1\0\0\0" + bytes.fromhex("0104 01600000 0302 0100 0a08 01") + bytes([len(body)]) + body
    with pytest.raises(NotModelled, match="legacy-exceptions"):
        engine.compile(legacy)


def test_bytes_that_are_no_module_are_refused(engine: Engine) -> None:
    with pytest.raises(ModuleError, match="not a Wasm module"):
        engine.compile(b"(module)")


def test_there_is_one_shared_engine_with_a_cache() -> None:
    assert shared_engine() is shared_engine()
    assert isinstance(shared_engine()._cache, CodeCache)


@pytest.mark.parametrize(
    ("limit", "reservation"), [(engine_module.resource.RLIM_INFINITY, 4 << 30), (8 << 30, 64 << 20)]
)
def test_little_address_space_means_small_reservations(
    monkeypatch: pytest.MonkeyPatch, limit: int, reservation: int
) -> None:
    monkeypatch.setattr(engine_module.resource, "getrlimit", lambda _: (limit, limit))
    assert Engine().compile(TWO).native()[0].settings.memory_reservation == reservation
