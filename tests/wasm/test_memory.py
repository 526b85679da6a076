from __future__ import annotations

from collections.abc import Callable

import pytest
import wasmtime
from hypothesis import given
from hypothesis import strategies as st

from meshsim.wasm import Engine, FuncType, Limits, Memory, Vm

PAGE = 65536
GROWING = """(module (memory (export "memory") 1 16)
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "store") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0))))"""


@pytest.fixture(params=["fixed", "movable"])
def vm(request: pytest.FixtureRequest) -> Vm:
    """A VM whose memory stays where it is, or may be moved by the engine when it grows."""
    engine = Engine(memory_reservation=None if request.param == "fixed" else 0)
    return Vm(engine.compile(bytes(wasmtime.wat2wasm(GROWING))), {})


def call(vm: Vm, name: str, *arguments: int) -> int:
    types = {"grow": FuncType("i", "i"), "store": FuncType("ii", ""), "load": FuncType("i", "i")}
    function = vm.function(name, types[name])
    assert function is not None
    return function(*arguments)  # type: ignore[no-any-return]


def test_the_host_sees_what_the_guest_wrote_and_the_other_way_round(vm: Vm) -> None:
    call(vm, "store", 100, 0x11223344)
    assert vm.memory.read(100, 4) == b"\x44\x33\x22\x11"
    assert vm.memory.read_u32(100) == 0x11223344
    assert vm.memory.write(200, b"\xff\0\0\x80")
    assert call(vm, "load", 200) == 0x800000FF
    assert vm.memory.write_u32(300, -2)
    assert call(vm, "load", 300) == 0xFFFFFFFE
    assert vm.memory.write_u64(400, 1 << 40 | 7)
    assert (call(vm, "load", 400), call(vm, "load", 404)) == (7, 1 << 8)


def test_numbers_need_no_alignment(vm: Vm) -> None:
    assert vm.memory.write_u32(PAGE - 5, 0xDEADBEEF)
    assert vm.memory.read_u32(PAGE - 5) == 0xDEADBEEF


@pytest.mark.parametrize(
    ("ptr", "size", "inside"),
    [
        (0, 0, True),
        (0, PAGE, True),
        (PAGE, 0, True),
        (PAGE - 1, 1, True),
        (PAGE - 1, 2, False),
        (PAGE, 1, False),
        (PAGE + 1, 0, False),
        (2**32 - 1, 0, False),
        (2**32 - 1, 2**32 - 1, False),
        (-1, 1, False),
        (5, -1, False),
        (-8, 4, False),
    ],
)
def test_every_byte_must_be_inside(vm: Vm, ptr: int, size: int, inside: bool) -> None:
    assert (vm.memory.read(ptr, size) is not None) == inside
    if size >= 0:
        data = bytes(min(size, PAGE + 1))
        assert vm.memory.write(ptr, data) == inside


@pytest.mark.parametrize("ptr", [PAGE - 3, PAGE, 2**32 - 1, -1, -4])
def test_numbers_outside_are_refused(vm: Vm, ptr: int) -> None:
    before = vm.memory.read(0, PAGE)
    assert vm.memory.read_u32(ptr) is None
    assert not vm.memory.write_u32(ptr, 1)
    assert not vm.memory.write_u64(ptr, 1)
    assert vm.memory.read(0, PAGE) == before


def test_a_view_made_before_the_memory_grew_is_not_used_after_it(vm: Vm) -> None:
    memory = vm.memory
    assert memory.read(PAGE - 4, 4) == bytes(4)
    assert memory.read(PAGE - 2, 4) is None
    assert call(vm, "grow", 3) == 1
    call(vm, "store", PAGE - 2, 0x04030201)
    assert memory.read(PAGE - 2, 4) == b"\1\2\3\4"  # not cut off at the old end
    assert memory.size == 4 * PAGE
    assert memory.write(4 * PAGE - 2, b"\x09\x08")
    assert memory.read_u32(4 * PAGE - 4) == 0x08090000
    assert call(vm, "load", 4 * PAGE - 4) == 0x08090000


def test_memory_that_is_out_of_the_old_range_is_looked_at_again(vm: Vm) -> None:
    vm.memory.read(0, 1)
    call(vm, "grow", 1)
    assert vm.memory.write_u32(PAGE + 8, 5)
    assert vm.memory.read_u32(PAGE + 8) == 5
    call(vm, "grow", 1)
    assert vm.memory.write_u64(2 * PAGE + 8, 5)


def test_growth_again_and_again_moves_nothing_under_the_host(vm: Vm) -> None:
    for pages in range(1, 16):
        assert vm.memory.write_u32(8, pages)
        assert call(vm, "grow", 1) == pages
        assert call(vm, "load", 8) == pages
        assert vm.memory.read_u32(8) == pages


@given(st.integers(-(2**33), 2**33), st.integers(-(2**33), 2**33))
def test_no_pointer_and_length_leave_the_memory(ptr: int, size: int) -> None:
    memory = shared().memory
    inside = 0 <= ptr <= ptr + size <= PAGE
    data = memory.read(ptr, size)
    assert data is None or len(data) == size
    assert (data is not None) == inside
    assert (memory.read_u32(ptr) is not None) == (0 <= ptr <= PAGE - 4)


_SHARED: list[Vm] = []


def shared() -> Vm:
    if not _SHARED:
        _SHARED.append(Vm(Engine().compile(bytes(wasmtime.wat2wasm(GROWING))), {}))
    return _SHARED[0]


def test_a_limit_stops_the_growth(make_vm: Callable[..., Vm]) -> None:
    vm = make_vm(GROWING, limits=Limits(memory_bytes=3 * PAGE))
    assert call(vm, "grow", 2) == 1
    assert call(vm, "grow", 1) == 0xFFFFFFFF
    assert vm.memory.size == 3 * PAGE


def test_after_close_there_is_no_memory(make_vm: Callable[..., Vm]) -> None:
    vm = make_vm(GROWING)
    memory: Memory = vm.memory
    assert memory.read(0, 4) == bytes(4)
    vm.close()
    assert (memory.size, memory.read(0, 4), memory.write(0, b"x"), memory.read_u32(0)) == (0, None, False, None)
    assert memory.read(0, 0) == b""


def test_the_memory_outlives_its_vm(make_vm: Callable[..., Vm]) -> None:
    memory = make_vm(GROWING).memory
    assert memory.write_u32(8, 77)
    assert memory.read_u32(8) == 77
