"""A replay: one Envoy, a list of requests, and everything that they left behind.

The course is the contract's: start; 300 ms; the requests, each when the one before has been answered and not before
its ``at_ms``; 300 ms; an orderly shutdown, whose calls belong to the trace. The real Envoy is driven in the same way
(:mod:`meshsim.reference`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from meshsim.abi.dialect import Dialect
from meshsim.abi.events import Crossing, LogLine
from meshsim.envoy.client import CLIENT_TURN_NS
from meshsim.envoy.config.refusal import ConfigRefused
from meshsim.envoy.discovery import Discovered
from meshsim.envoy.loader import load_bootstrap, load_discovered
from meshsim.envoy.outcome import ReplayResult, Response
from meshsim.envoy.proxy import Envoy
from meshsim.envoy.requests import Request, Update
from meshsim.errors import ConfigError

SETTLE_MS = 300
_MS = 1_000_000


def replay(
    bootstrap: str | Path,
    requests: Sequence[Request],
    *,
    concurrency: int = 1,
    seed: int = 0,
    ignore_unmodelled: bool = False,
    abi: Dialect | str = Dialect.ENVOY,
) -> ReplayResult:
    """Run a bootstrap and requests in the simulator.

    Parameters
    ----------
    bootstrap : path
        YAML or JSON.
    concurrency : int
        Number of workers.
    abi : {"envoy", "higress"}
        Whose modules are taken, see :class:`meshsim.Envoy`.

    Raises
    ------
    ConfigError
        The bootstrap cannot be read, or uses what is not modelled. A bootstrap that Envoy itself refuses is a result,
        with ``ready`` False.
    NotModelled
        The run reached something that Envoy does and meshsim does not model.
    """
    try:
        loaded = load_bootstrap(bootstrap, ignore_unmodelled=ignore_unmodelled)
    except ConfigRefused as refused:
        return _refused(refused, str(bootstrap), concurrency, seed, abi)
    beside = Path(bootstrap).parent
    updates = {
        update: load_discovered(update.path, update.source, beside)
        for request in requests
        for update in request.updates
    }
    envoy = Envoy(loaded, concurrency=concurrency, seed=seed, abi=abi)
    return Replay(envoy, str(bootstrap), updates).run(requests)


def refusal_lines(words: str, origin: str) -> list[tuple[str, str, str]]:
    """Return the lines with which Envoy ends its refusal of a bootstrap."""
    return [
        ("main", "critical", f"error `{words}` initializing config '{origin}'"),
        ("main", "critical", words),
    ]


def _refused(refused: ConfigRefused, origin: str, concurrency: int, seed: int, abi: Dialect | str) -> ReplayResult:
    """What Envoy did before it came to what it refuses, and its words."""
    if refused.bootstrap is None or not refused.after_plugins:
        return ReplayResult(False, other=tuple(refusal_lines(refused.envoy_says, origin)))
    envoy = Envoy(refused.bootstrap, concurrency=concurrency, seed=seed, abi=abi)
    return Replay(envoy, origin).run_until_refused(refused)


class Replay:
    """One replay of one simulated Envoy."""

    def __init__(
        self, envoy: Envoy, origin: str = "bootstrap", updates: Mapping[Update, Discovered] | None = None
    ) -> None:
        self._envoy = envoy
        self._origin = origin
        self._updates = updates or {}
        self._responses: list[Response] = []

    def run(self, requests: Sequence[Request]) -> ReplayResult:
        """Start, send, shut down."""
        self._check(requests)
        try:
            self._envoy.start()
        except ConfigRefused as refused:
            return self._unwound(refused)
        self._wait(SETTLE_MS)
        first_ns = self._envoy.kernel.now_ns
        for request in requests:
            self._send(request, first_ns + request.at_ms * _MS)
        self._wait(SETTLE_MS)
        stats = self._envoy.process.all_stats()
        self._envoy.shut_down()
        return self._result(True, stats)

    def run_until_refused(self, refused: ConfigRefused) -> ReplayResult:
        """Load as many plugins as Envoy does before it refuses, and stop there."""
        self._envoy.lifecycle.load_plugins(refused.after_plugins)
        return self._unwound(refused)

    def _unwound(self, refused: ConfigRefused) -> ReplayResult:
        """Envoy speaks its refusal, and ends what it has loaded."""
        self._envoy.shut_down()
        return self._result(False, {}, refused.envoy_says)

    def _check(self, requests: Sequence[Request]) -> None:
        names = [listener.name for listener in self._envoy.bootstrap.static_resources.listeners]
        for i, request in enumerate(requests):
            if request.listener is not None and request.listener not in names:
                raise ConfigError(
                    f"no listener {request.listener!r}",
                    f"requests[{i}].listener",
                    f"the bootstrap has {', '.join(names)}",
                )

    def _wait(self, ms: int) -> None:
        kernel = self._envoy.kernel
        kernel.run(kernel.now_ns + ms * _MS)

    def _send(self, request: Request, not_before_ns: int) -> None:
        kernel = self._envoy.kernel
        kernel.run(max(not_before_ns, kernel.now_ns + CLIENT_TURN_NS))
        for update in request.updates:
            kernel.after(update.after_ms * _MS, self._envoy.lifecycle.discover_again, self._updates[update])
        self._responses.append(self._envoy.send(request))

    def _result(self, ready: bool, stats: dict[str, int], refused: str = "") -> ReplayResult:
        abi: list[tuple[str, str]] = []
        logs: list[tuple[str, str, str]] = []
        other: list[tuple[str, str, str]] = []
        for _, thread, event in self._envoy.recorder.events:
            match event:
                case Crossing():
                    abi.append((thread, event.text))
                case LogLine(level, text, True):
                    logs.append((thread, level, text))
                case LogLine(level, text, False):
                    other.append((thread, level, text))
        if refused:
            other += refusal_lines(refused, self._origin)
        crashes = tuple((crash.thread, f"{crash.plugin}: {crash.what}") for crash in self._envoy.crashes())
        return ReplayResult(ready, tuple(abi), tuple(logs), tuple(other), tuple(self._responses), stats, crashes)
