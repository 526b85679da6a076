from __future__ import annotations

import gc
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest
import wasmtime

from meshsim.errors import DeadlineExceeded, GuestTrap, LinkError, MeshsimError, ModuleError
from meshsim.wasm import Engine, FuncType, HostImport, Limits, UnresolvedImport, Vm

MakeVm = Callable[..., Vm]

COUNTER = """(module
  (memory (export "memory") 1) (global $n (mut i32) (i32.const 0))
  (func (export "next") (result i32)
    (global.set $n (i32.add (global.get $n) (i32.const 1)))
    (i32.store (i32.const 0) (global.get $n))
    (global.get $n)))"""

WORK = """(module (import "env" "again" (func $again (param i32) (result i32)))
  (func (export "work") (param i32) (result i32)
    (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 0))
  (func (export "nested") (param i32) (result i32) (call $again (local.get 0)))
  (func (export "forever") (loop $l (br $l))))"""

ONE = FuncType("i", "i")


def get(vm: Vm, name: str, params: str = "", results: str = "") -> Callable[..., int]:
    function = vm.function(name, FuncType(params, results))
    assert function is not None
    return function


# --- functions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("absent", FuncType("", "i")),
        ("next", FuncType("", "")),
        ("next", FuncType("i", "i")),
        ("memory", FuncType("", "i")),
        ("two", FuncType("", "ii")),
        ("vector", FuncType("v", "")),
        ("reference", FuncType("x", "")),
    ],
)
def test_no_function_of_that_name_and_type(make_vm: MakeVm, name: str, type_: FuncType) -> None:
    more = """(func (export "two") (result i32 i32) (i32.const 1) (i32.const 2))
              (func (export "vector") (param v128)) (func (export "reference") (param externref)))"""
    vm = make_vm(COUNTER.rstrip()[:-1] + more)
    assert vm.function(name, type_) is None


def test_two_vms_share_nothing_but_code(engine: Engine) -> None:
    compiled = engine.compile(bytes(wasmtime.wat2wasm(COUNTER)))
    one, other = Vm(compiled, {}), Vm(compiled, {})
    assert [get(one, "next", "", "i")() for _ in range(3)] == [1, 2, 3]
    assert get(other, "next", "", "i")() == 1
    assert (one.memory.read_u32(0), other.memory.read_u32(0)) == (3, 1)
    assert one.fuel_used == 3 * other.fuel_used > 0
    one.close()
    assert get(other, "next", "", "i")() == 2


# --- imports ---------------------------------------------------------------------------------------------------------

LINKED = """(module
  (import "env" "a" (func (param i32) (result i32)))
  (import "other" "b" (func (param i64)))
  (import "env" "c" (func)))"""

OFFERED = {
    ("env", "a"): HostImport(ONE, lambda n: n),
    ("other", "b"): HostImport(FuncType("I", ""), lambda n: None),
    ("env", "c"): HostImport(FuncType("", ""), lambda: None),
    ("env", "unused"): HostImport(FuncType("", ""), lambda: None),
}


def test_all_imports_are_there(engine: Engine) -> None:
    assert Vm(engine.compile(bytes(wasmtime.wat2wasm(LINKED))), OFFERED).fuel_used == 0


@pytest.mark.parametrize(
    ("without", "module", "name", "wanted"),
    [
        ([("env", "a")], "env", "a", ONE),
        ([("env", "c")], "env", "c", FuncType("", "")),
        ([("env", "c"), ("other", "b")], "other", "b", FuncType("I", "")),  # the first in the module's order
    ],
)
def test_a_missing_import_is_named(
    engine: Engine, without: list[tuple[str, str]], module: str, name: str, wanted: FuncType
) -> None:
    imports = {key: host for key, host in OFFERED.items() if key not in without}
    with pytest.raises(LinkError, match="the host has none") as caught:
        Vm(engine.compile(bytes(wasmtime.wat2wasm(LINKED))), imports)
    error = caught.value
    assert isinstance(error, UnresolvedImport)
    assert (error.module, error.name, error.kind, error.wanted, error.offered) == (module, name, "func", wanted, None)


def test_an_import_of_another_type_shows_both(engine: Engine) -> None:
    wrong = {**OFFERED, ("other", "b"): HostImport(FuncType("i", "i"), lambda n: n)}
    with pytest.raises(
        UnresolvedImport, match=r"import of func other\.b \(i64\) -> \(\): the host's is \(i32\) -> i32"
    ) as caught:
        Vm(engine.compile(bytes(wasmtime.wat2wasm(LINKED))), wrong)
    assert (caught.value.wanted, caught.value.offered) == (FuncType("I", ""), FuncType("i", "i"))


@pytest.mark.parametrize(("kind", "wat"), [("global", "(global i32)"), ("tag", "(tag)"), ("table", "(table 1 anyref)")])
def test_what_a_host_does_not_have_is_refused(make_vm: MakeVm, kind: str, wat: str) -> None:
    with pytest.raises(UnresolvedImport, match=f"import of {kind} env.it: the host has none") as caught:
        make_vm(f'(module (import "env" "it" {wat}))')
    assert (caught.value.kind, caught.value.wanted) == (kind, None)


def test_a_host_function_cannot_take_references(engine: Engine) -> None:
    module = bytes(wasmtime.wat2wasm('(module (import "env" "f" (func (param externref))))'))
    host = HostImport(FuncType("x", ""), lambda _: None)
    with pytest.raises(MeshsimError, match="is not possible"):
        Vm(engine.compile(module), {("env", "f"): host})


def test_imported_memories_and_tables_are_made_as_envoy_makes_them(make_vm: MakeVm) -> None:
    vm = make_vm(
        """(module (import "env" "memory" (memory 2 4)) (import "env" "functions" (table 3 funcref))
             (import "env" "objects" (table 5 externref)) (data (i32.const 8) "hello")
             (func (export "sizes") (result i32) (i32.add (table.size 0) (table.size 1)))
             (func (export "null") (result i32) (ref.is_null (table.get 0 (i32.const 2)))))"""
    )
    assert vm.memory.read(8, 5) == b"hello"
    assert vm.memory.size == 2 * 65536
    assert get(vm, "sizes", "", "i")() == 8
    assert get(vm, "null", "", "i")() == 1


# --- memories --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wat", "seen"),
    [
        ('(memory (export "any name") 1) (data (i32.const 0) "a")', b"a"),
        (
            '(memory $a 1) (memory $b 1) (export "memory" (memory $a)) (export "second" (memory $b))'
            '(data (memory $a) (i32.const 0) "a") (data (memory $b) (i32.const 0) "b")',
            b"b",  # the last one, as in Envoy 1.40
        ),
        (
            '(import "env" "m" (memory 1)) (memory $b 1) (export "own" (memory $b))'
            '(data (memory 0) (i32.const 0) "i") (data (memory $b) (i32.const 0) "b")',
            b"b",
        ),
        ("(memory 1)", None),
        ("", None),
    ],
)
def test_which_memory_the_host_sees(make_vm: MakeVm, wat: str, seen: bytes | None) -> None:
    assert make_vm(f"(module {wat})").memory.read(0, 1) == seen


def test_without_a_memory_every_access_is_out_of_range(make_vm: MakeVm) -> None:
    memory = make_vm("(module)").memory
    assert memory.size == 0
    assert (memory.read(0, 0), memory.read(0, 1), memory.read_u32(0), memory.write(0, b"x")) == (b"", None, None, False)


@pytest.mark.parametrize("what", ["(memory 3)", '(import "env" "m" (memory 3))'])
def test_a_memory_that_is_too_large_from_the_start_is_refused(make_vm: MakeVm, what: str) -> None:
    with pytest.raises(ModuleError, match="exceeds memory limits"):
        make_vm(f"(module {what})", limits=Limits(memory_bytes=2 * 65536))


def test_a_huge_table_is_refused(make_vm: MakeVm) -> None:
    with pytest.raises(ModuleError, match="exceeds table limits"):
        make_vm("(module (table 4000000000 funcref))")


# --- start -----------------------------------------------------------------------------------------------------------


def test_the_start_function_runs_and_may_call_the_host(make_vm: MakeVm) -> None:
    calls: list[int] = []
    vm = make_vm(
        """(module (import "env" "f" (func $f (param i32))) (memory (export "memory") 1)
             (func $start (i32.store (i32.const 0) (i32.const 7)) (call $f (i32.const 5))) (start $start))""",
        {"f:i->": calls.append},
    )
    assert calls == [5]
    assert vm.memory.read_u32(0) == 7
    assert vm.instantiation_fuel > 0
    assert vm.fuel_used == 0


def test_a_trap_in_the_start_function_is_a_guest_trap(make_vm: MakeVm) -> None:
    with pytest.raises(GuestTrap) as caught:
        make_vm("(module (func $boot unreachable) (start $boot))")
    assert (caught.value.code, caught.value.frames[0].name) == ("unreachable", "boot")


def test_an_exception_in_the_start_function_comes_out(make_vm: MakeVm) -> None:
    problem = KeyError("start")

    def host() -> None:
        raise problem

    with pytest.raises(KeyError) as caught:
        make_vm('(module (import "env" "f" (func $f)) (start $f))', {"f:->": host})
    assert caught.value is problem


def test_data_that_does_not_fit_is_a_guest_trap(make_vm: MakeVm) -> None:
    with pytest.raises(GuestTrap, match="out of bounds memory access"):
        make_vm('(module (memory 1) (data (i32.const 65536) "x"))')


# --- fuel ------------------------------------------------------------------------------------------------------------


def test_fuel_is_the_work_of_the_guest_and_nothing_else(make_vm: MakeVm) -> None:
    used = []
    for limits in (Limits(), Limits(fuel_per_call=10_000), Limits(deadline_s=60)):
        vm = make_vm(WORK, {"again:i->i": lambda n: n}, limits)
        work = get(vm, "work", "i", "i")
        steps = []
        for rounds in (1, 2, 100):
            before = vm.fuel_used
            work(rounds)
            steps.append(vm.fuel_used - before)
        used.append(steps)
    assert used[0] == used[1] == used[2]
    one, two, hundred = used[0]
    assert hundred - one == 99 * (two - one) > 0


def test_fuel_can_be_read_in_a_host_function(make_vm: MakeVm) -> None:
    seen: list[int] = []

    def again(n: int) -> int:
        seen.append(vm.fuel_used)
        return n

    vm = make_vm(WORK, {"again:i->i": again})
    get(vm, "nested", "i", "i")(5)
    assert 0 < seen[0] <= vm.fuel_used


def test_a_call_ends_when_its_fuel_is_spent_and_the_next_has_its_own(make_vm: MakeVm) -> None:
    vm = make_vm(WORK, {"again:i->i": lambda n: n}, Limits(fuel_per_call=1_000))
    for _ in range(2):
        before = vm.fuel_used
        with pytest.raises(GuestTrap) as caught:
            get(vm, "forever")()
        assert caught.value.code == "out_of_fuel"
        assert vm.fuel_used - before == pytest.approx(1_000, abs=20)
        assert get(vm, "work", "i", "i")(10) == 0


def test_a_call_from_inside_a_call_lives_on_the_outer_ones_fuel(make_vm: MakeVm) -> None:
    def again(n: int) -> int:
        for _ in range(100):
            work(n)
        return 0

    vm = make_vm(WORK, {"again:i->i": again}, Limits(fuel_per_call=2_000))
    work = get(vm, "work", "i", "i")
    assert work(100) == 0
    with pytest.raises(GuestTrap) as caught:
        get(vm, "nested", "i", "i")(100)
    assert caught.value.code == "out_of_fuel"


def test_the_start_function_has_the_fuel_of_one_call(make_vm: MakeVm) -> None:
    with pytest.raises(GuestTrap) as caught:
        make_vm("(module (func $f (loop (br 0))) (start $f))", limits=Limits(fuel_per_call=1_000))
    assert caught.value.code == "out_of_fuel"


# --- deadline --------------------------------------------------------------------------------------------------------


def test_a_guest_that_does_not_return_is_interrupted(make_vm: MakeVm) -> None:
    vm = make_vm(WORK, {"again:i->i": lambda n: n}, Limits(deadline_s=0.03))
    for _ in range(2):
        with pytest.raises(DeadlineExceeded):
            get(vm, "forever")()
        assert get(vm, "work", "i", "i")(1000) == 0  # the next call has its own deadline


def test_the_start_function_has_the_deadline_of_one_call(make_vm: MakeVm) -> None:
    with pytest.raises(DeadlineExceeded):
        make_vm("(module (func $f (loop (br 0))) (start $f))", limits=Limits(deadline_s=0.02))


def test_the_watchdog_starts_when_asked_for_and_ends_with_its_engine() -> None:
    def watchdogs() -> int:
        return sum(thread.name == "meshsim-watchdog" for thread in threading.enumerate())

    before = watchdogs()
    engine = Engine()
    compiled = engine.compile(bytes(wasmtime.wat2wasm("(module)")))
    vm = Vm(compiled, {})
    assert watchdogs() == before
    vm = Vm(compiled, {}, Limits(deadline_s=60))
    again = Vm(compiled, {}, Limits(deadline_s=60))
    assert watchdogs() == before + 1
    (thread,) = [t for t in threading.enumerate() if t is vm._native.watchdog._thread]
    del engine, compiled, vm, again
    gc.collect()
    thread.join(timeout=30)
    assert not thread.is_alive()


# --- the end ---------------------------------------------------------------------------------------------------------


def test_after_close_calls_are_refused_and_fuel_is_still_known(make_vm: MakeVm) -> None:
    vm = make_vm(COUNTER)
    function = get(vm, "next", "", "i")
    function()
    used = vm.fuel_used
    vm.close()
    vm.close()
    assert vm.fuel_used == used > 0
    with pytest.raises(MeshsimError, match="closed"):
        function()
    with pytest.raises(MeshsimError, match="closed"):
        vm.function("next", FuncType("", "i"))()  # type: ignore[misc]


def test_a_function_first_asked_for_after_close_is_refused(make_vm: MakeVm) -> None:
    vm = make_vm(COUNTER, limits=Limits(fuel_per_call=100))
    vm.close()
    with pytest.raises(MeshsimError, match="closed"):
        vm.function("next", FuncType("", "i"))


def test_a_guest_cannot_have_its_vm_closed_under_it(make_vm: MakeVm) -> None:
    def again(n: int) -> int:
        with pytest.raises(MeshsimError, match="while its guest runs"):
            vm.close()
        return n

    vm = make_vm(WORK, {"again:i->i": again})
    assert get(vm, "nested", "i", "i")(9) == 9
    vm.close()


def test_thousands_of_vms_fit(engine: Engine) -> None:
    compiled = engine.compile(bytes(wasmtime.wat2wasm(COUNTER)))
    vms = [Vm(compiled, {}) for _ in range(2_000)]
    assert all(get(vm, "next", "", "i")() == 1 for vm in vms[::100])
    for vm in vms:
        vm.close()


def test_hundreds_of_vms_fit_into_a_small_address_space() -> None:
    script = '''
import resource, wasmtime
resource.setrlimit(resource.RLIMIT_AS, (64 << 30, 64 << 30))
from meshsim.wasm import Engine, FuncType, Vm
wat = """(module (memory (export "m") 1)
           (func (export "f") (result i32) (memory.grow (i32.const 1))))"""
compiled = Engine().compile(bytes(wasmtime.wat2wasm(wat)))
vms = [Vm(compiled, {}) for _ in range(300)]
print(sum(vm.function("f", FuncType("", "i"))() for vm in vms), {vm.memory.size for vm in vms})
'''
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("300 {131072}\n", "")
