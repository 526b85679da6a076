"""The guests that are measured do what they are said to do, no more and no less."""

from __future__ import annotations

from collections import Counter
from itertools import chain

import pytest

from meshsim.reference import specimens
from meshsim.reference.calibrate import fuel
from meshsim.wasm import Engine, FuncType, HostImport, Vm, parse_module

TYPES = {"i32": "i", "i64": "I"}


def run(guest: bytes, call: specimens.HostCall) -> Counter[str]:
    """Configure a guest, send it a request, and count what it asks of the host meanwhile."""
    made: Counter[str] = Counter()
    wanted = [(call.function, call.types), *([call.before[:2]] if call.before else [])]
    imports = {
        ("env", name): HostImport(
            FuncType("".join(TYPES[each] for each in types.split()), "i"),
            lambda *arguments, name=name: made.update([name]) or 0,
        )
        for name, types in wanted
    }
    vm = Vm(Engine().compile(guest), imports)
    for name, arguments in (("configure", (1, 0)), ("request_headers", (2, 0, 1))):
        function = vm.function(f"proxy_on_{name}", FuncType("i" * len(arguments), "i"))
        if function is not None:
            function(*arguments)
    return made


@pytest.mark.parametrize("name", specimens.HOST_CALLS)
def test_a_guest_makes_that_many_host_calls_for_a_request(name: str) -> None:
    call = specimens.HOST_CALLS[name]
    once = Counter([call.before[0]] if call.before else [])
    assert run(specimens.guest(calls={name: 7}), call) == Counter({call.function: 7}) + once


def test_a_guest_exports_the_named_callbacks_only() -> None:
    exports = [each.name for each in parse_module(specimens.guest(["request_headers", "done", "log"])).exports]
    assert [name for name in exports if name.startswith("proxy_on")] == [
        "proxy_on_memory_allocate",
        "proxy_on_done",
        "proxy_on_log",
        "proxy_on_request_headers",
    ]


def test_a_seed_makes_another_module_that_does_the_same() -> None:
    one, other = (parse_module(specimens.guest(seed=seed)) for seed in (1, 2))
    assert one.sha256 != other.sha256
    assert one.exports == other.exports


@pytest.mark.parametrize("code", specimens.CODE)
def test_fuel_grows_with_the_loop_and_is_the_same_each_time(code: str) -> None:
    ten, twenty, forty = (fuel(specimens.guest(code={code: times})) for times in (10, 20, 40))
    assert forty - twenty == 2 * (twenty - ten) > 0
    assert fuel(specimens.guest(code={code: 10})) == ten


@pytest.mark.parametrize("straight", [False, True])
@pytest.mark.parametrize("size", [2_000, 32_000, 250_000])
def test_a_filler_has_about_the_size_that_was_asked_for(size: int, straight: bool) -> None:
    assert len(specimens.filler(size, 1, straight)) == pytest.approx(size, rel=0.1, abs=600)


def test_two_fillers_of_one_size_share_no_code() -> None:
    one, other = (parse_module(specimens.filler(2_000, seed)) for seed in (1, 2))
    assert one.sha256 != other.sha256
    assert specimens.filler(0, 1) != specimens.filler(0, 2)
    assert specimens.filler(2_000, 1) == specimens.filler(2_000, 1)


def test_a_filler_writes_the_pages_that_it_is_told_to() -> None:
    vm = Vm(Engine().compile(specimens.filler(0, 1, pages=4, touched=2)), {})
    configure = vm.function("proxy_on_configure", FuncType("ii", "i"))
    assert configure is not None
    assert configure(1, 0) == 1
    written = [
        any(chain(vm.memory.read(page << 16, 16), vm.memory.read((page << 16) + 65_520, 16))) for page in range(4)
    ]
    assert written == [True, True, False, False]
