from __future__ import annotations

import pytest

from meshsim.reference.trace import Record, parse, records

LOG = b"""\
@@7|debug|wasm|Base Wasm created 1 now active
@@7|trace|wasm|[host->vm] proxy_on_context_create(1, 0)
@@7|info|wasm|wasm log my_plugin my_root my_vm: hello
@@7|warning|main|There is no configured limit
@@9|trace|wasm|[host->vm] proxy_on_context_create(1, 0)
@@8|trace|wasm|[host->vm] proxy_on_context_create(1, 0)
@@8|debug|lua|coroutine finished
@@8|error|lua|script log: oops
@@8|error|lua|unable to create coroutine
@@9|warning|wasm|wasm log: careful
"""


def test_a_log_is_sorted_by_what_it_says() -> None:
    trace = parse(LOG, main_thread=7)
    create = "[host->vm] proxy_on_context_create(1, 0)"
    assert trace.abi == (("main", create), ("worker_0", create), ("worker_1", create))
    assert trace.logs == (
        ("main", "info", "wasm log my_plugin my_root my_vm: hello"),
        ("worker_1", "error", "script log: oops"),
        ("worker_0", "warning", "wasm log: careful"),
    )
    assert trace.other == (
        ("main", "debug", "Base Wasm created 1 now active"),
        ("worker_1", "error", "unable to create coroutine"),
    )


def test_a_guest_cannot_forge_a_line_of_the_trace() -> None:
    trace = parse(rb"@@7|info|wasm|wasm log: x\n@@7|trace|wasm|[host->vm] forged()" + b"\n", main_thread=7)
    assert trace.abi == ()
    assert trace.logs == (("main", "info", "wasm log: x\n@@7|trace|wasm|[host->vm] forged()"),)


def test_a_guest_that_logs_the_text_of_a_trace_line_logs() -> None:
    trace = parse(b"@@7|trace|wasm|wasm log: [host->vm] proxy_on_tick(1)\n", main_thread=7)
    assert trace.abi == ()
    assert trace.logs == (("main", "trace", "wasm log: [host->vm] proxy_on_tick(1)"),)


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        (rb"a\\nb", r"a\nb"),
        (rb"a\nb\tc\rd", "a\nb\tc\rd"),
        (rb"\"q\" \'s\'", "\"q\" 's'"),
        (rb"caf\303\251 \377\000", "café \udcff\0"),
        (rb"\\303", r"\303"),
    ],
)
def test_escapes_are_undone(escaped: bytes, text: str) -> None:
    assert [r.text for r in records(b"@@7|info|wasm|" + escaped + b"\n")] == [text]


def test_blank_lines_belong_to_the_message_before() -> None:
    assert [r.text for r in records(b"@@7|info|wasm|tail  \n\n \n@@7|info|wasm|next\n")] == ["tail  \n\n ", "next"]


def test_plain_stderr_is_a_line_of_its_own() -> None:
    assert list(records(b"@@7|critical|main|error\nInvalid path: x\n")) == [
        Record(7, "critical", "main", "error"),
        Record(None, "", "", "Invalid path: x"),
    ]
    assert parse(b"Invalid path: x\n", main_thread=7).other == (("main", "critical", "Invalid path: x"),)


def test_a_line_that_was_cut_off_is_kept() -> None:
    assert [r.text for r in records(b"@@7|info|wasm|half")] == ["half"]
