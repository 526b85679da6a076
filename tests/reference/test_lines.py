from __future__ import annotations

import pytest

from meshsim.abi.signatures import HOST_FUNCTIONS
from meshsim.reference import lines
from meshsim.reference.lines import Level, before_streams, by_thread, normal, reads_clock_or_random, split_ticks


@pytest.mark.parametrize(
    ("line", "calls", "proxy"),
    [
        ("[host->vm] proxy_on_request_headers(2, 9, 1)",) * 3,
        ("[host<-vm] proxy_on_request_headers return: 0",) * 3,
        (
            "[vm->host] env.proxy_get_header_map_value(0, 16, 13, 0, 4)",
            *("[vm->host] env.proxy_get_header_map_value(0, address, size, address, address)",) * 2,
        ),
        ("[vm<-host] env.proxy_log return: 6",) * 3,
        ("[vm->host] env.proxy_done()",) * 3,
        ("[host->vm] malloc(3)", "[host->vm] malloc(3)", None),
        ("[host<-vm] proxy_on_memory_allocate return: 64", "[host<-vm] proxy_on_memory_allocate return: address", None),
        ("[vm->host] wasi_unstable.random_get(64, 8)", "[vm->host] wasi.random_get(address, size)", None),
        (
            "[vm<-host] wasi_snapshot_preview1.fd_write return: 0",
            "[vm<-host] wasi_snapshot_preview1.fd_write return: 0",
            None,
        ),
        ("anything else",) * 3,
    ],
)
def test_a_line_at_each_level(line: str, calls: str, proxy: str | None) -> None:
    assert [normal(line, level) for level in (Level.EXACT, Level.CALLS, Level.PROXY)] == [line, calls, proxy]


def test_the_kinds_of_arguments_fit_the_functions_of_the_abi() -> None:
    arity = {
        f"{'wasi' if f.module.startswith('wasi_') else f.module}.{f.name}": len(f.type.params) for f in HOST_FUNCTIONS
    }
    kinds = lines._ARGUMENTS
    assert {name: arity.get(name) for name in kinds} == {name: len(kind) for name, kind in kinds.items()}


def test_threads_come_in_order() -> None:
    trace = [(f"worker_{k}", "x") for k in (10, 2, 0)] + [("main", "x")]
    assert list(by_thread(trace)) == ["main", "worker_0", "worker_2", "worker_10"]


TICK = ["[host->vm] proxy_on_tick(1)", "[vm->host] env.proxy_log(2, 0, 1)", "[vm<-host] env.proxy_log return: 0"]
TICK_END = "[host<-vm] proxy_on_tick return: void"
CREATE = "[host->vm] proxy_on_context_create(2, 1)"


def test_ticks_are_cut_out_whole() -> None:
    assert split_ticks(["a", *TICK, TICK_END, "b", *TICK[:1], TICK_END]) == (
        ["a", "b"],
        [(*TICK, TICK_END), (TICK[0], TICK_END)],
    )


def test_a_call_back_into_the_guest_belongs_to_its_tick() -> None:
    get = "[vm->host] env.proxy_get_property(0, 1, 2, 3)"
    inner = [TICK[0], get, "[host->vm] malloc(3)", "[host<-vm] malloc return: 9", TICK_END]
    assert split_ticks(inner) == ([], [tuple(inner)])


def test_a_tick_that_traps_ends_where_the_next_callback_starts() -> None:
    assert split_ticks([TICK[0], CREATE, "c"]) == ([CREATE, "c"], [(TICK[0],)])
    assert split_ticks([*TICK, *TICK, TICK_END]) == ([], [tuple(TICK), (*TICK, TICK_END)])


def test_a_worker_is_compared_up_to_its_first_stream() -> None:
    start = ["[host->vm] proxy_on_context_create(1, 0)", "[host<-vm] proxy_on_context_create return: void"]
    assert list(before_streams([*start, CREATE, "x"])) == start
    assert list(before_streams([*start, "[host->vm] proxy_on_done(1)", "x"])) == start
    assert list(before_streams(start)) == start


def test_clocks_and_random_numbers_are_noticed() -> None:
    assert reads_clock_or_random([("main", "[vm->host] wasi_snapshot_preview1.clock_time_get(0, 0, 8)")])
    assert reads_clock_or_random([("main", "[vm->host] wasi_unstable.random_get(0, 8)")])
    assert not reads_clock_or_random([("main", "[vm->host] wasi_snapshot_preview1.fd_write(1, 0, 1, 8)")])
    assert not reads_clock_or_random([("main", "[host->vm] proxy_on_tick(1)")])
