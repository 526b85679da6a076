"""The bench with something else in Envoy's place: what it waits for, and that nothing is left behind."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from pathlib import Path

import pytest

from meshsim.errors import MeshsimError
from meshsim.reference.bench import Bench, Load, request
from meshsim.reference.envoy import ENVOY_VARIABLE

#: Answers like Envoy's administration interface, as far as the bench asks.
STAND_IN = """#!{python}
import json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Admin(BaseHTTPRequestHandler):
    def do_GET(self):
        address = {{"socket_address": {{"port_value": 4711}}}}
        listeners = {{"listener_statuses": [{{"name": "none", "local_address": address}}]}}
        body = b"LIVE\\n" if self.path == "/ready" else json.dumps(listeners).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments): pass
server = HTTPServer(("127.0.0.1", 0), Admin)
with open(sys.argv[sys.argv.index("--admin-address-path") + 1], "w") as file:
    file.write("127.0.0.1:%d" % server.server_port)
server.serve_forever()
"""


def bench(folder: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> Bench:
    binary = folder / "envoy"
    binary.write_text(program)
    binary.chmod(0o755)
    monkeypatch.setenv(ENVOY_VARIABLE, str(binary))
    return Bench(folder)


def test_envoy_runs_on_the_first_core_and_the_load_on_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cores = sorted(os.sched_getaffinity(0))
    with bench(tmp_path, monkeypatch, STAND_IN.format(python=sys.executable)).envoy({"none": []}) as envoy:
        assert envoy.ports == {"none": 4711}
        assert os.sched_getaffinity(envoy.pid) == {cores[0]}
        assert os.sched_getaffinity(0) == {cores[-1]}
        assert envoy.times().ran > 0
        assert envoy.resident_bytes() > 1 << 20


def test_an_interrupt_leaves_no_envoy_and_gives_the_cores_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cores = os.sched_getaffinity(0)
    at = bench(tmp_path, monkeypatch, STAND_IN.format(python=sys.executable))
    with pytest.raises(KeyboardInterrupt), at.envoy({"none": []}) as envoy:
        raise KeyboardInterrupt
    assert not Path(f"/proc/{envoy.pid}").exists()
    assert os.sched_getaffinity(0) == cores


def test_an_envoy_that_leaves_is_an_error_with_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cores = os.sched_getaffinity(0)
    at = bench(tmp_path, monkeypatch, "#!/bin/sh\necho one >&2\necho 'no such field' >&2\nexit 1\n")
    with pytest.raises(MeshsimError, match="no such field"), at.envoy({"none": []}):
        pytest.fail("it was never ready")
    assert os.sched_getaffinity(0) == cores


class Server:
    """Answers whatever comes in one piece on a connection; a thread for each connection."""

    def __init__(self) -> None:
        self.answer, self.requests = b"ok", 0
        self.received: list[bytes] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with self._listening:
            for _ in range(3):
                connection, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(ConnectionResetError):
            while received := connection.recv(65536):
                self.requests += 1
                self.received.append(received)
                connection.sendall(self.answer)


def test_a_load_counts_every_answer_and_leaves_none_behind() -> None:
    server = Server()
    load = Load(server.port, 3)
    asked_to_learn_the_size = server.requests
    counted = load.run(0) + load.run(0.01)
    load.close()
    assert asked_to_learn_the_size == 1
    assert counted == server.requests - 1 >= 6


def test_a_load_sends_what_it_is_told_to() -> None:
    server = Server()
    sent = request([("x", "y")], b"body")
    Load(server.port, 1, sent).close()
    assert server.received == [sent]
    assert sent.startswith(b"POST / ")
    assert b"content-length: 4\r\n" in sent


def test_another_answer_than_the_first_ends_the_load() -> None:
    server = Server()
    load = Load(server.port, 3)
    server.answer = b"overloaded"
    with pytest.raises(MeshsimError, match="another answer"):
        load.run(0)
    load.close()
