"""Remote code that comes: the simulator's scripted upstream against a real server."""

from __future__ import annotations

import copy
import hashlib
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from meshsim.envoy.answers import Answer
from meshsim.envoy.loader import load_bootstrap
from meshsim.envoy.proxy import Envoy
from meshsim.envoy.replay import Replay
from meshsim.envoy.requests import Request
from meshsim.envoy.scripted import UpstreamRequest
from meshsim.reference.compare import compare, render
from meshsim.reference.envoy import run_envoy
from meshsim.reference.rules import Scope
from tests.envoy.conftest import WriteBootstrap, cluster, listener, plugin

REQUESTS = [Request(path="/one"), Request(path="/two")]
ONCE = {"num_retries": 0}
Code = Mapping[str, bytes]


@pytest.fixture(scope="module")
def code(repository: Path) -> Code:
    """What the server has, by path."""
    hello = repository / "modules" / "hello"
    return {
        "/wat": (hello / "hello-wat.wasm").read_bytes(),
        "/c": (hello / "hello-c.wasm").read_bytes(),
        "/junk": b"junk",
        "/refuses": (repository / "tests" / "envoy" / "modules" / "abi-refuse.wasm").read_bytes(),
    }


@pytest.fixture(scope="module")
def port(code: Code) -> Iterator[int]:
    """The port of a server of code, which answers one request after the other.

    With a thread for each, two fetches under way would come back in either order.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the base class's name
            body = code.get(self.path, b"")
            self.send_response(200 if body else 404)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def remote(code: Code, path: str, name: str, *, vm_id: str) -> dict[str, Any]:
    """A plugin whose code is at a path."""
    value = {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": "x"}
    made = plugin(name=name, vm_id=vm_id, configuration=value)
    checksum = hashlib.sha256(code.get(path, b"")).hexdigest()
    uri = {"uri": f"http://code{path}", "cluster": "code", "timeout": "1s"}
    made["vm_config"]["code"] = {"remote": {"http_uri": uri, "sha256": checksum, "retry_policy": ONCE}}
    return copy.deepcopy(made)


CHAINS: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "comes": (("/wat", "f", "v"),),
    "is no module": (("/junk", "f", "v"),),
    "refuses its configuration": (("/refuses", "f", "v"),),
    "is wanted twice in one VM": (("/wat", "f", "v"), ("/wat", "g", "v")),
    "is wanted twice in two VMs": (("/wat", "f", "a"), ("/wat", "g", "b")),
    "is other code for the same VM": (("/wat", "f", "v"), ("/c", "g", "v")),
    "is not there": (("/none", "f", "v"),),
}


@pytest.mark.envoy
@pytest.mark.parametrize("chain", CHAINS)
def test_code_that(chain: str, code: Code, port: int, write_bootstrap: WriteBootstrap) -> None:
    plugins = [remote(code, path, name, vm_id=vm_id) for path, name, vm_id in CHAINS[chain]]
    path = write_bootstrap(listener(plugins), clusters=[cluster("code", port)])
    envoy = Envoy(load_bootstrap(path))

    def serve(request: UpstreamRequest) -> Answer:
        body = code.get(request.header(":path") or "", b"")
        return Answer(200 if body else 404, body=body)

    envoy.upstream("code", serve)
    comparison = compare(Replay(envoy).run(REQUESTS), run_envoy(path, REQUESTS), Scope.of_file(path))
    assert comparison.identical, render(comparison)
