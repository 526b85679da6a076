"""How well a cost profile predicts the real Envoy, on work that it was not made from.

``python -m meshsim.reference.accuracy [PROFILE.json]`` prints tables in Markdown. Beside each error stands how far
Envoy is from itself: half the range of its own rounds, each a fresh process. Both sides are measured in one way:
:mod:`~meshsim.reference.rounds`.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from meshsim.cost import (
    Estimate,
    Profile,
    Work,
    default_profile,
    increment,
    loading_parts,
    memory_parts,
    request_parts,
    total,
)
from meshsim.reference import rounds, underload
from meshsim.reference.bench import Bench
from meshsim.reference.calibrate import TINY, machine, quietest
from meshsim.reference.envoy import termination_as_exit
from meshsim.reference.heldout import Case, HeldOut, held_out
from meshsim.reference.probes import Probe
from meshsim.reference.recording import start_of
from meshsim.reference.rounds import Tick, Weighing
from meshsim.wasm import parse_module

#: Rounds of the loads, how many of them count, and turns of each chain in one; rounds of weighing and of loading, and
#: starts in one.
ROUNDS, KEPT, PASSES = 6, 4, 50
WEIGHINGS, LOADINGS, STARTS = 2, 3, 6


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was predicted and measured: ns or bytes; one value a round; requests on so many connections."""

    name: str
    predicted: Estimate
    measured: tuple[float, ...]
    connections: int = 0

    @property
    def envoy(self) -> float:
        """What Envoy does: the median of its rounds."""
        return median(self.measured)

    @property
    def error(self) -> float:
        """How far the prediction is off, as a part of what Envoy does.

        >>> Row("x", Estimate(125.0, 100.0, 150.0), (100.0, 96.0, 104.0)).error
        0.25
        """
        return self.predicted.value / self.envoy - 1

    @property
    def again(self) -> float:
        """How far Envoy is off itself.

        >>> Row("x", Estimate(110.0, 100.0, 120.0), (100.0, 96.0, 104.0)).again
        0.04
        """
        return (max(self.measured) - min(self.measured)) / 2 / self.envoy


@dataclass(frozen=True, slots=True)
class Comparison:
    """All rows: CPU time of requests, and what filters add to them; memory; steps of loading.

    ``plain`` are requests without a filter, by the number of connections. The profile was made from such ones too: they
    tell how fast the machine is now, not how good the model is.
    """

    plain: Mapping[int, Row]
    requests: tuple[Row, ...]
    increments: tuple[Row, ...]
    memory: tuple[Row, ...]
    loading: tuple[Row, ...]

    def speed(self, connections: int) -> float:
        """What a request without a filter takes now, as a part of what the profile says."""
        row = self.plain[connections]
        return row.envoy / row.predicted.value


def compare(profile: Profile, tick: Tick = lambda: None) -> Comparison:
    """Measure what is held out, and predict it from a profile."""
    with termination_as_exit(), tempfile.TemporaryDirectory(prefix="meshsim-accuracy-") as folder:
        bench = Bench(Path(folder))
        held = held_out(bench)
        requests = _requests(bench, held.requests, profile, tick)
        memory = _memory(bench, held, profile, tick)
        return Comparison(*requests, memory, _loading(bench, held, profile, tick))


def _requests(
    bench: Bench, cases: Sequence[Case], profile: Profile, tick: Tick
) -> tuple[Mapping[int, Row], tuple[Row, ...], tuple[Row, ...]]:
    counts = sorted({case.connections for case in cases})
    probes = {f"none {count}": Probe((), count) for count in counts}
    probes |= {case.name: Probe(case.filters, case.connections) for case in cases}
    kept = quietest([rounds.cpu_per_request(bench, probes, PASSES, tick) for _ in range(ROUNDS)], KEPT)
    plain = {
        count: Row(
            f"no filter, c={count}",
            total(request_parts(Work(), count, profile).values()),
            tuple(loads.cpu[f"none {count}"] for loads in kept),
            count,
        )
        for count in counts
    }
    whole = tuple(
        Row(
            f"{case.name}, c={case.connections}",
            total(request_parts(case.work, case.connections, profile).values()),
            tuple(loads.cpu[case.name] for loads in kept),
            case.connections,
        )
        for case in cases
    )
    added = tuple(
        Row(
            row.name,
            increment(case.work, case.connections, profile),
            tuple(loads.cpu[case.name] - loads.cpu[f"none {case.connections}"] for loads in kept),
        )
        for row, case in zip(whole, cases, strict=True)
    )
    return plain, whole, added


def _memory(bench: Bench, held: HeldOut, profile: Profile, tick: Tick) -> tuple[Row, ...]:
    rows = []
    for each in held.memory:
        weights = []
        for _ in range(WEIGHINGS):
            weights.append(float(rounds.weigh(bench, Weighing(each.filters, each.workers))))
            tick()
        rows.append(Row(each.name, total(memory_parts(each.modules, each.workers, profile).values()), tuple(weights)))
    return tuple(rows)


def _loading(bench: Bench, held: HeldOut, profile: Profile, tick: Tick) -> tuple[Row, ...]:
    paths = [*rounds.padded(bench, [0] * TINY, 9), *held.loading.values()]
    seen = [rounds.loading(bench, paths, STARTS, tick)[TINY:] for _ in range(LOADINGS)]
    rows = []
    for index, (name, path) in enumerate(held.loading.items()):
        facts = parse_module(path.read_bytes())
        parts = loading_parts(facts.size_bytes, start_of(path), profile=profile, branches=facts.branches)
        took = [each[index] for each in seen]
        steps: Mapping[str, tuple[Estimate, Iterable[float]]] = {
            "base VM": (parts["isolate"] + parts["compile"], (each.base - (each.isolate or 0) for each in took)),
            "clone": (parts["clone"], (each.clone or 0 for each in took)),
            "configure": (parts["configure"], (each.configure for each in took)),
        }
        rows += [Row(f"{name}: {step}", predicted, tuple(spans)) for step, (predicted, spans) in steps.items()]
    return tuple(rows)


def report(comparison: Comparison, profile: Profile) -> str:
    """The tables, in Markdown."""
    where = f"{profile.name} of {profile.measured['date']}"
    now = machine()
    inside = sum(row.envoy in row.predicted for row in comparison.increments)
    parts = [
        f"Profile: {where}. Measured: {now['date']}, {now['cpu']}.",
        _summary(comparison),
        _speed(comparison),
        _table("CPU time of a request, us", comparison.requests, 1e3),
        _table("What the filters add, us", comparison.increments, 1e3, interval=True),
        f"Inside their interval: {inside} of {len(comparison.increments)}.",
        _table("Resident memory, MiB", comparison.memory, 2**20),
        _table("Loading, ms", comparison.loading, 1e6),
    ]
    return "\n\n".join(parts)


def _summary(comparison: Comparison) -> str:
    lines = ["| | median error | worst | within | Envoy again, median |", "|---|---:|---:|---:|---:|"]
    for name, rows, bar in (
        ("CPU time of a request", comparison.requests, 0.2),
        ("resident memory", comparison.memory, 0.1),
        ("time of a loading step", comparison.loading, 0.3),
    ):
        errors = [abs(row.error) for row in rows]
        within = f"{sum(error <= bar for error in errors)} of {len(errors)} within {bar:.0%}"
        again = median(row.again for row in rows)
        lines.append(f"| {name} | {median(errors):.1%} | {max(errors):.1%} | {within} | {again:.1%} |")
    return "\n".join(lines)


def _speed(comparison: Comparison) -> str:
    """How fast the machine is now, and the errors of CPU time with that taken out."""
    bar = 0.2
    speeds = {count: comparison.speed(count) for count in sorted(comparison.plain)}
    errors = [abs(row.predicted.value * speeds[row.connections] / row.envoy - 1) for row in comparison.requests]
    said = ", ".join(f"{speed:.2f} (c={count})" for count, speed in speeds.items())
    return (
        f"A request without a filter takes now, of what the profile says: {said}. With predictions times that,"
        f" CPU time of a request: median {median(errors):.1%}, worst {max(errors):.1%},"
        f" {sum(error <= bar for error in errors)} of {len(errors)} within {bar:.0%}."
    )


def _table(title: str, rows: Sequence[Row], unit: float, interval: bool = False) -> str:
    lines = [f"| {title} | predicted | Envoy | error | Envoy again |", "|---|---:|---:|---:|---:|"]
    for row in rows:
        predicted = f"{row.predicted.value / unit:.2f}"
        if interval:
            predicted += f" ({row.predicted.low / unit:.2f} to {row.predicted.high / unit:.2f})"
        lines.append(f"| {row.name} | {predicted} | {row.envoy / unit:.2f} | {row.error:+.1%} | {row.again:.1%} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables; progress goes to stderr."""
    parser = argparse.ArgumentParser(prog="python -m meshsim.reference.accuracy", description="Test a cost profile.")
    parser.add_argument("profile", type=Path, nargs="?", metavar="PROFILE.json")
    given: Path | None = parser.parse_args(arguments).profile
    profile = Profile.from_file(given) if given else default_profile()
    print(report(compare(profile), profile))
    print(f"\n{underload.section(profile)}")


if __name__ == "__main__":
    main()
