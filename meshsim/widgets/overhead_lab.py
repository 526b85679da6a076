"""What Wasm filters cost: memory and CPU by part, latency under load, native, Lua and Wasm side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import traitlets

from meshsim.cost import Profile, default_profile
from meshsim.widgets._base import Widget
from meshsim.widgets._overhead import Setup, Share, cpu_bar, lua_bytes, memory_bar, side_by_side
from meshsim.widgets._overhead_picture import picture_of, rows_of
from meshsim.widgets._overhead_queue import Latency
from meshsim.widgets._overhead_run import MODULES, POLICIES, crash_strip, share_of
from meshsim.widgets._overhead_view import (
    View,
    bar_of,
    cpu_words,
    curve_of,
    legend_of,
    memory_words,
    sides_of,
    size_words,
    strip_of,
    subtitle_of,
    time_words,
)
from meshsim.widgets._still import Still

#: Stops of the sliders.
CONNECTIONS = (1, 4, 8, 16, 64, 256)
BODY_BYTES = (0, 1_000, 10_000, 100_000)
CODE_BYTES = (0, 10_000, 100_000, 1_000_000, 4_000_000)
MOST_WORKERS, MOST_PLUGINS = 32, 8
#: Requests at each load: of a replication of the first, coarse round (of which there are three), and of a later one.
_COARSE, _COARSE_REPLICATIONS, _FINE = 600, 3, 4_000
#: After so many rounds the curve stands.
MOST_ROUNDS = 10


class OverheadLab(Widget, assets="overhead_lab"):
    """Sliders for what an Envoy with Wasm filters is like, and what that costs.

    Memory and CPU are arithmetic from the cost profile and from the work that the module does for a request, which is
    counted in a simulated run. Latency under load is simulated: coarse at once, finer with each of :attr:`rounds`.

    Parameters
    ----------
    profile : Profile, optional
        What costs are taken from; the profile that comes with meshsim when it is left out.

    Attributes
    ----------
    workers, plugins : int
        Worker threads, and Wasm filters in the chain.
    module : {"headers", "body"}
        What a filter does.
    code_bytes : int
        Size of the module; 0 for its own.
    own_vms : bool
        Whether each filter has a VM of its own.
    connections : int
        Connections of the clients together.
    body_bytes : int
        Size of each request's body.
    policy : {"closed", "open", "reload"}
        What happens when a module crashes.
    rounds : int
        How often the latency was simulated for this setup; setting it simulates it so often. 0: not yet.

    Examples
    --------
    >>> lab = OverheadLab()
    >>> lab.workers, lab.plugins = 4, 2
    >>> len(lab.view["memory"]["parts"]) > 1
    True
    >>> lab.refine(2).view["latency"]["replications"]
    2
    """

    workers = traitlets.Int(2, min=1, max=MOST_WORKERS).tag(sync=True)
    plugins = traitlets.Int(1, min=0, max=MOST_PLUGINS).tag(sync=True)
    module = traitlets.Enum(tuple(MODULES), "headers").tag(sync=True)
    code_bytes = traitlets.Int(0, min=0).tag(sync=True)
    own_vms = traitlets.Bool(True).tag(sync=True)
    connections = traitlets.Int(64, min=1, max=10_000).tag(sync=True)
    body_bytes = traitlets.Int(0, min=0, max=200_000).tag(sync=True)
    policy = traitlets.Enum(tuple(POLICIES), "closed").tag(sync=True)
    rounds = traitlets.Int(0, min=0, max=MOST_ROUNDS).tag(sync=True)
    stops: Any = traitlets.Dict().tag(sync=True)

    def __init__(self, profile: Profile | None = None, **setup: Any) -> None:
        self._profile = profile or default_profile()
        self._latencies: dict[tuple[float, int, int], tuple[Latency, int]] = {}
        super().__init__(
            stops={
                "connections": CONNECTIONS,
                "body_bytes": BODY_BYTES,
                "code_bytes": CODE_BYTES,
                "modules": [[name, words] for name, (words, _) in MODULES.items()],
                "rounds": MOST_ROUNDS,
            },
            **setup,
        )
        self.observe(
            self._changed, ["workers", "plugins", "module", "code_bytes", "own_vms", "connections", "body_bytes"]
        )
        self.observe(self._show, ["policy", "rounds"])
        self.rounds = 1

    @property
    def setup(self) -> Setup:
        """What is weighed."""
        return Setup(self.workers, self.plugins, self.connections, self.code_bytes, self.own_vms)

    @property
    def share(self) -> Share:
        """What one filter does for a request."""
        return share_of(self.module, self.body_bytes)

    def refine(self, rounds: int = MOST_ROUNDS) -> OverheadLab:
        """Simulate latency so often, so that its interval becomes narrower; return the lab."""
        self.rounds = rounds
        return self

    def still(self) -> Still:
        """Return bars and curves as a picture and a table."""
        if not self.rounds:
            self.rounds = 1
        origins = [f"{origin['mark']} {origin['words']}" for origin in self.view["origins"]]
        notes = [note for note in (self.view["memory"]["lacking"], self.view["cpu"]["lacking"]) if note]
        title = f"What Wasm filters cost ({self.plugins} in the chain): {self.view['subtitle']}"
        return Still(
            title, picture_of(self.view), ("what", "how much", "range"), rows_of(self.view), (*notes, *origins)
        )

    def _changed(self, change: Any) -> None:
        """Show the arithmetic at once; the latency is of another setup now."""
        if self.rounds:
            self.rounds = 0  # shows it, too
        else:
            self._show()

    def _show(self, change: Any = None) -> None:
        setup, share, profile = self.setup, self.share, self._profile
        bare = replace(setup, plugins=0)
        memory, memory_bare = (memory_bar(profile, each, share) for each in (setup, bare))
        cpu, cpu_bare = (cpu_bar(profile, each, share) for each in (setup, bare))
        outcomes, made = crash_strip(self.policy)
        self.view = {
            "subtitle": subtitle_of(setup, share),
            "memory": bar_of(memory, size_words)
            | {"added": memory_words(setup, memory, memory_bare, lua_bytes(profile, setup))},
            "cpu": bar_of(cpu, time_words) | {"added": cpu_words(cpu, cpu_bare)},
            "sides": sides_of(side_by_side(profile)),
            "latency": self._latency(cpu.total.value, cpu_bare.total.value),
            "crash": strip_of(self.policy, outcomes, made),
            "origins": legend_of(profile),
        }

    def _latency(self, with_ns: float, without_ns: float) -> View:
        """Return the curves with and without filters, as far as they are known."""
        if not self.rounds or not with_ns:
            words = "to be simulated when the hand rests" if with_ns else "not known without the CPU time"
            return {"curves": [], "replications": 0, "words": words}
        curves = [("without filters", without_ns, "square", "grey")]
        if self.plugins:
            name = f"with {self.plugins} filter{'s' * (self.plugins != 1)}"
            curves.append((name, with_ns, "circle", "blue"))
        found = [(name, self._replicated(ns), mark, colour) for name, ns, mark, colour in curves]
        latency = found[-1][1]
        return {
            "curves": [curve_of(name, latency, mark, colour) for name, latency, mark, colour in found],
            "replications": latency.replications,
            "words": (
                f"{latency.requests:,} requests simulated in {latency.replications} replications; "
                "the band is the 95% interval of the p99"
            ),
        }

    def _replicated(self, service_ns: float) -> Latency:
        """Return a latency with as many replications as :attr:`rounds` says; each is simulated once."""
        key = (service_ns, self.workers, self.connections)
        latency, rounds = self._latencies.get(key, (None, 0))
        if latency is None or rounds == 1 < self.rounds:  # the coarse ones are not mixed with the others
            latency, rounds = Latency(service_ns, self.workers, self.connections), 0
        wanted = self.rounds if self.rounds > 1 else _COARSE_REPLICATIONS
        while latency.replications < wanted:
            latency.replicate(_FINE if self.rounds > 1 else _COARSE)
        self._latencies = {**dict(list(self._latencies.items())[-7:]), key: (latency, max(rounds, self.rounds))}
        return latency
