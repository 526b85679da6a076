"""The guests that are measured do what they are said to do, no more and no less."""

from __future__ import annotations

import pytest

from meshsim.reference import specimens
from meshsim.wasm import Engine, FuncType, HostImport, Vm, parse_module


@pytest.mark.parametrize("call", specimens.HOST_CALLS)
def test_a_calling_guest_makes_that_many_host_calls_for_a_request(call: str) -> None:
    name, parameters, _ = specimens.HOST_CALLS[call]
    made: list[tuple[float, ...]] = []
    host = HostImport(FuncType("i" * len(parameters.split()), "i"), lambda *arguments: made.append(arguments) or 0)
    vm = Vm(Engine().compile(specimens.calling(call, 7)), {("env", name): host})
    on_request_headers = vm.function("proxy_on_request_headers", FuncType("iii", "i"))
    assert on_request_headers is not None
    assert on_request_headers(2, 0, 1) == 0
    assert len(made) == 7


def test_an_empty_guest_exports_the_named_callbacks_only() -> None:
    exports = [each.name for each in parse_module(specimens.empty(["done", "log"])).exports]
    assert [name for name in exports if name.startswith("proxy_on")] == [
        "proxy_on_memory_allocate",
        "proxy_on_done",
        "proxy_on_log",
    ]


def test_a_seed_makes_another_module_that_does_the_same() -> None:
    one, other = (parse_module(specimens.empty(["done"], seed)) for seed in (1, 2))
    assert one.sha256 != other.sha256
    assert one.exports == other.exports


@pytest.mark.parametrize("size", [1_000, 32_000, 250_000])
def test_a_padded_guest_has_about_the_size_that_was_asked_for(size: int) -> None:
    assert len(specimens.padded(size, 1)) == pytest.approx(size, rel=0.1, abs=600)


def test_two_padded_guests_of_one_size_share_no_code() -> None:
    one, other = (parse_module(specimens.padded(2_000, seed)) for seed in (1, 2))
    assert one.sha256 != other.sha256
    assert specimens.padded(0, 1) != specimens.padded(0, 2)
    assert specimens.padded(2_000, 1) == specimens.padded(2_000, 1)
