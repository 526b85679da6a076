"""``interleave="hostcall"``: what is atomic in a callback no longer is between two host calls, and repeatably so."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from meshsim.envoy.outcome import Response
from meshsim.envoy.proxy import Envoy
from meshsim.envoy.requests import Request
from meshsim.errors import ConfigError, MeshsimError
from meshsim.sim import Level
from tests.envoy.conftest import MakeEnvoy, listener, plugin

WORKERS, ROUNDS = 4, 25

#: Each request adds one to a shared number. With a plugin configuration it minds the number's CAS, and tries again.
IMPORTS = """
  (import "env" "proxy_get_shared_data" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_shared_data" (func $set (param i32 i32 i32 i32 i32) (result i32)))"""
COUNTER = """
  (data (i32.const 0) "n")
  (global $careful (mut i32) (i32.const 0))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (global.set $careful (i32.ne (local.get 1) (i32.const 0)))
    (if (call $get (i32.const 0) (i32.const 1) (i32.const 16) (i32.const 20) (i32.const 24))
      (then (drop (call $set (i32.const 0) (i32.const 1) (i32.const 32) (i32.const 4) (i32.const 0)))))
    (i32.const 1))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (loop $again
      (drop (call $get (i32.const 0) (i32.const 1) (i32.const 16) (i32.const 20) (i32.const 24)))
      (i32.store (i32.const 32) (i32.add (i32.load (i32.load (i32.const 16))) (i32.const 1)))
      (br_if $again (call $set (i32.const 0) (i32.const 1) (i32.const 32) (i32.const 4)
        (select (i32.load (i32.const 24)) (i32.const 0) (global.get $careful)))))
    (i32.const 0))"""
CAREFUL = {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": "cas"}


def counted(
    make_envoy: MakeEnvoy, *, cas: bool, concurrency: int = WORKERS, gap: Callable[[], int] = int, **options: Any
) -> tuple[int, Envoy]:
    """Send a request to each worker, ``gap`` ns apart, again and again; return what the module counted."""
    fields = {"configuration": CAREFUL} if cas else {}
    envoy = make_envoy(
        COUNTER, listener([plugin(**fields)]), imports=IMPORTS, concurrency=concurrency, level=Level.OFF, **options
    )
    for _ in range(ROUNDS):
        replies: list[Response] = []
        for worker in range(concurrency):
            envoy.kernel.run(envoy.kernel.now_ns + gap())
            envoy.begin(Request(), replies.append, worker=worker)
        envoy.run(ms=10)
        assert [reply.status for reply in replies] == [200] * concurrency
    entry = envoy.process.shared_data.get(b"", b"n")
    assert entry is not None
    return int.from_bytes(entry[0], "little"), envoy


ALL = WORKERS * ROUNDS


def test_callbacks_are_atomic_by_default(make_envoy: MakeEnvoy) -> None:
    assert counted(make_envoy, cas=False)[0] == ALL


def test_without_cas_updates_are_lost(make_envoy: MakeEnvoy) -> None:
    count, _ = counted(make_envoy, cas=False, interleave="hostcall")
    assert ROUNDS <= count < ALL


def test_with_cas_none_is_lost(make_envoy: MakeEnvoy) -> None:
    assert counted(make_envoy, cas=True, interleave="hostcall")[0] == ALL


def test_one_worker_has_nobody_to_lose_to(make_envoy: MakeEnvoy) -> None:
    assert counted(make_envoy, cas=False, interleave="hostcall", concurrency=1)[0] == ROUNDS


def test_same_seed_same_losses(make_envoy: MakeEnvoy) -> None:
    def counts(seed: int) -> int:
        gaps = Random(seed)
        return counted(make_envoy, cas=False, interleave="hostcall", seed=seed, gap=lambda: gaps.randrange(1_000))[0]

    first = [counts(seed) for seed in range(5)]
    assert first == [counts(seed) for seed in range(5)]
    assert len(set(first)) > 1


def test_calls_and_logs_come_in_order_of_time(make_envoy: MakeEnvoy) -> None:
    options = {"concurrency": WORKERS, "imports": IMPORTS, "interleave": "hostcall"}
    envoy = make_envoy(COUNTER, listener([plugin()]), **options)
    replies: list[Response] = []
    for worker in range(WORKERS):
        envoy.begin(Request(), replies.append, worker=worker)
    start = len(envoy.abi_trace())
    envoy.run(ms=10)
    calls = [line for line in envoy.abi_trace()[start:] if line.text.startswith("[vm->host]")]
    assert [line.time_ns for line in calls] == sorted(line.time_ns for line in calls)
    gets = [i for i, line in enumerate(calls) if "get_shared_data" in line.text]
    assert gets[:WORKERS] == list(range(WORKERS)), "all have read before the first has written"


@pytest.mark.parametrize("worker", [None, 1])
def test_traces_and_times_of_one_request_are_the_same_either_way(make_envoy: MakeEnvoy, worker: int | None) -> None:
    def lines(interleave: str) -> list[tuple[str, str]]:
        envoy = make_envoy(COUNTER, listener([plugin()]), imports=IMPORTS, concurrency=2, interleave=interleave)
        envoy.get("/", worker=worker)
        envoy.shut_down()
        return [(line.thread, line.text) for line in envoy.abi_trace() if line.thread != "main"]

    atomic, interleaved = lines("callback"), lines("hostcall")
    for thread in "worker_0", "worker_1":
        assert [text for name, text in atomic if name == thread] == [
            text for name, text in interleaved if name == thread
        ]


def test_an_endless_loop_of_host_calls_does_not_keep_others_from_going_on(make_envoy: MakeEnvoy) -> None:
    spin = """
      (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (loop $for_ever
          (drop (call $get (i32.const 0) (i32.const 1) (i32.const 16) (i32.const 20) (i32.const 24)))
          (br_if $for_ever (i32.eq (local.get 1) (i32.const 7))))
        (i32.const 0))"""
    envoy = make_envoy(spin, imports=IMPORTS, concurrency=2, interleave="hostcall", level=Level.OFF)
    replies: list[Response] = []
    envoy.begin(Request(headers=(("x-spin", "1"),)), replies.append, worker=0)
    assert envoy.get("/", worker=1).status == 200
    assert replies == []


def test_a_refused_configuration_is_refused_all_the_same(make_envoy: MakeEnvoy) -> None:
    body = """(func (export "proxy_on_configure") (param i32 i32) (result i32)
      (drop (call $get (i32.const 0) (i32.const 1) (i32.const 16) (i32.const 20) (i32.const 24))) (i32.const 0))"""
    with pytest.raises(ConfigError):
        make_envoy(body, imports=IMPORTS, interleave="hostcall")


def test_what_is_no_way_to_interleave(make_envoy: MakeEnvoy) -> None:
    with pytest.raises(MeshsimError, match="interleave"):
        make_envoy(interleave="always")


def test_a_dropped_envoy_leaves_no_threads(make_envoy: MakeEnvoy) -> None:
    def strands() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name == "meshsim-strand"}

    before = strands()
    envoy = make_envoy(COUNTER, listener([plugin()]), imports=IMPORTS, interleave="hostcall")
    envoy.get("/")
    assert strands() - before
    gone = weakref.ref(envoy)
    del envoy
    gc.collect()
    for thread in strands() - before:
        thread.join(5)
    assert gone() is None
    assert not strands() - before
