"""Where costs are measured: the real Envoy on one core, and a load on another."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import select
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from meshsim.errors import MeshsimError
from meshsim.reference.chains import Filter, bootstrap
from meshsim.reference.envoy import START_S, find_envoy

#: How long Envoy may take to compile all modules and become ready, in seconds.
LOAD_S = 120.0


def request(headers: Sequence[tuple[str, str]] = (), body: bytes = b"") -> bytes:
    r"""A request, as it is sent.

    >>> request([("x", "y")])
    b'GET / HTTP/1.1\r\nhost: example.com\r\nx: y\r\n\r\n'
    """
    fields = [("host", "example.com"), *headers, *([("content-length", str(len(body)))] if body else [])]
    head = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"{'POST' if body else 'GET'} / HTTP/1.1\r\n{head}\r\n".encode() + body


#: The least that can be asked for.
PLAIN = request()


class Times(NamedTuple):
    """CPU time of a process, and time that its threads were ready to run while the core did something else, in ns."""

    ran: int
    waited: int


class Turns(NamedTuple):
    """CPU time of a thread, time that it was ready and its core did something else, in ns; how often it began to run.

    A worker of Envoy that has its core for itself begins to run when it is woken.
    """

    ran: int
    waited: int
    begun: int

    def since(self, before: Turns) -> Turns:
        """What has come since then.

        >>> Turns(30, 2, 5).since(Turns(10, 1, 4))
        Turns(ran=20, waited=1, begun=1)
        """
        return Turns(*(now - then for now, then in zip(self, before, strict=True)))


def _turns(task: Path) -> Turns:
    return Turns(*map(int, (task / "schedstat").read_text(encoding="ascii").split()))


@dataclass(frozen=True)
class Running:
    """A process of the real Envoy; ``ports`` by listener."""

    pid: int
    ports: Mapping[str, int]
    log: Path

    def times(self) -> Times:
        """What all threads together have had so far."""
        tasks = (task.read_text().split() for task in Path(f"/proc/{self.pid}/task").glob("*/schedstat"))
        ran, waited = zip(*((int(ran), int(waited)) for ran, waited, _ in tasks), strict=True)
        return Times(sum(ran), sum(waited))

    def first_worker(self) -> Turns:
        """What the first worker has had so far."""
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            if (task / "comm").read_text(encoding="utf-8").startswith("wrk:worker_0"):
                return _turns(task)
        raise MeshsimError("Envoy has no worker")

    def resident_bytes(self) -> int:
        """Memory that is in use: its own, and the parts of the program that have been touched."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmRSS:")[2].split()[0]) << 10


class Bench:
    """Where measuring happens: a folder of modules, and the two cores."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._binary = find_envoy()
        self._cores = sorted(os.sched_getaffinity(0))

    def module(self, name: str, data: bytes) -> Path:
        """Keep a module for the processes to come."""
        path = self._folder / f"{name}.wasm"
        path.write_bytes(data)
        return path

    @contextlib.contextmanager
    def envoy(
        self,
        chains: Mapping[str, Sequence[Filter]],
        workers: int = 1,
        log: Sequence[str] = (),
        host_port: int | None = None,
    ) -> Iterator[Running]:
        """Run Envoy on its core, with a listener for each chain; it is gone when the block is left."""
        config, admin, output = (self._folder / name for name in ("envoy.json", "admin", "log"))
        config.write_text(json.dumps(bootstrap(chains, host_port)), encoding="utf-8")
        admin.unlink(missing_ok=True)
        command = [self._binary, "-c", str(config), "--admin-address-path", str(admin), "--use-dynamic-base-id"]
        command += ["--concurrency", str(workers), "-l", "warning", *log]
        with contextlib.ExitStack() as undo:
            undo.callback(os.sched_setaffinity, 0, self._cores)
            os.sched_setaffinity(0, self._cores[:1])  # inherited, so that no thread of Envoy ever runs elsewhere
            stderr = undo.enter_context(output.open("wb"))
            process = undo.enter_context(subprocess.Popen(command, stderr=stderr, start_new_session=True))
            undo.callback(process.kill)
            os.sched_setaffinity(0, self._cores[-1:])
            yield Running(process.pid, _ports(process, admin, output), output)


def _ports(process: subprocess.Popen[bytes], admin: Path, log: Path) -> dict[str, int]:
    """Wait until Envoy is live, and ask for the ports that it took."""
    end = time.monotonic() + LOAD_S
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError, http.client.HTTPException):
            address = admin.read_text(encoding="ascii")
            if address and _ask(address, "/ready") == b"LIVE\n":
                listeners = json.loads(_ask(address, "/listeners?format=json"))["listener_statuses"]
                return {each["name"]: each["local_address"]["socket_address"]["port_value"] for each in listeners}
        time.sleep(0.005)
    said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    raise MeshsimError("Envoy did not become ready", remedy=said[-1] if said else "")


def _ask(address: str, path: str) -> bytes:
    with contextlib.closing(http.client.HTTPConnection(address, timeout=START_S)) as connection:
        connection.request("GET", path)
        return connection.getresponse().read()


class Load:
    """Keep-alive connections to a listener, each with one request under way."""

    def __init__(self, port: int, connections: int, sent: bytes = PLAIN) -> None:
        self._request = sent
        self._sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
        for each in self._sockets:
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            each.settimeout(START_S)
        self._sockets[0].sendall(sent)
        self._answer_bytes = len(self._sockets[0].recv(65536))

    def run(self, seconds: float) -> int:
        """Send for so long, wait for all answers, and count them.

        Raises
        ------
        MeshsimError
            No answer, or not the one that the first request got.
        """
        by_descriptor = {each.fileno(): each for each in self._sockets}
        answered, under_way, end = 0, len(self._sockets), time.monotonic() + seconds
        with select.epoll() as poll:
            for descriptor, each in by_descriptor.items():
                poll.register(descriptor, select.EPOLLIN)
                each.send(self._request)
            while under_way:
                more = time.monotonic() < end
                answers = poll.poll(START_S)
                if not answers:
                    raise MeshsimError(f"Envoy did not answer for {START_S:.0f} s")
                for descriptor, _ in answers:
                    connection = by_descriptor[descriptor]
                    if len(connection.recv(65536)) != self._answer_bytes:
                        raise MeshsimError("Envoy gave another answer than before")
                    answered += 1
                    if more:
                        connection.send(self._request)
                    else:
                        under_way -= 1
        return answered

    def close(self) -> None:
        for each in self._sockets:
            each.close()
