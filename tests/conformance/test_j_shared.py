"""Rows J: shared data, shared queues, the wire format of pairs."""

from __future__ import annotations

from collections import Counter

from meshsim.abi.codec import decode_pairs, encode_pairs
from meshsim.abi.constants import Status
from meshsim.abi.queues import SharedQueues
from meshsim.abi.shared import SharedData
from tests.conformance.conftest import Run, statuses_of, texts, truth
from tests.conformance.guests import OUT, SIZE

_VM, _KEY = b"vm", b"key"


def test_j112_a_key_that_there_is_not(run: Run) -> None:
    assert SharedData().get(_VM, _KEY) is None
    assert run(("proxy_get_shared_data", "unknown", OUT, SIZE, OUT + 8)).statuses == [1]


def test_j113_each_write_has_the_next_number() -> None:
    store = SharedData()
    assert [store.set(_VM, _KEY, value, 0) for value in (b"1", b"2")] == [Status.OK, Status.OK]
    assert store.get(_VM, _KEY) == (b"2", 2)


def test_j114_a_write_with_an_old_number_is_refused() -> None:
    store = SharedData()
    store.set(_VM, _KEY, b"1", 0)
    assert store.set(_VM, _KEY, b"2", 100) is Status.CAS_MISMATCH
    assert store.get(_VM, _KEY) == (b"1", 1)


def test_j115_a_write_with_the_right_number_counts() -> None:
    store = SharedData()
    store.set(_VM, _KEY, b"1", 0)
    store.set(_VM, _KEY, b"2", 0)
    assert store.set(_VM, _KEY, b"3", 2) is Status.OK
    assert store.get(_VM, _KEY) == (b"3", 3)


def test_j117_no_update_is_lost_with_numbers() -> None:
    store = SharedData()
    store.set(_VM, _KEY, b"", 0)
    left, retries = [10, 10], 0
    while any(left):
        read = [store.get(_VM, _KEY) for _ in left]  # both read before either writes
        for thread, found in enumerate(read):
            assert found
            if left[thread]:
                written = store.set(_VM, _KEY, found[0] + b"a", found[1]) is Status.OK
                left[thread] -= written
                retries += not written
    found = store.get(_VM, _KEY)
    assert found
    assert found[0] == b"a" * 20
    assert retries > 0


def test_j118_a_module_sees_the_mismatch() -> None:
    result = truth("abi-shared-data")
    assert Status.CAS_MISMATCH in statuses_of(result, "proxy_set_shared_data")


def _queues() -> tuple[SharedQueues, list[int]]:
    return SharedQueues(), []


def test_j119_names_and_their_numbers() -> None:
    queues, told = _queues()
    tokens = [queues.register(_VM, name, told.append) for name in (b"a", b"a", b"b", b"c")]
    assert tokens == [1, 1, 2, 3]


def test_j120_names_that_there_are_not(run: Run) -> None:
    assert run(
        ("proxy_resolve_shared_queue", "vm", "unknown", OUT), ("proxy_resolve_shared_queue", "", "", OUT)
    ).statuses == [
        1,
        1,
    ]


def test_j121_queues_that_are_empty_or_none(run: Run) -> None:
    outcome = run(
        ("proxy_dequeue_shared_queue", 0, OUT, SIZE),
        ("proxy_register_shared_queue", "q", OUT),
        ("proxy_dequeue_shared_queue", 1, OUT, SIZE),
        ("proxy_enqueue_shared_queue", 0, "data"),
    )
    assert outcome.statuses == [1, 0, 7, 1]


def test_j122_the_consumer_is_told_once_a_message_and_gets_them_in_order() -> None:
    queues, told = _queues()
    token = queues.register(_VM, b"q", told.append)
    for message in (b"1", b"2"):
        assert queues.enqueue(token, message)
    assert told == [token, token]
    queue = queues.find(token)
    assert queue
    assert list(queue.messages) == [b"1", b"2"]


def test_j123_two_producers_and_two_consumers() -> None:
    queues, _ = _queues()
    taken: Counter[str] = Counter()

    def consumer(name: str) -> None:
        queue = queues.find(1)
        assert queue
        queue.messages.popleft()
        taken[name] += 1

    for number in range(200):
        token = queues.register(_VM, b"q", lambda _, name=str(number % 2): consumer(name))
        assert queues.enqueue(token, b"%d" % number)
    assert taken == {"0": 100, "1": 100}
    queue = queues.find(1)
    assert queue
    assert not queue.messages


def test_j124_a_vm_id_leaves_nothing_behind() -> None:
    queues, store = SharedQueues(), SharedData()
    first = queues.register(_VM, b"jobs", lambda _: None)
    other = queues.register(b"other", b"jobs", lambda _: None)
    queues.enqueue(first, b"message")
    store.set(_VM, _KEY, b"1", 0)
    queues.forget(_VM)
    store.forget(_VM)
    assert (queues.find(first), queues.resolve(_VM, b"jobs"), store.get(_VM, _KEY)) == (None, None, None)
    assert queues.resolve(b"other", b"jobs") == other
    assert queues.register(_VM, b"jobs", lambda _: None) == other + 1  # tokens are not used again


def test_j124_when_its_last_vm_is_gone() -> None:
    recorded = truth("life-vm-id-gone")
    first = [text for _, _, text in recorded.logs if text.startswith("wasm log one vm")][0::3]
    assert first == ["wasm log one vm: 111"] * 2  # nothing is found, neither first nor when the id has come back


def test_j125_a_stream_fills_the_queue_of_its_root() -> None:
    said = texts(truth("queue-stream"))
    assert "qr(1) ta=0:two%00bytes" in said
    assert "qr(1) ta=7:" in said
    found = [text for text in texts(truth("queue-tokens"), "main") if text.startswith("cf(1) re=0:1 re=0:1")]
    assert "fi=0:1 fi=1:0 fi=1:0 fi=0:1" in found[0]


def test_j126_pairs_come_back() -> None:
    pairs = [(b"a", b"1"), (b"", b""), (b"a", b"\0\xff" * 100)]
    block = encode_pairs(pairs)
    assert decode_pairs(block) == pairs
    assert len(block) == 4 + sum(8 + len(key) + 1 + len(value) + 1 for key, value in pairs)
