"""The contestants of ``filter-alone`` do the same work, and as much of it as the figure says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import wasmtime

from meshsim.abi import linking
from meshsim.abi.proxy_wasm import ProxyWasm
from meshsim.wasm import parse_module
from tests.bench import guest
from tests.bench.filter_alone import BARE, CONTESTANTS, MeshsimFilter, TableFilter, comparable, outcome_of
from tests.bench.public_api import PublicApiFilter
from tests.bench.world import REQUEST, RESPONSE, Headers, World

FILTER = bytes(wasmtime.wat2wasm(guest.FILTER))


@pytest.mark.parametrize("name", CONTESTANTS)
def test_what_the_filter_does(name: str) -> None:
    world = World()
    outcome = outcome_of(CONTESTANTS[name](FILTER, world), world, 2)
    request = [*REQUEST, (b"x-filter", b"alice")]
    response = [*RESPONSE, (b"x-filter", b"meshsim")]
    lines = [(2, "/api/v1/products/1234?x=1"), (2, "application/json")]
    assert outcome == {
        "messages": [(request, response)] * 2,
        "log": [(0, "my_root"), (2, world.configuration.decode()), *lines, *lines],
        "metrics": {"requests": 2},
    }


def test_the_filter_imports_a_dozen_host_functions() -> None:
    assert len([wanted for wanted in parse_module(FILTER).imports if wanted.kind == "func"]) == 12


@pytest.mark.interpreted
def test_a_request_makes_ten_host_calls_in_six_callbacks(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: Counter[str] = Counter()
    enter, bind = ProxyWasm._enter, linking._bind

    def counted_enter(self: ProxyWasm, context: Any, name: str, *rest: Any) -> int | None:
        seen["allocator" if name == "proxy_on_memory_allocate" else "callback"] += 1
        return enter(self, context, name, *rest)

    def counted_bind(*arguments: Any) -> Callable[..., int | None]:
        call = bind(*arguments)

        def host_call(*values: int) -> int | None:
            seen["host call"] += 1
            return call(*values)

        return host_call

    monkeypatch.setattr(ProxyWasm, "_enter", counted_enter)
    monkeypatch.setattr(linking, "_bind", counted_bind)
    contestant = MeshsimFilter(FILTER, World())
    seen.clear()
    contestant.request(Headers(REQUEST), Headers(RESPONSE))
    assert seen == {"callback": guest.CALLBACKS, "host call": guest.HOST_CALLS, "allocator": guest.ALLOCATIONS}


def test_the_baseline_refuses_a_pointer_out_of_memory() -> None:
    contestant = PublicApiFilter(FILTER, World(), through_caller=False)
    assert contestant._log(2, 2 * 65536 - 1, 2) == 6
    assert contestant._get_time(2 * 65536 - 7) == 6


@pytest.mark.parametrize("name", BARE)
def test_the_bare_calls(name: str) -> None:
    wasm = bytes(wasmtime.wat2wasm(guest.CALLER))
    assert BARE[name](wasm, "run", "i")(3) == 3 * 4
    assert BARE[name](wasm, "mix", "iiiii")(1, 2, 4, 8, 16) == 31


@pytest.mark.parametrize("rows", [1, 3])
def test_the_filter_through_the_shim_does_the_same(rows: int) -> None:
    world = World()
    public = PublicApiFilter(FILTER, world)
    assert TableFilter(FILTER, rows).outcome_of(6) == comparable(public, world, 6)


def test_what_is_timed_is_every_request() -> None:
    assert len(TableFilter(FILTER, 1).run(5)) == 5
    assert len(TableFilter(FILTER, 4).run(8)) == 2
