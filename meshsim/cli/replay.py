"""``meshsim replay``: one Envoy, in the simulator, in the real one, or in both with a comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meshsim.cli.console import STDOUT, examples, read_text, say, to_json, write_text
from meshsim.cli.outcome_tables import refusal, show
from meshsim.errors import ConfigError, MeshsimError

if TYPE_CHECKING:
    from meshsim.envoy.outcome import ReplayResult
    from meshsim.envoy.requests import Request
    from meshsim.reference.compare import Comparison

EXAMPLES = examples(
    ("meshsim replay envoy.yaml requests.json", "in the simulator"),
    ("meshsim replay envoy.yaml requests.json --on both", "and in the real Envoy, compared"),
    ("meshsim replay envoy.yaml requests.json --concurrency 4", "with four workers"),
    ("meshsim replay envoy.yaml requests.json --json - | jq .logs", "for a script"),
    ("meshsim replay --explain", "what 'identical' leaves out"),
)

DIFFERENT, REFUSED = 1, 2


class Engine(StrEnum):
    """Where a replay runs."""

    SIM = "sim"
    ENVOY = "envoy"
    BOTH = "both"


class Abi(StrEnum):
    """Whose modules the simulator takes."""

    ENVOY = "envoy"
    HIGRESS = "higress"


class Level(StrEnum):
    """How strictly two ABI traces are compared."""

    EXACT = "exact"
    CALLS = "calls"
    PROXY = "proxy"


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be replayed, and how."""

    bootstrap: Path
    requests: Path
    concurrency: int
    seed: int
    ignore_unmodelled: bool
    abi: Abi = Abi.ENVOY


@dataclass(slots=True)
class Account:
    """What is known when a replay has ended, however it ended: the results by engine, and what went wrong."""

    requests: Sequence[Request] = ()
    results: dict[str, ReplayResult] = field(default_factory=dict)
    comparison: Comparison | None = None
    error: MeshsimError | None = None

    @property
    def status(self) -> int:
        """The exit status, as the contract has it."""
        if self.error is not None:
            return self.error.exit_status
        if self.comparison is not None:
            return 0 if self.comparison.identical else DIFFERENT
        return 0 if all(result.ready for result in self.results.values()) else REFUSED


def _explain(wanted: bool) -> None:
    if wanted:
        from meshsim.reference.rules import explain

        say(explain())
        raise typer.Exit


def replay(
    bootstrap: Annotated[Path, typer.Argument(metavar="ENVOY.yaml", help="Envoy's bootstrap.", show_default=False)],
    requests: Annotated[Path, typer.Argument(metavar="REQUESTS.json", help="A list of requests.", show_default=False)],
    on: Annotated[Engine, typer.Option("--on", help="Where it runs.")] = Engine.SIM,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Worker threads.")] = 1,
    target: Annotated[
        Path | None,
        typer.Option(
            "--json", metavar="OUT", help="Write the results as JSON to a file, or to '-'.", show_default=False
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the simulator's random numbers.")] = 0,
    level: Annotated[
        Level | None,
        typer.Option(
            help="How strictly ABI traces are compared; else as strictly as the trace allows.", show_default=False
        ),
    ] = None,
    ignore_unmodelled: Annotated[
        bool, typer.Option("--ignore-unmodelled", help="Leave out fields that the simulator does not model.")
    ] = False,
    abi: Annotated[
        Abi,
        typer.Option(
            "--abi", help="Whose modules the simulator takes; Envoy itself refuses those of Higress (ABI 0.2.100)."
        ),
    ] = Abi.ENVOY,
    explain: Annotated[
        bool,
        typer.Option("--explain", callback=_explain, is_eager=True, help="Print the rules of the comparison and end."),
    ] = False,
) -> None:
    """Send a list of requests through one Envoy: simulated, real, or both and compare.

    Exit status:
    0  it ran; with both: they are identical, also when both refuse the configuration
    1  they differ
    2  it could not run (a file, its YAML, the requests);
       with one engine: the configuration was refused
    3  the run reached what the simulator does not model
    """
    if on is not Engine.SIM and abi is not Abi.ENVOY:
        raise ConfigError("the real Envoy takes no other modules", f"--abi {abi}", "leave out --on")
    job = Job(bootstrap, requests, concurrency, seed, ignore_unmodelled, abi)
    check_readable(bootstrap)
    account = carry_out(job, on, level)
    if target is not None:
        write_text(document(account, on), target)
    if target != STDOUT:
        show(account.requests, account.results, account.comparison)
    if account.error is not None:
        raise account.error
    if account.status == REFUSED:
        raise ConfigError(refusal(*account.results.popitem()), str(bootstrap))
    raise typer.Exit(account.status)


def check_readable(bootstrap: Path) -> None:
    """Raise ConfigError where the bootstrap is missing or not YAML: then no engine can say anything about it."""
    from meshsim.envoy.config.document import read

    read(read_text(bootstrap), str(bootstrap))


def carry_out(job: Job, on: Engine, level: Level | None) -> Account:
    """Run the engines in turn, compare when there are two; an error ends it and is part of the account."""
    from meshsim.envoy.requests import load_requests

    account = Account()
    try:
        account.requests = load_requests(job.requests)
        for engine in (Engine.SIM, Engine.ENVOY) if on is Engine.BOTH else (on,):
            account.results[engine] = ENGINES[engine](job, account.requests)
        if on is Engine.BOTH:
            account.comparison = _compare(job, level, *account.results.values())
    except MeshsimError as error:
        account.error = error
    return account


def _simulate(job: Job, requests: Sequence[Request]) -> ReplayResult:
    from meshsim.envoy.replay import replay

    return replay(
        job.bootstrap,
        requests,
        concurrency=job.concurrency,
        seed=job.seed,
        ignore_unmodelled=job.ignore_unmodelled,
        abi=job.abi.value,
    )


def _run_real(job: Job, requests: Sequence[Request]) -> ReplayResult:
    from meshsim.reference.envoy import run_envoy

    return run_envoy(job.bootstrap, requests, job.concurrency)


def _compare(job: Job, level: Level | None, sim: ReplayResult, real: ReplayResult) -> Comparison:
    from meshsim.reference import compare, lines, rules

    required = None if level is None else lines.Level.named(level)
    scope = rules.Scope.of_file(job.bootstrap)
    return compare.compare(sim, real, scope, level=required, concurrency=job.concurrency)


ENGINES: dict[Engine, Callable[[Job, Sequence[Request]], ReplayResult]] = {
    Engine.SIM: _simulate,
    Engine.ENVOY: _run_real,
}


def _failed(error: MeshsimError) -> ReplayResult:
    """The result of a replay that did not come to an end: no partial trace, only the reason."""
    from meshsim.envoy.outcome import ReplayResult

    return ReplayResult(ready=False, other=(("main", "error", str(error)),))


def document(account: Account, on: Engine) -> str:
    """Return the account as the JSON text of OUT: a Replay JSON, or with two engines one of each and the comparison."""
    results = dict(account.results)
    if account.error is not None:
        results = {engine: _failed(account.error) for engine in ENGINES if on in (engine, Engine.BOTH)} | results
    if on is not Engine.BOTH:
        return results[on].dumps()
    parts = {str(engine): result.dumps() for engine, result in results.items()}
    parts["comparison"] = to_json(account.comparison and verdict(account.comparison))
    return "{\n" + ",\n".join(f'"{name}": {text}' for name, text in parts.items()) + "\n}"


def verdict(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison as plain values; levels are words, null where the traces agree at none."""
    return {
        "identical": comparison.identical,
        "level": comparison.level and comparison.level.word,
        "required": comparison.required.word,
        "differences": [asdict(difference) for difference in comparison.differences],
        "notes": [asdict(note) for note in comparison.notes],
        "left_out": {rule: count for rule, count in comparison.masked.items() if count},
    }
