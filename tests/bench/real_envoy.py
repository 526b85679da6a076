"""The real Envoy with one worker on a core of its own, and ``wrk`` on another; all on the loopback interface.

Neither outlives the block that runs it: not after an error, not after Ctrl-C, and (the kernel sees to that) not when
this process is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, perf_counter, sleep

from meshsim.errors import ReferenceUnavailable
from meshsim.reference.envoy import find_envoy
from tests.bench.figures import Skipped

LOOPBACK = "127.0.0.1"
CONNECTIONS = 8
_START_S = 30.0
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class Tools:
    """Where the programs are, and the cores for them."""

    envoy: str
    wrk: str
    cores: tuple[int, int]


def find_tools() -> Tools:
    """Find what the comparison needs.

    Raises
    ------
    Skipped
        With what is missing, and what installs it.
    """
    try:
        envoy = find_envoy()
    except ReferenceUnavailable as missing:
        raise Skipped(str(missing)) from missing
    wrk = shutil.which("wrk")
    if wrk is None:
        raise Skipped("wrk is not installed here: make system")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise Skipped("Envoy and wrk need a core each, and there is one")
    return Tools(envoy, wrk, (cores[0], cores[-1]))


@contextlib.contextmanager
def on_core(core: int) -> Iterator[None]:
    """Run this process, and what it starts meanwhile, on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    """Find a loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Turn:
    """What a time under load came to: requests that Envoy completed, seconds, and the CPU time of Envoy in ns."""

    requests: int
    seconds: float
    cpu_ns: int

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU a request."""
        return self.cpu_ns / self.requests / 1_000


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as it came over the wire."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: str


@dataclass(slots=True)
class RealEnvoy:
    """A process of the real Envoy that serves; ``admin`` is the address of its administration listener."""

    tools: Tools
    process: subprocess.Popen[bytes]
    port: int
    stat_prefix: str
    admin: str = field(default="")

    def wait_until_live(self, admin_path: Path, log: Path) -> None:
        """Wait until Envoy takes requests."""
        end = monotonic() + _START_S
        while self.process.poll() is None and monotonic() < end:
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.admin = admin_path.read_text(encoding="ascii")
                if self.admin and self._ask("/ready") == b"LIVE\n":
                    return
            sleep(0.005)
        said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise RuntimeError(f"Envoy did not become ready: {said[-1] if said else 'it says nothing'}")

    def get(self, headers: Mapping[str, str]) -> Answer:
        """Send one request."""
        with contextlib.closing(http.client.HTTPConnection(LOOPBACK, self.port, timeout=_START_S)) as connection:
            connection.request("GET", "/", headers={"host": "example.com", **headers})
            response = connection.getresponse()
            return Answer(response.status, tuple(response.getheaders()), response.read().decode())

    def load(self, headers: Mapping[str, str], seconds: int) -> Turn:
        """Let wrk send on its core for so long. What is counted is what Envoy says that it has answered with 200."""
        command: list[str] = [self.tools.wrk, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s"]
        for name, value in {"host": "example.com", **headers}.items():
            command += ["-H", f"{name}: {value}"]
        command.append(f"http://{LOOPBACK}:{self.port}/")
        (before, cpu_before), start = self._counted(), perf_counter()
        with on_core(self.tools.cores[1]), _running(command, subprocess.PIPE) as wrk:
            said, _ = wrk.communicate(timeout=seconds + _START_S)
        took = perf_counter() - start
        after, cpu_after = self._counted()
        if wrk.returncode or b"Socket errors" in said or b"Non-2xx" in said:
            raise RuntimeError(f"wrk did not get what it asked for: {said.decode(errors='replace')}")
        return Turn(after - before, took, cpu_after - cpu_before)

    def _counted(self) -> tuple[int, int]:
        """Give the requests answered with 200 so far, and the CPU time of all threads, ns."""
        name = f"http.{self.stat_prefix}.downstream_rq_2xx"
        rows = json.loads(self._ask(f"/stats?format=json&filter=^{re.escape(name)}$"))["stats"]
        requests = next((row["value"] for row in rows if row.get("name") == name), 0)
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return requests, sum(int(task.read_text().split()[0]) for task in tasks)

    def _ask(self, path: str) -> bytes:
        with contextlib.closing(http.client.HTTPConnection(self.admin, timeout=_START_S)) as connection:
            connection.request("GET", path)
            return connection.getresponse().read()


@contextlib.contextmanager
def real_envoy(tools: Tools, bootstrap: Path, port: int, stat_prefix: str, folder: Path) -> Iterator[RealEnvoy]:
    """Run Envoy on its core; it is gone when the block is left."""
    admin, log = folder / "admin", folder / "log"
    admin.unlink(missing_ok=True)
    command = [tools.envoy, "-c", str(bootstrap), "--admin-address-path", str(admin), "--use-dynamic-base-id"]
    command += ["--concurrency", "1", "-l", "warning"]
    with contextlib.ExitStack() as undo:
        stderr = undo.enter_context(log.open("wb"))
        with on_core(tools.cores[0]):  # inherited, so that no thread of Envoy ever runs elsewhere
            process = undo.enter_context(_running(command, subprocess.DEVNULL, stderr.fileno()))
        envoy = RealEnvoy(tools, process, port, stat_prefix)
        envoy.wait_until_live(admin, log)
        yield envoy


@contextlib.contextmanager
def _running(
    command: Sequence[str], stdout: int, stderr: int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program in a session of its own, so that Ctrl-C reaches only this process, which then ends the program."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        preexec_fn=_die_with(os.getpid()),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _die_with(parent: int) -> Callable[[], None]:
    """Ask the kernel to kill the child when its parent ends, however that comes about."""

    def ask() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return ask
