"""One scenario, simulated and (where it is installed) in the real Envoy: all that a report says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter  # noqa: TID251  how long a run took here, shown as just that

from meshsim.envoy.outcome import ReplayResult
from meshsim.envoy.requests import Request, load_requests
from meshsim.errors import ReferenceUnavailable
from meshsim.figures.provenance import Origin
from meshsim.lab.observe import Observation, observe
from meshsim.lab.scenarios import Scenario
from meshsim.reference.compare import Comparison, compare, render
from meshsim.reference.envoy import envoy_version, find_envoy, release, run_envoy
from meshsim.reference.rules import Scope


@dataclass(frozen=True, slots=True)
class Real:
    """A run of the real Envoy: its version, what it did, how long it took (s), how the simulation compares."""

    version: str
    result: ReplayResult
    took_s: float
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class Showing:
    """A scenario that was run.

    Attributes
    ----------
    real : Real or None
        None where the real Envoy is not installed; ``missing`` then says so.
    took_s : float
        Wall-clock time of the simulation.
    """

    scenario: Scenario
    bootstrap: str
    seen: Observation
    scope: Scope
    took_s: float
    real: Real | None
    missing: str = ""

    @property
    def real_result(self) -> ReplayResult | None:
        """What the real Envoy did."""
        return self.real.result if self.real else None

    @property
    def identical(self) -> bool:
        """Whether nothing differs; true also when there is nothing to compare with."""
        return self.real is None or self.real.comparison.identical

    @property
    def verdict(self) -> str:
        """How the two compare, in a line."""
        if self.real is None:
            return "not compared: the real Envoy is not installed here"
        comparison = self.real.comparison
        word = "identical to" if comparison.identical else "different from"
        level = f"traces agree at level {comparison.level.word}" if comparison.level else "traces agree at no level"
        return f"{word} the real Envoy {self.real.version}: {level}"

    @property
    def comparison_text(self) -> str:
        """How the two compare, with what was set aside and each difference."""
        return render(self.real.comparison) if self.real else self.missing

    @property
    def origins(self) -> list[tuple[Origin, str]]:
        """The marks that stand at numbers, and what they mean here."""
        version = self.real.version if self.real else ""
        profile = self.seen.costs.profile
        words = {origin: origin.words(profile.name, version) for origin in Origin}
        date = profile.measured.get("date", "")
        if date:
            words[Origin.PROFILE] += f", measured {date}"
        return [(origin, text) for origin, text in words.items() if self.real or origin is not Origin.ENVOY]

    @property
    def durations(self) -> str:
        """How long it took on this machine."""
        words = f"simulated {self.seen.virtual_ns / 1e6:,.1f} ms of virtual time in {self.took_s * 1000:,.0f} ms"
        return words + (f"; the real Envoy took {self.real.took_s:.1f} s" if self.real else "")


def show(scenario: Scenario, *, concurrency: int, seed: int = 0) -> Showing:
    """Run a scenario in the simulator and, where it is installed, in the real Envoy.

    Raises
    ------
    MeshsimError
        A run could not be made.
    """
    requests = load_requests(scenario.requests)
    began = perf_counter()
    seen = observe(scenario.bootstrap, requests, concurrency=concurrency, seed=seed)
    took_s = perf_counter() - began
    scope = Scope.of_file(scenario.bootstrap)
    real, missing = None, ""
    try:
        real = _real(scenario.bootstrap, requests, concurrency, seen.result, scope)
    except ReferenceUnavailable as unavailable:
        missing = str(unavailable)
    text = scenario.bootstrap.read_text(encoding="utf-8")
    return Showing(scenario, text, seen, scope, took_s, real, missing)


def _real(
    bootstrap: Path, requests: Sequence[Request], concurrency: int, simulated: ReplayResult, scope: Scope
) -> Real:
    version = release(envoy_version(find_envoy()))
    began = perf_counter()
    result = run_envoy(bootstrap, requests, concurrency)
    took_s = perf_counter() - began
    return Real(version, result, took_s, compare(simulated, result, scope, concurrency=concurrency))
