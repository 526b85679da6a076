from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.abi.allowance import AllowanceExceeded
from meshsim.abi.queues import MAX_BYTES, SharedQueues


def test_a_queue_opened_again_keeps_its_messages_and_changes_its_consumer() -> None:
    queues, told = SharedQueues(), list[tuple[str, int]]()
    token = queues.register(b"vm", b"q", lambda token: told.append(("first", token)))
    assert queues.enqueue(token, b"one")
    assert queues.register(b"vm", b"q", lambda token: told.append(("second", token))) == token
    assert queues.enqueue(token, b"two")
    assert told == [("first", token), ("second", token)]
    queue = queues.find(token)
    assert queue is not None
    assert list(queue.messages) == [b"one", b"two"]


def test_names_belong_to_a_vm_id() -> None:
    queues = SharedQueues()
    tokens = [queues.register(vm, b"q", lambda _: None) for vm in (b"a", b"b", b"a")]
    assert tokens == [1, 2, 1]
    assert queues.resolve(b"b", b"q") == 2
    assert queues.resolve(b"c", b"q") is None


def test_there_is_no_queue_without_a_token() -> None:
    queues = SharedQueues()
    queues.register(b"", b"q", lambda _: None)
    for token in (0, 2, 2**32 - 1):
        assert queues.find(token) is None
        assert not queues.enqueue(token, b"x")


@given(st.lists(st.one_of(st.binary(max_size=3), st.none())))
def test_first_in_first_out(steps: list[bytes | None]) -> None:
    """A message is put in; None takes one out."""
    queues, told, model = SharedQueues(), list[int](), deque[bytes]()
    token = queues.register(b"", b"q", told.append)
    for step in steps:
        queue = queues.find(token)
        assert queue is not None
        if step is not None:
            queues.enqueue(token, step)
            model.append(step)
        elif model:
            assert queue.messages.popleft() == model.popleft()
        assert queue.messages == model
    assert len(told) == sum(step is not None for step in steps)


def test_messages_that_nobody_takes_have_an_end() -> None:
    queues = SharedQueues()
    token = queues.register(b"vm", b"jobs", lambda token: None)
    large = bytes(MAX_BYTES // 4)
    assert [queues.enqueue(token, large) for _ in range(3)] == [True] * 3
    with pytest.raises(AllowanceExceeded, match="the shared queues would take more than 64 MiB"):
        queues.enqueue(token, large)
    queue = queues.find(token)
    assert queue is not None
    assert queues.dequeue(queue) == large
    assert queues.enqueue(token, large)
