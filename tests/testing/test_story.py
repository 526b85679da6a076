from __future__ import annotations

from pathlib import Path

from meshsim.testing import WasmFilterFactory
from meshsim.testing.story import story


def test_a_trap_ends_the_callback_that_it_was_in(wasm_filter: WasmFilterFactory, guests: Path) -> None:
    filter_ = wasm_filter(guests / "abi-trap-where.wasm")
    filter_.get("/q")
    lines = story(filter_.last).splitlines()
    assert lines[0] == "-> proxy_on_context_create(context=2, parent=1) = void"
    assert lines[1] == "-> proxy_on_request_headers(context=2, headers=6, end_of_stream=true)"
    assert lines[2].startswith("   <- proxy_get_header_map_value(")
    assert any(line.startswith("   envoy error: Function: proxy_on_request_headers failed") for line in lines)


def test_threads_are_named_when_there_are_several(wasm_filter: WasmFilterFactory, guests: Path) -> None:
    told = story(wasm_filter(guests / "abi-tick.wasm").tick(40))
    assert "main -> proxy_on_tick(context=1) = void" in told
    assert "worker_0       log info: tick" in told


def test_a_long_story_is_told_from_its_end(wasm_filter: WasmFilterFactory, guests: Path) -> None:
    filter_ = wasm_filter(guests / "http-script.wasm", configuration="x-do")
    for _ in range(20):
        filter_.get()
    lines = story(filter_.activity).splitlines()
    assert len(lines) == 201
    assert lines[0].startswith("... ")


def test_nothing_happened(wasm_filter: WasmFilterFactory, hello: Path) -> None:
    assert story(wasm_filter(hello).tick(10)) == "nothing happened"
