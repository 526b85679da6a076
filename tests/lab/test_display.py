"""What the notebooks print."""

from __future__ import annotations

import pytest

from meshsim.abi.events import Crossing, Direction
from meshsim.envoy.records import AbiLine
from meshsim.lab.display import WIDTH, show_trace

CALL, RETURN = Direction.HOST_CALLS_VM, Direction.VM_RETURNS
ASK, ANSWER = Direction.VM_CALLS_HOST, Direction.HOST_RETURNS


def line(direction: Direction, function: str, *values: int, plugin: str = "", thread: str = "worker_0") -> AbiLine:
    event = Crossing(direction, function, values, plugin=plugin)
    return AbiLine(thread, 0, event.text, event)


def request(plugin: str, thread: str = "worker_0") -> list[AbiLine]:
    name, reply = "proxy_on_request_headers", "env.proxy_send_local_response"
    return [
        line(CALL, name, 2, 7, 1, plugin=plugin, thread=thread),
        line(ASK, reply, 401, 128, 16, 96, 13, 0, 0, -1, thread=thread),
        line(ANSWER, reply, 0, thread=thread),
        line(RETURN, name, 1, thread=thread),
    ]


def test_one_thread_is_named_once_and_what_is_inside_a_call_is_set_in(capsys: pytest.CaptureFixture[str]) -> None:
    show_trace(request("auth"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "worker_0:",
        "[host->vm] proxy_on_request_headers(context=2, headers=7, end_of_stream=true)",
    ]
    assert lines[2].startswith("[vm->host]   proxy_send_local_response(status=401")
    assert lines[-1] == "[host<-vm] proxy_on_request_headers = STOP_ITERATION"


def test_several_plugins_are_told_apart_also_where_a_line_names_none(capsys: pytest.CaptureFixture[str]) -> None:
    show_trace([*request("auth"), *request("hello")])
    lines = [text for text in capsys.readouterr().out.splitlines()[1:] if "[" in text]
    assert [text.split()[0] for text in lines] == ["auth"] * 4 + ["hello"] * 4


def test_several_threads_stand_in_a_column_and_one_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    both = [*request("auth", "worker_0"), *request("auth", "worker_1")]
    show_trace(both)
    assert "\nworker_1  [host->vm] proxy_on_request_headers(" in capsys.readouterr().out
    show_trace(both, thread="worker_1")
    assert capsys.readouterr().out.startswith("worker_1:\n[host->vm]")


def test_a_long_line_goes_on_below_its_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    show_trace([*request("auth"), *request("hello")])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert any(text.startswith(" " * 26) and "grpc_status=" in text for text in lines)
    show_trace([])
    assert capsys.readouterr().out == ""
