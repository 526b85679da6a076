"""What calls without the engine's checks could get wrong."""

from __future__ import annotations

import gc
import resource
import signal
import weakref
from collections.abc import Callable, Iterator

import pytest

from meshsim.errors import GuestTrap, MeshsimError
from meshsim.wasm import FuncType, Limits, Vm, rawcall, selftest
from meshsim.wasm.marshal import SlotViews

MakeVm = Callable[..., Vm]

NOTHING = FuncType("", "")


def call(vm: Vm, name: str, type_: str, *arguments: float) -> object:
    params, _, results = type_.partition("->")
    function = vm.function(name, FuncType(params, results))
    assert function is not None
    return function(*arguments)


# --- values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("letter", "value", "back"),
    [
        ("i", 5, 5),
        ("i", 2**32 - 1, 2**32 - 1),
        ("i", -1, 2**32 - 1),
        ("I", 2**64 - 1, 2**64 - 1),
        ("I", -(2**63), 2**63),
        ("f", 1.5, 1.5),
        ("f", -0.0, 0.0),
        ("f", float("inf"), float("inf")),
        ("F", 1e300, 1e300),
        ("F", 0.1, 0.1),
    ],
)
@pytest.mark.parametrize("arity", [1, 2, 3, 4, 7])
def test_values_go_through_guest_and_host_and_come_back(
    make_vm: MakeVm, letter: str, value: float, back: float, arity: int
) -> None:
    name = {"i": "i32", "I": "i64", "f": "f32", "F": "f64"}[letter]
    params = f"(param {' '.join([name] * arity)})"
    gets = " ".join(f"(local.get {n})" for n in range(arity))
    seen: list[tuple[float, ...]] = []

    def host(*arguments: float) -> float:
        seen.append(arguments)
        return arguments[-1] if letter in "fF" else arguments[-1] - (1 << {"i": 32, "I": 64}[letter])

    vm = make_vm(
        f"""(module (import "env" "host" (func $host {params} (result {name})))
            (func (export "run") {params} (result {name}) (call $host {gets})))""",
        {f"host:{letter * arity}->{letter}": host},
    )
    zeros = [0] * (arity - 1)
    assert call(vm, "run", f"{letter * arity}->{letter}", *zeros, value) == back
    assert seen == [(*zeros, back)]


def test_mixed_arguments_keep_their_places(make_vm: MakeVm) -> None:
    seen: list[tuple[float, ...]] = []
    vm = make_vm(
        """(module (import "env" "host" (func $host (param f64 i32 i64 f32 i32)))
            (func (export "run") (param i32 f32 i64 i32 f64)
              (call $host (local.get 4) (local.get 0) (local.get 2) (local.get 1) (local.get 3))))""",
        {"host:FiIfi->": lambda *arguments: seen.append(arguments)},
    )
    assert call(vm, "run", "ifIiF->", -1, 0.5, 1 << 40, 7, -2.25) is None
    assert seen == [(-2.25, 2**32 - 1, 1 << 40, 0.5, 7)]


@pytest.mark.parametrize("arguments", [(), (1, 2)])
def test_a_wrong_number_of_arguments_is_refused_before_the_guest_runs(
    make_vm: MakeVm, arguments: tuple[int, ...]
) -> None:
    vm = make_vm('(module (func (export "one") (param i32)) (func (export "four") (param i32 i32 i32 i32)))')
    for type_ in ("i->", "iiii->"):
        with pytest.raises((TypeError, ValueError)):
            call(vm, {"i->": "one", "iiii->": "four"}[type_], type_, *arguments)
    assert vm.fuel_used == 0


def test_a_host_function_that_forgets_its_result_is_a_type_error(make_vm: MakeVm) -> None:
    vm = make_vm(
        '(module (import "env" "f" (func $f (result i32))) (func (export "run") (drop (call $f))))',
        {"f:->i": lambda: None},
    )
    with pytest.raises(TypeError):
        call(vm, "run", "->")


# --- exceptions of host functions ------------------------------------------------------------------------------------

RAISES = """(module (import "env" "f" (func $f (param i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "run") (param i32) (result i32)
    (i32.store (i32.const 0) (i32.const 1))
    (drop (call $f (local.get 0)))
    (i32.store (i32.const 0) (i32.const 2))
    (i32.const 3)))"""


@pytest.mark.parametrize("kind", [KeyError, MeshsimError, KeyboardInterrupt, SystemExit, GeneratorExit, StopIteration])
def test_an_exception_unwinds_the_guest_and_comes_out_as_the_same_object(
    make_vm: MakeVm, kind: type[BaseException], capfd: pytest.CaptureFixture[str]
) -> None:
    problem = kind("here")

    def host(_: int) -> int:
        raise problem

    vm = make_vm(RAISES, {"f:i->i": host})
    with pytest.raises(kind) as caught:
        call(vm, "run", "i->i", 5)
    assert caught.value is problem
    assert vm.memory.read_u32(0) == 1  # the guest did not go on
    assert capfd.readouterr() == ("", "")  # nobody printed it instead


def test_the_vm_goes_on_after_an_exception(make_vm: MakeVm) -> None:
    def host(argument: int) -> int:
        if argument:
            raise KeyError(argument)
        return 0

    vm = make_vm(RAISES, {"f:i->i": host})
    for number in (1, 2):
        with pytest.raises(KeyError, match=str(number)):
            call(vm, "run", "i->i", number)
        assert call(vm, "run", "i->i", 0) == 3


def test_wasm_cannot_catch_what_the_host_raised(make_vm: MakeVm) -> None:
    def host() -> None:
        raise KeyError("mine")

    vm = make_vm(
        """(module (import "env" "f" (func $f))
             (func (export "run") (block $caught (try_table (catch_all $caught) (call $f)))))""",
        {"f:->": host},
    )
    with pytest.raises(KeyError, match="mine"):
        call(vm, "run", "->")


def test_an_exception_passes_through_every_guest_and_host_frame(make_vm: MakeVm) -> None:
    problem = KeyError("deep")
    depths: list[int] = []

    def host(depth: int) -> int:
        if depth == 5:
            raise problem
        try:
            return run(depth + 1)  # type: ignore[no-any-return]
        finally:
            depths.append(depth)

    vm = make_vm(RAISES, {"f:i->i": host})
    run = vm.function("run", FuncType("i", "i"))
    assert run is not None
    with pytest.raises(KeyError) as caught:
        run(0)
    assert caught.value is problem
    assert depths == [4, 3, 2, 1, 0]


def test_a_host_function_may_handle_what_an_inner_guest_raised(make_vm: MakeVm) -> None:
    vm = make_vm(
        """(module (import "env" "f" (func $f (result i32)))
             (func (export "outer") (result i32) (call $f))
             (func (export "inner") unreachable))""",
        {"f:->i": lambda: handle()},
    )

    def handle() -> int:
        with pytest.raises(GuestTrap, match="unreachable"):
            call(vm, "inner", "->")
        return 42

    assert call(vm, "outer", "->i") == 42


@pytest.fixture
def alarm() -> Iterator[Callable[[float], None]]:
    """A signal that raises KeyboardInterrupt, as Ctrl-C does, after so many seconds."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)  # type: ignore[func-returns-value]
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_ctrl_c_in_the_guest_comes_out_although_no_python_code_was_running(
    make_vm: MakeVm, alarm: Callable[[float], None], capfd: pytest.CaptureFixture[str]
) -> None:
    """The signal is noticed when the interpreter enters the host function, before any ``try`` of it.

    Were it lost there, the guest would run on until its fuel is spent.
    """
    vm = make_vm(
        """(module (import "env" "f" (func $f (param i32) (result i32)))
             (func (export "run") (local $i i32)
               (loop $ever
                 (local.set $i (i32.const 100000))
                 (loop $busy (br_if $busy (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
                 (br_if $ever (call $f (i32.const 1))))))""",
        {"f:i->i": lambda one: one},
        Limits(fuel_per_call=20_000_000_000),
    )
    for _ in range(5):
        alarm(0.005)
        with pytest.raises(KeyboardInterrupt):
            call(vm, "run", "->")
    assert capfd.readouterr() == ("", "")


@pytest.mark.interpreted
def test_ctrl_c_while_a_failure_is_looked_at_leaves_nothing_for_the_next_call(
    make_vm: MakeVm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def host(argument: int) -> int:
        if argument:
            raise KeyError(argument)
        return 0

    def interrupted(*_: object) -> BaseException:
        raise KeyboardInterrupt

    vm = make_vm(RAISES[:-1] + '(func (export "trap") unreachable))', {"f:i->i": host})
    for name, type_, arguments in (("run", "i->i", [1]), ("trap", "->", [])):
        with monkeypatch.context() as patch:
            patch.setattr(rawcall.Store, "_failure", interrupted)
            with pytest.raises(KeyboardInterrupt):
                call(vm, name, type_, *arguments)
        assert call(vm, "run", "i->i", 0) == 3


# --- guest and host calling each other -------------------------------------------------------------------------------

ALLOCATOR = """(module
  (import "env" "get" (func $get (param i32 i32 i32) (result i32)))
  (import "env" "note" (func $note (param i32) (result i32)))
  (memory (export "memory") 1)
  (global $top (mut i32) (i32.const 1024))
  (func (export "malloc") (param $size i32) (result i32)
    (drop (call $note (local.get $size)))  ;; a nested host call that calls the allocator again
    (global.get $top)
    (global.set $top (i32.add (global.get $top) (local.get $size))))
  (func (export "run") (param $a i32) (param $b i32) (param $c i32) (result i32)
    (drop (call $get (local.get $a) (local.get $b) (local.get $c)))
    (i32.add (i32.mul (local.get $a) (i32.const 10000))
      (i32.add (i32.mul (local.get $b) (i32.const 100)) (local.get $c)))))"""


def test_buffers_of_arguments_survive_calls_of_the_guests_allocator(make_vm: MakeVm) -> None:
    got: list[tuple[int, int, int, int]] = []
    noted: list[tuple[int, int]] = []

    def get(a: int, b: int, c: int) -> int:
        pointer = malloc(a)
        if a > 1:
            assert run(a - 1, b + 1, c + 2) == (a - 1) * 10000 + (b + 1) * 100 + c + 2
        got.append((a, b, c, pointer))
        return pointer  # type: ignore[no-any-return]

    def note(size: int) -> int:
        noted.append((size, malloc(size - 1) if size > 1 else 0))
        return size

    vm = make_vm(ALLOCATOR, {"get:iii->i": get, "note:i->i": note})
    malloc, run = vm.function("malloc", FuncType("i", "i")), vm.function("run", FuncType("iii", "i"))
    assert malloc is not None
    assert run is not None
    assert run(3, 20, 30) == 3 * 10000 + 20 * 100 + 30
    assert [entry[:3] for entry in got] == [(1, 22, 34), (2, 21, 32), (3, 20, 30)]
    assert [entry[3] for entry in got] == [1033, 1031, 1027]  # behind 3 + 2 + 1, 2 + 1, 1 bytes of allocations
    assert [size for size, _ in noted] == [1, 2, 3, 1, 2, 1]


def test_endless_recursion_of_guest_and_host_is_the_guests_trap(make_vm: MakeVm) -> None:
    vm = make_vm(RAISES, {"f:i->i": lambda depth: run(depth + 1)})
    run = vm.function("run", FuncType("i", "i"))
    assert run is not None
    with pytest.raises(GuestTrap) as caught:
        run(0)
    assert caught.value.code == "stack_overflow"
    assert str(rawcall.MAX_DEPTH) in str(caught.value)
    with pytest.raises(GuestTrap):  # and the depth is counted from zero again
        run(0)


def test_views_of_the_native_stack_do_not_pile_up(make_vm: MakeVm) -> None:
    vm = make_vm(
        """(module (import "env" "f" (func $f (param i32) (result i32)))
             (func $down (export "down") (param i32) (result i32)
               (if (result i32) (local.get 0)
                 (then (drop (call $down (i32.sub (local.get 0) (i32.const 1)))) (call $f (local.get 0)))
                 (else (i32.const 0)))))""",
        {"f:i->i": lambda n: n},
    )
    assert call(vm, "down", "i->i", 3000) == 3000
    assert 0 < len(vm._store._views) <= SlotViews.CAPACITY


# --- traps -----------------------------------------------------------------------------------------------------------

TRAPS = """(module
  (memory 1) (table 2 funcref) (type $v (func)) (type $w (func (param i32))) (tag $tag)
  (elem (i32.const 1) $nothing)
  (func $nothing)
  (func (export "unreachable") unreachable)
  (func (export "memory_out_of_bounds") (drop (i32.load (i32.const -1))))
  (func (export "integer_division_by_zero") (drop (i32.div_s (i32.const 1) (i32.const 0))))
  (func (export "integer_overflow") (drop (i32.div_s (i32.const 0x80000000) (i32.const -1))))
  (func (export "bad_conversion_to_integer") (drop (i32.trunc_f32_s (f32.const nan))))
  (func (export "indirect_call_to_null") (call_indirect (type $v) (i32.const 0)))
  (func (export "bad_signature") (call_indirect (type $w) (i32.const 0) (i32.const 1)))
  (func (export "table_out_of_bounds") (call_indirect (type $v) (i32.const 9)))
  (func $recurse (export "stack_overflow") (call $recurse))
  (func (export "uncaught_exception") (throw $tag))
  (func (export "null_reference") (drop (ref.as_non_null (ref.null func))))
  (func (export "out_of_fuel") (loop (br 0))))"""


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("unreachable", "wasm `unreachable` instruction executed"),
        ("memory_out_of_bounds", "out of bounds memory access"),
        ("integer_division_by_zero", "integer divide by zero"),
        ("integer_overflow", "integer overflow"),
        ("bad_conversion_to_integer", "invalid conversion to integer"),
        ("indirect_call_to_null", "uninitialized element"),
        ("bad_signature", "indirect call type mismatch"),
        ("table_out_of_bounds", "undefined element: out of bounds table access"),
        ("stack_overflow", "call stack exhausted"),
        ("uncaught_exception", "thrown Wasm exception"),
        ("null_reference", "null reference"),
        ("out_of_fuel", "all fuel consumed by WebAssembly"),
    ],
)
def test_a_trap_has_a_code_and_a_plain_message(make_vm: MakeVm, code: str, message: str) -> None:
    vm = make_vm(TRAPS, limits=Limits(fuel_per_call=10_000_000))
    for _ in range(2):  # the store goes on after a trap
        with pytest.raises(GuestTrap) as caught:
            call(vm, code, "->")
        assert (caught.value.code, caught.value.message) == (code, message)
        assert caught.value.frames


def test_the_backtrace_is_innermost_first_with_names_and_offsets(make_vm: MakeVm) -> None:
    wat = """(module (func $innermost (unreachable)) (func $middle (call $innermost))
               (func (export "run") (call $middle)))"""
    vm = make_vm(wat)
    with pytest.raises(GuestTrap) as caught:
        call(vm, "run", "->")
    frames = caught.value.frames
    assert [(frame.function, frame.name) for frame in frames] == [(0, "innermost"), (1, "middle"), (2, None)]
    data = vm._compiled.facts.data
    assert [data[frame.offset] for frame in frames] == [0x00, 0x10, 0x10]  # unreachable, call, call


def test_an_inner_trap_comes_out_of_the_outer_call_with_the_whole_backtrace(make_vm: MakeVm) -> None:
    vm = make_vm(
        """(module (import "env" "f" (func $f)) (func (export "outer") (call $f))
             (func $inner (export "inner") unreachable))""",
        {"f:->": lambda: call(vm, "inner", "->")},
    )
    with pytest.raises(GuestTrap) as caught:
        call(vm, "outer", "->")
    assert [(frame.function, frame.name) for frame in caught.value.frames] == [(2, "inner"), (1, None)]


def test_traps_and_errors_are_freed(make_vm: MakeVm) -> None:
    """A kept trap would be some hundred bytes: 20 000 of them more than the bound."""

    def host() -> None:
        raise KeyError

    vm = make_vm(
        """(module (import "env" "f" (func $f))
             (func (export "error") (call $f)) (func (export "trap") unreachable))""",
        {"f:->": host},
    )

    def fail(times: int) -> None:
        for name in ("error", "trap"):
            function = vm.function(name, NOTHING)
            assert function is not None
            for _ in range(times):
                try:
                    function()
                except (KeyError, GuestTrap):
                    continue
                raise AssertionError(f"{name} did not fail")

    fail(2_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fail(20_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2_000  # KiB


# --- lives -----------------------------------------------------------------------------------------------------------

ECHO = """(module (import "env" "f" (func $f (param i32) (result i32)))
  (func (export "run") (param i32) (result i32) (call $f (local.get 0))))"""


def test_c_functions_of_the_host_live_as_long_as_the_store(make_vm: MakeVm) -> None:
    functions = []
    for number in range(50):
        vm = make_vm(ECHO, {"f:i->i": lambda n, number=number: n + number})
        functions.append(vm.function("run", FuncType("i", "i")))
        del vm
    gc.collect()
    junk = [rawcall.ffi.callback("callback_t", lambda *_: 0) for _ in range(200)]
    assert [function(100) for function in functions if function] == list(range(100, 150))
    assert len(junk) == 200


@pytest.mark.interpreted
def test_a_vm_in_a_circle_of_references_is_freed(make_vm: MakeVm) -> None:
    class Host:
        def echo(self, n: int) -> int:
            return n

    host = Host()
    host.vm = vm = make_vm(ECHO, {"f:i->i": host.echo})  # type: ignore[attr-defined]
    host.run = vm.function("run", FuncType("i", "i"))  # type: ignore[attr-defined]
    assert host.run(3) == 3  # type: ignore[attr-defined]
    alive = [weakref.ref(host), weakref.ref(vm), weakref.ref(vm._store)]
    del host, vm
    gc.collect()
    assert [reference() for reference in alive] == [None, None, None]


def test_a_failed_call_keeps_nobody_alive(make_vm: MakeVm) -> None:
    class Problem(Exception):
        pass

    def host(_: int) -> int:
        raise Problem

    vm = make_vm(ECHO, {"f:i->i": host})
    try:
        call(vm, "run", "i->i", 1)
    except Problem as problem:
        reference = weakref.ref(problem)
    gc.collect()
    assert reference() is None


# --- self-test -------------------------------------------------------------------------------------------------------


def test_the_self_test_passes_here() -> None:
    selftest.self_test.cache_clear()
    selftest.self_test()
    assert all(works for _, works in selftest._results())


def test_another_major_version_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest.importlib.metadata, "version", lambda _: "51.0.0")  # type: ignore[attr-defined]
    with pytest.raises(MeshsimError, match=r"wasmtime 51\.0\.0 is installed") as caught:
        selftest.wasmtime_version()
    assert "wasmtime>=50,<51" in caught.value.remedy


def test_another_behaviour_is_refused_with_the_remedy(make_vm: MakeVm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "_results", lambda: [("memory", True), ("traps", False)])
    selftest.self_test.cache_clear()
    with pytest.raises(MeshsimError, match="does not behave as expected: traps") as caught:
        make_vm("(module)")
    assert "wasmtime>=50,<51" in caught.value.remedy
    monkeypatch.undo()
    assert make_vm("(module)").fuel_used == 0
