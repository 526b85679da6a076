"""Scripted upstreams against a real server: what a filter, its upstream and its client see is the same."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest

from meshsim.envoy.answers import Answer, Failure
from meshsim.envoy.http1_bytes import PartWriter
from meshsim.envoy.loader import load_bootstrap
from meshsim.envoy.proxy import Envoy
from meshsim.envoy.replay import Replay
from meshsim.envoy.requests import Request
from meshsim.reference.compare import compare, render
from meshsim.reference.envoy import run_envoy
from meshsim.reference.lines import Level
from meshsim.reference.rules import Scope
from meshsim.testing.bootstrap import Setup

CHUNKED = {"transfer-encoding": "chunked"}
ANSWERS = {
    "/plain": Answer(200, {"x-a": "1", "X-B": "2"}, "hello"),
    "/empty": Answer(404),
    "/no-content": Answer(204, {"x-a": "1"}),
    "/not-modified": Answer(304),
    "/chunked": Answer(201, CHUNKED, "hello"),
    "/trailers": Answer(200, {}, "hello", {"x-end": "1"}),
    "/closing": Answer(200, {"connection": "close"}, "bye"),
    "/dated": Answer(200, {"date": "never", "server": "mine"}, "old"),
    "/reset": Answer(failure="reset"),
    "/cut": Answer(200, {}, "0123456789", failure="cut"),
    "/late": Answer(200, {}, "late", latency_ms=50),
}
REQUESTS = [
    *(Request(path=path) for path in ANSWERS),
    *(Request(path=path, method="HEAD") for path in ("/plain", "/empty", "/no-content")),
    Request(path="/plain", method="POST", body="abc"),
    Request(path="/trailers", method="POST", chunks=("a", "bc"), trailers=(("t", "1"),)),
    Request(path="/reset", method="POST", body="abc"),
    Request(path="/plain"),
]


class Handler(StreamRequestHandler):
    """One connection of a server of HTTP/1.1 that gives the same answers."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        with suppress(OSError):
            while line := self.rfile.readline():
                method, path, _ = line.split(b" ")
                self._read_message()
                if not self._answer(ANSWERS[path.decode()], to_head=method == b"HEAD"):
                    return

    def _read_message(self) -> None:
        headers = dict(self._lines())
        self.rfile.read(int(headers.get(b"content-length", 0)))
        if headers.get(b"transfer-encoding") == b"chunked":
            while size := int(self.rfile.readline(), 16):
                self.rfile.read(size + 2)
            list(self._lines())

    def _lines(self) -> Iterator[tuple[bytes, bytes]]:
        while (line := self.rfile.readline().strip()) != b"":
            name, _, value = line.partition(b": ")
            yield name.lower(), value

    def _answer(self, told: Answer, *, to_head: bool) -> bool:
        """Answer; False when that ends the connection."""
        pause = threading.Event().wait
        pause(told.latency_ms / 1000)
        if told.failure is Failure.RESET:
            return False
        writer = PartWriter()
        data = b"".join(map(writer.write, told.parts(http2=False, to_head=to_head)))
        if told.failure is Failure.CUT:
            self.wfile.write(data[: -len(told.body) // 2])
            pause(0.05)
            return False
        self.wfile.write(data)
        return ("connection", "close") not in told.headers


@pytest.fixture
def port() -> Iterator[int]:
    """The port of such a server."""
    server = ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.envoy
def test_a_scripted_upstream_is_as_good_as_a_real_one(tmp_path: Path, port: int, repository: Path) -> None:
    guest = repository / "tests" / "envoy" / "modules" / "http-script.wasm"
    path = tmp_path / "envoy.yaml"
    text = Setup(guest, configuration="x-do", name="a", root_id="a", vm_id="a").text()
    path.write_text(text.replace("20001", str(port)), encoding="utf-8")
    envoy = Envoy(load_bootstrap(path))
    envoy.upstream("upstream", lambda request: ANSWERS[request.header(":path") or ""])
    ours, real = Replay(envoy).run(REQUESTS), run_envoy(path, REQUESTS)
    assert [response.status for response in real.responses[:4]] == [200, 404, 204, 304]
    # Not exact: how many digits the time of the upstream's answer has depends on the machine's load.
    comparison = compare(ours, real, Scope.of_file(path), level=Level.PROXY)
    assert comparison.identical, render(comparison)
