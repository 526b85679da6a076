"""Moments: what happened since one of them, as values."""

from __future__ import annotations

from collections.abc import Mapping

from meshsim.envoy.outcome import Response
from meshsim.envoy.proxy import Envoy
from meshsim.envoy.scripted import ScriptedUpstream
from meshsim.errors import MeshsimError
from meshsim.testing.activity import Activity, Facts
from meshsim.testing.messages import Headers, Reply, SentRequest

_MS = 1_000_000
_PREFIX = "wasm log"


class Mark:
    """A moment of a run; ``upstream`` names the cluster that requests are routed to."""

    def __init__(self, envoy: Envoy, upstreams: Mapping[str, ScriptedUpstream], upstream: str) -> None:
        self.envoy = envoy
        self._upstreams = upstreams
        self._upstream = upstream
        self._place = len(envoy.recorder.events)
        self._fuel = {vm: vm.wasm.vm.fuel_used for vm in envoy.process.vms}
        self._seen = {name: len(upstream.requests) for name, upstream in upstreams.items()}
        self._time_ns = envoy.kernel.now_ns

    def since(self) -> Activity:
        """Return what happened since."""
        return Activity(self._facts())

    def reply(self, response: Response, end_ns: int) -> Reply:
        """Return what came of a request that was sent at this moment and answered at ``end_ns``."""
        sent = self._sent(self._upstream)
        return Reply(
            self._facts(),
            response.status,
            Headers(response.headers),
            response.body,
            Headers(response.trailers),
            response.error,
            sent[-1] if sent else None,
            (end_ns - self._time_ns) / _MS,
        )

    def _facts(self) -> Facts:
        process = self.envoy.process
        fuel = sum(vm.wasm.vm.fuel_used - self._fuel.get(vm, 0) for vm in process.vms)
        callouts = [request for name in self._upstreams if name != self._upstream for request in self._sent(name)]
        return Facts(self.envoy.recorder.events[self._place :], self._prefixes(), tuple(callouts), fuel, process.costs)

    def _prefixes(self) -> tuple[str, ...]:
        """What Envoy puts before a guest's words, the longest first."""
        plugins = [spec.plugin for spec in self.envoy.process.plugins.loaded]
        prefixes = {f"{_PREFIX}{prefix}: " for p in plugins for prefix in (p.stream_log_prefix, p.root_log_prefix, "")}
        return tuple(sorted(prefixes, key=len, reverse=True))

    def _sent(self, cluster: str) -> list[SentRequest]:
        upstream = self._upstreams.get(cluster)
        requests = upstream.requests[self._seen.get(cluster, 0) :] if upstream else []
        return [SentRequest.of(cluster, request) for request in requests]


class Pending:
    """A request that is under way."""

    def __init__(self, mark: Mark) -> None:
        self._mark = mark
        self._reply: Reply | None = None
        self._response: Response | None = None
        self._end_ns = 0

    def finish(self, response: Response) -> None:
        """Take the answer."""
        self._response = response
        self._end_ns = self._mark.envoy.kernel.now_ns

    @property
    def done(self) -> bool:
        """Whether the client has its answer, or knows that there is none."""
        return self._response is not None

    @property
    def reply(self) -> Reply:
        """The answer; an error while there is none."""
        if self._response is None:
            raise MeshsimError("there is no answer yet", remedy="let time pass: tick(ms)")
        if self._reply is None:
            self._reply = self._mark.reply(self._response, self._end_ns)
        return self._reply

    @property
    def activity(self) -> Activity:
        """What happened since the request was sent."""
        return self._mark.since()
