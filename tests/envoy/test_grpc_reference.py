"""gRPC callouts: the real Envoy and a server of gRPC's own library, against a scripted upstream in the simulator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from meshsim.envoy.answers import Answer
from meshsim.envoy.loader import load_bootstrap
from meshsim.envoy.proxy import Envoy
from meshsim.envoy.replay import Replay
from meshsim.envoy.requests import Request
from meshsim.envoy.scripted import UpstreamRequest
from meshsim.reference.compare import compare, render
from meshsim.reference.envoy import run_envoy
from meshsim.reference.lines import Level
from meshsim.reference.rules import Scope
from meshsim.testing.bootstrap import Setup

#: What gRPC's server puts into the head of each answer.
HEADERS = {"content-type": "application/grpc", "grpc-accept-encoding": "identity, deflate, gzip"}
#: Behind the answer, or the failure, the request goes on; to nowhere, which gives 503.
GO_ON = "gc effective|2;gc continue|0"
UNARY = "qh value|1;qh unary|grpc|s.Svc|{method}|1000|hello;gr body|5|0|9;gr effective|2;gr continue|0;" + GO_ON
STREAM = "qh value|1;qh join|grpc|s.Svc|{method};qh mail|6|one|0;qh mail|6|two|1;gr body|5|0|9;" + GO_ON


def framed(*messages: bytes) -> bytes:
    """Messages as gRPC frames them: not compressed, the length in four bytes."""
    return b"".join(b"\0" + len(message).to_bytes(4, "big") + message for message in messages)


def ended(status: int, words: str = "", *messages: bytes) -> Answer:
    """An answer with some messages and a status behind them."""
    return Answer(200, HEADERS, framed(*messages), {"grpc-status": str(status), "grpc-message": words})


ANSWERS = {
    "/s.Svc/Say": ended(0, "", b"hello, you"),
    "/s.Svc/Refuse": Answer(200, {**HEADERS, "grpc-status": "7", "grpc-message": "not you"}),
    "/s.Svc/Repeat": ended(0, "", b"one", b"two"),
    "/s.Svc/Break": ended(5, "lost", b"one"),
    "/s.Svc/Unknown": Answer(
        200, {"content-type": "application/grpc", "grpc-status": "12", "grpc-message": "Method not found!"}
    ),
}
CALLS = {"Say": UNARY, "Refuse": UNARY, "Unknown": UNARY, "Repeat": STREAM, "Break": STREAM}


def say(request: bytes, context: Any) -> bytes:
    return request + b", you"


def refuse(request: bytes, context: Any) -> bytes:
    context.abort(grpc.StatusCode.PERMISSION_DENIED, "not you")
    return b""


def repeat(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
    yield from list(requests)


def break_off(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
    first, *_ = requests
    yield first
    context.abort(grpc.StatusCode.NOT_FOUND, "lost")


METHODS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "Say": (grpc.unary_unary_rpc_method_handler, say),
    "Refuse": (grpc.unary_unary_rpc_method_handler, refuse),
    "Repeat": (grpc.stream_stream_rpc_method_handler, repeat),
    "Break": (grpc.stream_stream_rpc_method_handler, break_off),
}


@pytest.fixture
def port() -> Iterator[int]:
    """The port of a server of gRPC, whose messages are bytes."""
    server = grpc.server(ThreadPoolExecutor(2))
    handlers = {name: kind(function) for name, (kind, function) in METHODS.items()}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("s.Svc", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(None).wait()


@pytest.mark.envoy
@pytest.mark.parametrize("method", CALLS)
def test_a_call_to_a_real_server(method: str, tmp_path: Path, port: int, repository: Path) -> None:
    guest = repository / "tests" / "envoy" / "modules" / "call-script.wasm"
    setup = Setup(guest, configuration="x-do;", name="a", root_id="a", vm_id="a", http2_clusters=["grpc"])
    path = tmp_path / "envoy.yaml"
    path.write_text(setup.text().replace("20002", str(port)), encoding="utf-8")
    requests = [Request(headers=(("x-do", CALLS[method].format(method=method)),))]
    envoy = Envoy(load_bootstrap(path))

    def serve(request: UpstreamRequest) -> Answer:
        return ANSWERS[request.header(":path") or ""]

    envoy.upstream("grpc", serve)
    ours, real = Replay(envoy).run(requests), run_envoy(path, requests)
    assert real.responses[0].status == 503
    comparison = compare(ours, real, Scope.of_file(path), level=Level.PROXY)
    assert comparison.identical, render(comparison)
