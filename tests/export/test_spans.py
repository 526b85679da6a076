from __future__ import annotations

from meshsim.export.spans import Said, Span, spans, streams
from meshsim.lab.observe import Observation
from tests.export.conftest import Record


def test_a_callback_holds_its_host_calls_and_they_hold_allocations(record: Record) -> None:
    [callback] = spans(
        record(
            "0 w [host->vm] proxy_on_request_headers 2 3 1",
            "1 w [vm->host] env.proxy_get_header_map_value 0 16 13 0 4",
            "2 w [host->vm] malloc 22",
            "3 w [host<-vm] malloc 4096",
            "4 w [vm<-host] env.proxy_get_header_map_value 0",
            "9 w [host<-vm] proxy_on_request_headers 0",
        )
    )
    assert isinstance(callback, Span)
    shape = [(depth, item.function, item.start_ns, item.end_ns, item.result) for depth, item in callback.walk()]  # type: ignore[union-attr]
    assert shape == [
        (0, "proxy_on_request_headers", 0, 9, "CONTINUE"),
        (1, "env.proxy_get_header_map_value", 1, 4, "OK"),
        (2, "malloc", 2, 3, "0x1000"),
    ]


def test_threads_do_not_mix(record: Record) -> None:
    found = spans(
        record(
            "0 a [host->vm] proxy_on_log 2",
            "1 b [host->vm] proxy_on_log 3",
            "2 a [host<-vm] proxy_on_log",
            "3 b [host<-vm] proxy_on_log",
        )
    )
    assert [(span.track, span.end_ns) for span in found if isinstance(span, Span)] == [("a", 2), ("b", 3)]


def test_log_lines_lie_where_they_were_written(record: Record) -> None:
    outside, callback = spans(
        record(
            '0 w "before"',
            "1 w [host->vm] proxy_on_log 2",
            "2 w [vm->host] env.proxy_log 2 0 5",
            '3 w "inside"',
            "4 w [vm<-host] env.proxy_log 0",
            "5 w [host<-vm] proxy_on_log",
        )
    )
    assert isinstance(outside, Said)
    assert outside.line.text == "before"
    assert isinstance(callback, Span)
    assert [item.line.text for _, item in callback.walk() if isinstance(item, Said)] == ["inside"]


def test_a_trap_leaves_calls_that_never_return(record: Record) -> None:
    trapped, after = spans(
        record(
            "0 w [host->vm] proxy_on_request_headers 2 3 1",
            "1 w [vm->host] env.proxy_log 2 0 5",
            "2 w [vm<-host] env.proxy_log 0",
            "5 w [host->vm] proxy_on_log 2",
            "6 w [host<-vm] proxy_on_log",
        )
    )
    assert isinstance(trapped, Span)
    assert isinstance(after, Span)
    assert (trapped.result, trapped.end_ns) == ("trap", 2)
    assert (after.result, after.end_ns) == ("void", 6)


def test_a_trap_inside_a_host_call_ends_both(record: Record) -> None:
    trapped, after = spans(
        record(
            "0 w [host->vm] _start",
            "1 w [vm->host] env.proxy_done",
            "5 w [host->vm] proxy_on_log 2",
            "6 w [host<-vm] proxy_on_log",
        )
    )
    assert isinstance(trapped, Span)
    assert [item.result for _, item in trapped.walk() if isinstance(item, Span)] == ["trap", "trap"]
    assert isinstance(after, Span)


def test_a_callback_lasts_at_least_as_long_as_what_is_in_it(seen: Observation) -> None:
    for root in seen.calls:
        if isinstance(root, Span):
            for _, item in root.walk():
                start, end = (item.start_ns, item.end_ns) if isinstance(item, Span) else (item.time_ns, item.time_ns)
                assert root.start_ns <= start <= end <= root.end_ns


def test_every_call_of_a_run_is_paired(seen: Observation) -> None:
    lines = [text for _, text in seen.result.abi]
    paired = [
        item for root in seen.calls if isinstance(root, Span) for _, item in root.walk() if isinstance(item, Span)
    ]
    assert 2 * len(paired) == len(lines)
    assert all(span.answer is not None for span in paired)


def test_a_stream_is_all_that_happened_to_its_context(record: Record) -> None:
    lines = []
    for time, call in enumerate(
        ["proxy_on_context_create 1 0", "proxy_on_context_create 2 1", "proxy_on_tick 1", "proxy_on_log 2",
         "proxy_on_delete 2", "proxy_on_context_create 2 1", "proxy_on_delete 2"]
    ):  # fmt: skip
        lines += [f"{time} w [host->vm] {call}", f"{time} w [host<-vm] {call.split()[0]}"]
    first, second = streams(spans(record(*lines)))
    assert [call.function for call in first.callbacks] == ["proxy_on_context_create", "proxy_on_log", "proxy_on_delete"]
    assert second.start_ns == 5
