"""Samples are taken, and counted for the right layer and function."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.bench.profile import PACKAGE, SHARES, Profile, sampling, share_of, share_of_code

KERNEL = (f"{PACKAGE}sim/kernel.py", "Kernel.run", 10)
VM = (f"{PACKAGE}wasm/rawcall.py", "Store.function.<locals>.run", 20)
LIBRARY = ("/usr/lib/python3/json/decoder.py", "JSONDecoder.decode", 30)


@pytest.mark.parametrize(
    ("path", "function", "share"),
    [
        ("wasm/rawcall.py", "Store.function.<locals>.run", "vm"),
        ("abi/hostcalls/system.py", "SystemCalls.proxy_log", "host calls"),
        ("abi/linking.py", "_traced.<locals>.host_call", "records"),
        ("abi/events.py", "Crossing.text", "records"),
        ("sim/kernel.py", "Kernel.run", "stream model"),
        ("sim/record.py", "EventLog.append", "records"),
        ("envoy/stream.py", "Stream.reply", "stream model"),
        ("envoy/thread_host.py", "ThreadHost.emit", "records"),
        ("errors.py", "MeshsimError.__init__", None),
    ],
)
def test_the_share_of_a_function(path: str, function: str, share: str | None) -> None:
    assert share_of_code(PACKAGE + path, function) == share
    assert share is None or share in SHARES


def test_a_library_counts_for_the_layer_that_called_it() -> None:
    assert share_of((LIBRARY, VM, KERNEL)) == "vm"
    assert share_of((LIBRARY,)) == share_of(()) == "bench"


def test_own_time_is_the_innermost_functions_and_recursion_counts_once() -> None:
    profile = Profile(Counter({(VM, KERNEL): 3, (KERNEL,): 1, (LIBRARY, VM, VM, KERNEL): 1}))
    assert profile.functions() == {VM: (3, 4), KERNEL: (1, 5), LIBRARY: (1, 1)}
    assert profile.shares() == {"vm": 0.8, "host calls": 0.0, "stream model": 0.2, "records": 0.0, "bench": 0.0}


@pytest.mark.interpreted
def test_stacks_for_flame_graphs_begin_with_the_outermost_function() -> None:
    (line,) = Profile(Counter({(VM, KERNEL): 3})).collapsed()
    outer, inner = line.removesuffix(" 3").split(";")
    assert outer == "Kernel.run (meshsim/sim/kernel.py:10)"
    assert inner.startswith("Store.function.<locals>.run (")


def test_processor_time_is_sampled() -> None:
    with sampling() as profile:
        while not profile.samples:
            sum(range(10_000))
    assert any(name.endswith("test_processor_time_is_sampled") for stack in profile.stacks for _, name, _ in stack)
