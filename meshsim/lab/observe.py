"""Watch one simulated Envoy from start to shutdown, and keep what a report shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from meshsim.cost import CostModel
from meshsim.envoy.loader import load_bootstrap, parse_bootstrap
from meshsim.envoy.outcome import ReplayResult, Response
from meshsim.envoy.proxy import Envoy
from meshsim.envoy.records import VmMemory
from meshsim.envoy.replay import Replay
from meshsim.envoy.requests import Request
from meshsim.export.chrome import Journey, chrome_trace, join
from meshsim.export.loading import Step, loading_steps
from meshsim.export.spans import Said, Span, StreamPath, spans, streams
from meshsim.sim import Entry


@dataclass(frozen=True)
class Observation:
    """One run of one simulated Envoy.

    Attributes
    ----------
    result : ReplayResult
        What ``meshsim replay`` gives for the same files.
    events : tuple of Entry
        Everything that was recorded, in order, with virtual times.
    journeys : tuple of Journey
        Each request with its answer.
    memory : tuple of VmMemory
        What each VM weighed before shutdown.
    costs : CostModel
        What the run was charged by.
    compile_ns : int
        What compiling its module took, in virtual time; 0 where there are several.
    """

    concurrency: int
    result: ReplayResult
    events: tuple[Entry, ...]
    journeys: tuple[Journey, ...]
    memory: tuple[VmMemory, ...]
    costs: CostModel = field(repr=False)
    compile_ns: int = 0

    @cached_property
    def calls(self) -> list[Span | Said]:
        """Callbacks with what happened in them."""
        return spans(self.events)

    @cached_property
    def streams(self) -> list[StreamPath]:
        """The stream contexts."""
        return streams(self.calls)

    @cached_property
    def loading(self) -> list[Step]:
        """How the plugins were loaded, thread by thread."""
        return loading_steps(self.calls, self.compile_ns)

    @property
    def paths(self) -> list[list[StreamPath]]:
        """For each request, the stream contexts that it caused."""
        return join(self.journeys, self.streams)

    @property
    def virtual_ns(self) -> int:
        """How long the run was, in virtual time."""
        return self.events[-1].time_ns if self.events else 0

    def chrome_trace(self) -> dict[str, Any]:
        """The run as a Chrome trace."""
        about = {"engine": "meshsim, virtual time", "cost profile": self.costs.profile.name}
        return chrome_trace(self.calls, self.journeys, self.streams, self.loading, about)


class _WatchedEnvoy(Envoy):
    """An Envoy that also notes when requests leave and come back, and what its VMs weigh before they end."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.journeys: list[Journey] = []
        self.weighed: tuple[VmMemory, ...] = ()
        self.compile_ns = 0

    def begin(self, request: Request, done: Callable[[Response], None], *, worker: int | None = None) -> None:
        start_ns = self.kernel.now_ns

        def noted(response: Response) -> None:
            self.journeys.append(Journey(request, response, start_ns, self.kernel.now_ns))
            done(response)

        super().begin(request, noted, worker=worker)

    def shut_down(self) -> None:
        self.weighed = tuple(self.memory())
        if len(modules := {vm.wasm.code.compiled.facts for vm in self.process.vms}) == 1:
            (facts,) = modules
            self.compile_ns = self.process.costs.compile_ns(facts.size_bytes, facts.branches)
        super().shut_down()


def observe(bootstrap: str | Path, requests: Sequence[Request], *, concurrency: int = 1, seed: int = 0) -> Observation:
    """Replay requests in the simulator and keep all that was seen.

    Parameters
    ----------
    bootstrap : str or Path
        A path, or the YAML text itself.

    Raises
    ------
    ConfigError
        The bootstrap cannot be used, or Envoy would refuse it. Where Envoy only finds out by running a module, that
        is a result: ``result.ready`` is false, and ``result.other`` says why.
    NotModelled
        The run reached something that Envoy does and meshsim does not model.
    """
    costs = CostModel()
    text = isinstance(bootstrap, str) and "\n" in bootstrap
    loaded = parse_bootstrap(str(bootstrap)) if text else load_bootstrap(bootstrap)
    envoy = _WatchedEnvoy(loaded, concurrency=concurrency, seed=seed, costs=costs)
    result = Replay(envoy).run(requests)
    seen, journeys = tuple(envoy.recorder.events), tuple(envoy.journeys)
    return Observation(concurrency, result, seen, journeys, envoy.weighed, costs, envoy.compile_ns)
