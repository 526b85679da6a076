from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.abi.allowance import AllowanceExceeded
from meshsim.abi.constants import Status
from meshsim.abi.shared import MAX_BYTES, SharedData


def test_the_rules_of_the_reference_host() -> None:
    store = SharedData()
    assert store.get(b"vm", b"k") is None
    assert store.set(b"vm", b"k", b"one", 0) is Status.OK
    assert store.set(b"vm", b"k", b"two", 0) is Status.OK
    assert store.get(b"vm", b"k") == (b"two", 2)
    assert store.set(b"vm", b"k", b"three", 100) is Status.CAS_MISMATCH
    assert store.get(b"vm", b"k") == (b"two", 2)
    assert store.set(b"vm", b"k", b"three", 2) is Status.OK
    assert store.get(b"vm", b"k") == (b"three", 3)
    assert store.set(b"vm", b"new", b"", 77) is Status.OK


def test_a_name_space_is_forgotten_alone() -> None:
    store = SharedData()
    store.set(b"a", b"k", b"1", 0)
    store.set(b"b", b"k", b"2", 0)
    store.forget(b"a")
    assert store.get(b"a", b"k") is None
    assert store.get(b"b", b"k") == (b"2", 2)


KEYS = st.tuples(st.sampled_from([b"", b"vm"]), st.sampled_from([b"", b"k", b"l"]))


@given(st.lists(st.tuples(KEYS, st.binary(max_size=3), st.integers(0, 6))))
def test_against_a_dict_and_a_counter(writes: list[tuple[tuple[bytes, bytes], bytes, int]]) -> None:
    store, model, counter = SharedData(), dict[tuple[bytes, bytes], tuple[bytes, int]](), 0
    for key, value, cas in writes:
        refused = cas != 0 and key in model and model[key][1] != cas
        assert store.set(*key, value, cas) is (Status.CAS_MISMATCH if refused else Status.OK)
        if not refused:
            counter += 1
            model[key] = value, counter
        assert all(store.get(*known) == entry for known, entry in model.items())


def test_data_that_nobody_forgets_has_an_end() -> None:
    store = SharedData()
    large = bytes(MAX_BYTES // 2 - 4096)
    assert store.set(b"vm", b"one", large, 0) is Status.OK
    assert store.set(b"vm", b"one", large, 0) is Status.OK, "it takes the place of the one before"
    assert store.set(b"vm", b"two", large, 0) is Status.OK
    with pytest.raises(AllowanceExceeded, match="the shared data would take more than 64 MiB"):
        store.set(b"vm", b"three", large, 0)
    assert store.get(b"vm", b"three") is None
    store.forget(b"vm")
    assert store.set(b"vm", b"three", large, 0) is Status.OK
