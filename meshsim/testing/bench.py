"""The bench: one filter in one simulated Envoy, requests in, everything that it did out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from meshsim.envoy.answers import Answer as Answer
from meshsim.envoy.answers import Failure as Failure
from meshsim.envoy.answers import Script, as_pairs
from meshsim.envoy.config.refusal import ConfigRefused
from meshsim.envoy.loader import load_bootstrap, parse_bootstrap
from meshsim.envoy.outcome import Header, as_bytes
from meshsim.envoy.proxy import Envoy
from meshsim.envoy.requests import Request
from meshsim.envoy.scripted import ScriptedUpstream
from meshsim.errors import ConfigError, MeshsimError
from meshsim.testing.activity import Activity, Log
from meshsim.testing.bootstrap import UPSTREAM, Setup
from meshsim.testing.marks import Mark, Pending
from meshsim.testing.messages import Reply, SentRequest
from meshsim.testing.values import Metrics, SharedData

_MS = 1_000_000
#: How long a connection takes to end after its answer, in virtual time: a few turns of the loopback interface.
_SETTLE_MS = 1

SomeHeaders = Mapping[str, str] | Iterable[Header]


class FilterRefused(MeshsimError):
    """Envoy would not start with this filter.

    Attributes
    ----------
    logs : list of Log
        What the filter said before.
    errors : list of str
        What Envoy says about it.
    """

    def __init__(self, activity: Activity, refused: ConfigRefused) -> None:
        self.logs = activity.logs_of_workers(False)
        self.errors = activity.errors
        said = [f"  {log.level}: {log.text}" for log in self.logs]
        heard = [f"  {text}" for text in self.errors]
        super().__init__("\n".join([f"Envoy refuses the filter: {refused.envoy_says}", *heard, *said]))


class WasmFilter:
    """A filter under test.

    Made by the fixture ``wasm_filter``. Time is virtual: it passes while a request is sent and in :meth:`tick`, and
    stands still in between.

    Parameters
    ----------
    envoy : Envoy
        Not started yet.
    scripts : mapping of str to script
        What upstreams answer, by cluster; other clusters that have a place for one answer 200.
    upstream : str
        The cluster that requests are routed to.
    network : bool
        Whether the filter is one of connections, which end a little later than the answer.
    """

    def __init__(
        self,
        envoy: Envoy,
        scripts: Mapping[str, Script] | None = None,
        *,
        upstream: str = UPSTREAM,
        network: bool = False,
    ) -> None:
        self.envoy = envoy
        self._upstream = upstream
        self._network = network
        self._upstreams: dict[str, ScriptedUpstream] = {}
        for name in envoy.main.clusters:
            self._place_upstream(name)
        for name, script in (scripts or {}).items():
            self.envoy.upstream(name, script)
        self._begin = self._mark()
        self._last = self._begin
        try:
            envoy.start()
        except ConfigRefused as refused:
            raise FilterRefused(self._begin.since(), refused) from None

    @classmethod
    def load(cls, setup: Setup, scripts: Mapping[str, Script] | None = None, **options: Any) -> WasmFilter:
        """Set a filter up; ``options`` go to :class:`meshsim.Envoy`."""
        bootstrap = parse_bootstrap(setup.text(), f"bench of {setup.name}")
        return cls(Envoy(bootstrap, **options), scripts, network=setup.kind == "network")

    @classmethod
    def from_bootstrap(
        cls,
        path: str | Path,
        scripts: Mapping[str, Script] | None = None,
        *,
        upstream: str = UPSTREAM,
        **options: Any,
    ) -> WasmFilter:
        """Set up what a bootstrap says; ``upstream`` names the cluster whose requests :attr:`Reply.upstream` shows."""
        return cls(Envoy(load_bootstrap(path), **options), scripts, upstream=upstream)

    def _mark(self) -> Mark:
        return Mark(self.envoy, self._upstreams, self._upstream)

    def _place_upstream(self, name: str) -> None:
        try:
            self._upstreams[name] = self.envoy.upstream(name)
        except ConfigError:
            return  # no endpoint, or a listener of the bootstrap's own

    # -- requests ---

    def get(self, path: str = "/", **options: Any) -> Reply:
        """Send a GET request; see :meth:`request`."""
        return self.request("GET", path, **options)

    def post(self, path: str = "/", **options: Any) -> Reply:
        """Send a POST request; see :meth:`request`."""
        return self.request("POST", path, **options)

    def request(self, method: str = "GET", path: str = "/", **options: Any) -> Reply:
        """Send a request, and run the clock until its answer.

        Parameters
        ----------
        headers : mapping of str to str, or pairs of them
            Sent in this order, behind ``host``.
        authority : str
            The host, ``example.com`` by default.
        body : str
            Sent in one piece, with its length.
        chunks : sequence of str
            A body in pieces: each is a body callback of its own, 50 ms after the one before.
        trailers : mapping of str to str, or pairs of them
            Sent behind a body of chunks.
        listener : str
            Name of a listener, where there are several.
        worker : int
            Which worker gets the connection; each in turn by default.

        Raises
        ------
        MeshsimError
            No answer comes, and none can come any more: a filter has paused the request for good.
        """
        pending = self.begin(method, path, **options)
        while not pending.done:
            if not self.envoy.kernel.step():
                raise MeshsimError(
                    "the request has no answer, and nothing is left to happen",
                    f"{method} {path}",
                    "does the filter resume what it pauses? Look at .last.trace",
                )
        if self._network:
            self.envoy.run(ms=_SETTLE_MS)
        return pending.reply

    def begin(
        self,
        method: str = "GET",
        path: str = "/",
        *,
        headers: SomeHeaders = (),
        authority: str = "example.com",
        body: str | None = None,
        chunks: Iterable[str] | None = None,
        trailers: SomeHeaders = (),
        listener: str | None = None,
        worker: int | None = None,
    ) -> Pending:
        """Send a request, and let no time pass: what is to happen meanwhile can be arranged."""
        pieces = None if chunks is None else tuple(chunks)
        request = Request(listener, method, path, authority, as_pairs(headers), body, pieces, as_pairs(trailers))
        self._last = self._mark()
        pending = Pending(self._last)
        self.envoy.begin(request, pending.finish, worker=worker)
        return pending

    def tick(self, ms: int) -> Activity:
        """Let virtual time pass: timers fire, callouts are answered."""
        self._last = self._mark()
        self.envoy.run(ms=ms)
        return self._last.since()

    def shut_down(self) -> Activity:
        """End Envoy in order: the filter's contexts are done and deleted. Nothing can be asked of it afterwards."""
        self._last = self._mark()
        self.envoy.shut_down()
        return self._last.since()

    # -- upstreams ---

    def upstream(
        self,
        cluster: str = UPSTREAM,
        script: Script | None = None,
        *,
        status: int = 200,
        headers: SomeHeaders = (),
        body: str | bytes = "",
        trailers: SomeHeaders = (),
        latency_ms: float = 0,
        failure: Failure | str | None = None,
        early: bool = False,
    ) -> None:
        """Say what an upstream answers from now on.

        Parameters
        ----------
        cluster : str
            The one that requests go to, or one that the filter calls.
        script : Answer, sequence of Answer, or function of the request, optional
            Instead of the other parameters, which make one answer for all requests.
        latency_ms : float
            From the request's end to the answer.
        failure : str
            ``refused``, ``reset`` (no answer), ``cut`` (in the middle of the body) or ``silent`` (never).
        early : bool
            Answer when a request's headers are there.
        """
        answer = Answer(status, headers, body, trailers, latency_ms, failure)
        self._upstreams[cluster] = self.envoy.upstream(cluster, answer if script is None else script, early=early)

    def callouts(self, cluster: str) -> list[SentRequest]:
        """Return what came to an upstream so far."""
        return [SentRequest.of(cluster, request) for request in self.envoy.upstream(cluster).requests]

    # -- other modules ---

    def enqueue(self, queue: str, message: bytes) -> None:
        """Put a message into a shared queue of the filter's VM id, as another module would; see :meth:`tick`."""
        queues = self.envoy.process.shared_queues
        token = queues.resolve(self._vm_id, as_bytes(queue))
        if token is None:
            raise MeshsimError(f"no queue {queue!r}", remedy="has the filter registered it?")
        queues.enqueue(token, message)

    @property
    def _vm_id(self) -> bytes:
        return as_bytes(next((spec.vm_id for spec in self.envoy.process.plugins.loaded), ""))

    # -- what can be seen ---

    @property
    def activity(self) -> Activity:
        """All that happened so far."""
        return self._begin.since()

    @property
    def last(self) -> Activity:
        """What happened since the last request or :meth:`tick` began."""
        return self._last.since()

    @property
    def logs(self) -> list[Log]:
        """What the filter logged on worker threads so far."""
        return self.activity.logs

    @property
    def main_logs(self) -> list[Log]:
        """What it logged on the main thread, where Envoy tries it out and keeps a VM of its own."""
        return self.activity.logs_of_workers(False)

    @property
    def errors(self) -> list[str]:
        """What Envoy itself had to say about the filter so far: traps, for example."""
        return self.activity.errors

    @property
    def failed(self) -> bool:
        """Whether a VM of the filter has failed."""
        return any(vm.wasm.failed for vm in self.envoy.process.vms)

    @property
    def crashes(self) -> list[str]:
        """What the filter has done so far that would have ended the real Envoy's process."""
        return [crash.what for crash in self.envoy.crashes()]

    @property
    def metrics(self) -> Metrics:
        """The filter's counters and gauges, by the names that it gave them."""
        return Metrics(self.envoy.process.metric_values)

    @property
    def stats(self) -> dict[str, int]:
        """Envoy's counters and gauges that are not zero."""
        return self.envoy.stats()

    @property
    def shared_data(self) -> SharedData:
        """The shared key-value store of the filter's VM id."""
        return SharedData(self.envoy.process.shared_data, self._vm_id)

    @property
    def now_ms(self) -> float:
        """Virtual time since Envoy began, in ms."""
        return self.envoy.kernel.now_ns / _MS
