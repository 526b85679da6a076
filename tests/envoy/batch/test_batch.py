"""A filter over a table: many rows in one crossing give what each gives by itself."""

from __future__ import annotations

import sys
from pathlib import Path
from subprocess import run
from typing import Any

import pandas
import pytest
import wasmtime

from meshsim.abi import proxy_wasm
from meshsim.envoy.batch import BatchFilter, BatchResult, Outcome, Table, batch
from meshsim.errors import ConfigError, GuestTrap, ModuleError

HELLO = sorted((Path(__file__).parents[3] / "modules" / "hello").glob("*.wasm"))

#: Counts, logs the path, and looks at its first letter behind the slash: ``d`` denies, ``s`` stops, ``p`` asks for a
#: property that Python has, ``t`` traps. Tries to write headers where there are none yet, in the context's creation. In
#: the end it logs its context's number, and the response's header ``x-a``.
GUEST = """(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_property" (func $property (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_send_local_response" (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_increment_metric" (func $count (param i32 i64) (result i32)))
  (memory (export "memory") 1)
  (global $free (mut i32) (i32.const 8192))
  (data (i32.const 64) ":path") (data (i32.const 80) "x-a") (data (i32.const 112) "rows")
  (data (i32.const 96) "request\\00path")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param $n i32) (result i32)
    (global.get $free) (global.set $free (i32.add (global.get $free) (local.get $n))))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32)
    (i32.eqz (call $define (i32.const 0) (i32.const 112) (i32.const 4) (i32.const 40))))
  (func (export "proxy_on_context_create") (param $id i32) (param i32)
    (i32.store (i32.const 128) (local.get $id))
    (i32.store (i32.const 0) (call $add (i32.const 0) (i32.const 80) (i32.const 3) (i32.const 80) (i32.const 1))))
  (func $letter (result i32)
    (drop (call $get (i32.const 0) (i32.const 64) (i32.const 5) (i32.const 8) (i32.const 12)))
    (i32.load8_u (i32.add (i32.load (i32.const 8)) (i32.const 1))))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (local $letter i32)
    (local.set $letter (call $letter))
    (drop (call $count (i32.load (i32.const 40)) (i64.const 1)))
    (drop (call $log (i32.const 2) (i32.load (i32.const 8)) (i32.load (i32.const 12))))
    (drop (call $add (i32.const 0) (i32.const 80) (i32.const 3) (i32.load (i32.const 8)) (i32.load (i32.const 12))))
    (if (i32.eq (local.get $letter) (i32.const 0x70))
      (then
        (drop (call $property (i32.const 96) (i32.const 12) (i32.const 8) (i32.const 12)))
        (drop (call $log (i32.const 1) (i32.load (i32.const 8)) (i32.load (i32.const 12))))))
    (if (i32.eq (local.get $letter) (i32.const 0x64))
      (then (drop (call $reply (i32.const 403) (i32.const 0) (i32.const 0) (i32.const 64) (i32.const 5)
                               (i32.const 0) (i32.const 0) (i32.const -1)))))
    (if (i32.eq (local.get $letter) (i32.const 0x74)) (then unreachable))
    (i32.eq (local.get $letter) (i32.const 0x73)))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (drop (call $add (i32.const 2) (i32.const 80) (i32.const 3) (i32.const 0) (i32.const 1)))
    (i32.const 0))
  (func (export "proxy_on_log") (param i32)
    (drop (call $log (i32.const 3) (i32.const 128) (i32.const 4)))
    (if (i32.eqz (call $get (i32.const 2) (i32.const 80) (i32.const 3) (i32.const 8) (i32.const 12)))
      (then (drop (call $log (i32.const 0) (i32.load (i32.const 8)) (i32.load (i32.const 12)))))))
  (func (export "proxy_on_delete") (param i32) (global.set $free (i32.const 8192))))"""

ROWS: list[Any] = [
    "/plain",
    "/ok",
    {"path": "/deny", "status": 200},
    {"path": "/ok", "status": 204, "response_headers": {"x-a": "b"}},
    {"path": "/stop", "status": 200},
    {"path": "/p", "headers": [["x-a", "1"], ["X-A", "2"]], "status": 500},
    {"path": "/ok", "headers": {"host": "other.example"}},
]


@pytest.fixture(scope="module")
def guest() -> bytes:
    return bytes(wasmtime.wat2wasm(GUEST))


def alone(monkeypatch: pytest.MonkeyPatch, module: bytes, rows: Any, **options: Any) -> BatchResult:
    """The same, callback by callback and with Python's host functions."""
    with monkeypatch.context() as patch:
        patch.setattr(proxy_wasm, "suits", lambda _: False)
        return batch(module, rows, **options)


@pytest.mark.parametrize("path", HELLO, ids=lambda path: path.stem)
def test_each_language_gives_what_it_gives_row_by_row(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"path": f"/{i}", "headers": {"authorization": "x" * i}} for i in range(5)]
    together, single = batch(path.read_bytes(), rows), alone(monkeypatch, path.read_bytes(), rows)
    assert list(together) == list(single)
    assert (together.fuel, together.metrics) == (single.fuel, single.metrics)
    assert together[3].logs[0][1] == "xxx"


@pytest.mark.parametrize("times", [1, 400])
def test_rows_that_leave_the_common_way(guest: bytes, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    together, single = batch(guest, ROWS * times), alone(monkeypatch, guest, ROWS * times)
    assert list(together) == list(single)
    assert together.metrics == single.metrics == {"rows": len(ROWS) * times}
    assert together.fuel == single.fuel > 0


def test_what_an_outcome_says(guest: bytes) -> None:
    deny, answered, stop, asked = batch(guest, ROWS)[2:6]
    assert (deny.action, deny.reply.status, deny.reply.body, deny.response) == ("reply", 403, b":path", None)
    assert answered.response == ((b":status", b"204"), (b"x-a", b"b"), (b"x-a", b"\2"))
    assert answered.logs[0] == ("info", "/ok")
    assert (stop.action, stop.response) == ("stop", None)
    assert asked.logs[:2] == (("info", "/p"), ("debug", "/p"))
    assert asked.request[-2:] == ((b"x-a", b"2"), (b"x-a", b"/p"))


def test_a_filter_can_be_run_again_and_counts_on(guest: bytes) -> None:
    wanted = BatchFilter(guest)
    table = Table(ROWS)
    first, second = wanted.run(table), wanted.run(table)
    assert (first.metrics["rows"], second.metrics["rows"]) == (7, 14)
    assert [o.action for o in first] == [o.action for o in second]


def test_a_trap_is_raised_with_the_callback(guest: bytes) -> None:
    with pytest.raises(GuestTrap, match="unreachable") as caught:
        batch(guest, ["/ok", "/trap"], name="p")
    assert [frame.name for frame in caught.value.frames] == [None]
    assert "proxy_on_request_headers" in caught.value.where


def test_data_frames_and_arrow(guest: bytes) -> None:
    frame = pandas.DataFrame({"path": ["/ok", "/deny"], "status": [200, None]})
    assert list(batch(guest, frame)) == list(batch(guest, [{"path": "/ok", "status": 200}, "/deny"]))
    told = batch(guest, frame).to_pandas()
    assert list(told["action"]) == ["continue", "reply"]
    assert list(told["status"]) == [200, 403]
    arrow = pytest.importorskip("pyarrow")
    table = arrow.Table.from_pandas(frame)
    assert list(batch(guest, table)) == list(batch(guest, frame))
    assert batch(guest, table).to_arrow().num_rows == 2


def test_logs_can_be_left_out(guest: bytes) -> None:
    outcome: Outcome = batch(guest, ["/ok"], logs=False)[0]
    assert outcome.logs == ()


@pytest.mark.parametrize(
    ("rows", "what"),
    [([7], "a row is a path"), ([{"pth": "/"}], "no such column: pth"), ([{"headers": [[1, 2]]}], "pairs of texts")],
)
def test_a_table_that_cannot_be_read(guest: bytes, rows: Any, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        batch(guest, rows)


def test_a_module_that_refuses(guest: bytes) -> None:
    text = '(module (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1")))'
    with pytest.raises(ModuleError, match="cannot be started"):
        batch(bytes(wasmtime.wat2wasm(text)), ["/"])


def test_neither_table_library_is_loaded() -> None:
    code = "import sys, meshsim.envoy.batch; print({'pandas', 'pyarrow', 'numpy'} & set(sys.modules))"
    assert run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
