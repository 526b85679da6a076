"""A lesson's last step: the same files in the real Envoy, run here, or as it was recorded where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from meshsim.envoy.outcome import ReplayResult
from meshsim.envoy.replay import replay
from meshsim.envoy.requests import Request
from meshsim.errors import ReferenceUnavailable
from meshsim.reference.compare import Comparison, compare, render
from meshsim.reference.envoy import envoy_version, find_envoy, release, run_envoy
from meshsim.reference.rules import Scope
from meshsim.reference.truth import TRUTH, Case, Truth


@dataclass(frozen=True, slots=True)
class RealRun:
    """A run of the real Envoy beside a simulated one of the same files.

    Attributes
    ----------
    result, simulated : ReplayResult
        What the real one did, and what the simulated one did.
    live : bool
        It ran here and now; else it was recorded, with the lesson's files as they came.
    workers : int
        Worker threads of both.
    origin : str
        Where it comes from, in a sentence.
    """

    result: ReplayResult
    simulated: ReplayResult
    live: bool
    workers: int
    origin: str
    comparison: Comparison

    @property
    def identical(self) -> bool:
        """Whether the two did the same."""
        return self.comparison.identical

    def __str__(self) -> str:
        return f"{self.origin}\n{render(self.comparison)}"

    __repr__ = __str__


def run_live(bootstrap: Path, requests: Sequence[Request], workers: int) -> RealRun:
    """Run both engines.

    Raises
    ------
    ReferenceUnavailable
        There is no real Envoy here.
    """
    version = release(envoy_version(find_envoy()))
    result = run_envoy(bootstrap, requests, workers)
    simulated = replay(bootstrap, requests, concurrency=workers)
    told = compare(simulated, result, Scope.of_file(bootstrap), concurrency=workers)
    return RealRun(result, simulated, True, workers, f"The real Envoy {version}, run here just now.", told)


def recorded(folder: Path, why: ReferenceUnavailable) -> RealRun:
    """Return the recorded run of a lesson's files as they came, beside a simulation of just those.

    Parameters
    ----------
    why : ReferenceUnavailable
        Why there is no live run.
    """
    case = Case.load(folder)
    truth = Truth.load(folder / TRUTH)
    simulated = replay(case.bootstrap, case.requests(), concurrency=case.concurrency)
    origin = (
        f"A recorded run of the real Envoy {release(truth.envoy)}, with {case.concurrency} "
        f"worker{'s' * (case.concurrency != 1)} and the lesson's files as they came: {why.what}."
    )
    return RealRun(truth.result, simulated, False, case.concurrency, origin, case.compare(simulated, truth.result))
