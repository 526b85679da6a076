"""``meshsim validate``: whether a bootstrap or a scenario is right, for the simulator or for the real Envoy."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict
from enum import StrEnum
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meshsim.cli.console import console, examples, printable, read_text, say, table, write_json
from meshsim.errors import ConfigError, MeshsimError

if TYPE_CHECKING:
    from meshsim.envoy.loader import Report

EXAMPLES = examples(
    ("meshsim validate envoy.yaml", "can the simulator run it?"),
    ("meshsim validate envoy.yaml --on envoy", "does the real Envoy take it?"),
    ("meshsim validate mesh.yaml", "is this scenario right? every mistake, with its line"),
    ("meshsim validate --fields", "the fields that the simulator models"),
)

REFUSED = 2

#: Seconds that the real Envoy gets; it loads the modules too.
TIMEOUT_S = 60

#: Put before each record of Envoy's log, because a record may have several lines.
_RECORD = "@@"


class Judge(StrEnum):
    """Who says whether a bootstrap is right."""

    SIM = "sim"
    ENVOY = "envoy"


def validate(
    bootstrap: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE", help="Envoy's bootstrap, or a scenario (also a bundled one's name).", show_default=False
        ),
    ] = None,
    on: Annotated[Judge, typer.Option("--on", help="Who says so.")] = Judge.SIM,
    fields: Annotated[bool, typer.Option("--fields", help="List the fields that the simulator models.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check a bootstrap or a scenario; exit status 0: it is right, 2: it is refused, and why."""
    if fields:
        show_fields(as_json=as_json)
        return
    if bootstrap is None:
        raise typer.BadParameter("name a FILE, or --fields", param_hint="FILE")
    if not bootstrap.is_file():
        from meshsim.mesh.scenario_loader import bundled

        bootstrap = bundled().get(str(bootstrap), bootstrap)
    report = judge_scenario(bootstrap, on) if is_scenario(bootstrap) else JUDGES[on](bootstrap)
    if as_json:
        write_json({"file": report.file, "on": on.value, "usable": report.usable, "findings": _rows(report)})
    elif report.usable:
        show_notes(report)
        say(f"{bootstrap}: {VERDICTS[on]}")
    if not report.usable:
        for problem in problems(report):
            print(problem, file=sys.stderr)
        raise typer.Exit(REFUSED)


def is_scenario(path: Path) -> bool:
    """Return whether a file is meant to be a scenario: it says who is in a mesh, which no bootstrap does."""
    import yaml

    try:
        value = yaml.safe_load(read_text(path))
    except (yaml.YAMLError, ValueError, RecursionError):  # whoever judges it says why
        return False
    return isinstance(value, dict) and "topology" in value and "static_resources" not in value


def judge_scenario(path: Path, on: Judge) -> Report:
    """Return all that is wrong with a scenario."""
    from meshsim.envoy.loader import Finding, Report
    from meshsim.mesh.scenario_loader import check_scenario

    if on is Judge.ENVOY:
        raise ConfigError("is a scenario, which the real Envoy knows nothing of", str(path), "leave out --on")
    return Report(
        str(path),
        tuple(
            Finding("refused", f"{found.what}; {found.remedy}" if found.remedy else found.what, found.path, found.line)
            for found in check_scenario(path)
        ),
    )


def problems(report: Report) -> Iterator[str]:
    """Yield one text for each finding that keeps the bootstrap from running: where, what, and what to do."""
    for finding in report.findings:
        if finding.severity == "unusable":
            yield f"meshsim: {finding.message}"
        elif finding.severity != "inert":
            place = ":".join(str(part) for part in (report.file, finding.line, finding.path) if part)
            yield f"meshsim: {place}: {finding.severity}: {printable(finding.message)}"
    if {finding.severity for finding in report.findings} & {"not modelled"}:
        yield "  -> leave it out, or replay with --ignore-unmodelled"


def show_notes(report: Report) -> None:
    """Print the fields that are accepted without effect."""
    inert = [finding.path for finding in report.findings if finding.severity == "inert"]
    if inert:
        say(f"accepted, changes nothing here: {', '.join(inert)}")


def _rows(report: Report) -> list[dict[str, Any]]:
    return [asdict(finding) for finding in report.findings]


def _ask_simulator(bootstrap: Path) -> Report:
    from meshsim.envoy.loader import check_bootstrap

    return check_bootstrap(bootstrap)


def _ask_envoy(bootstrap: Path) -> Report:
    """Run the real Envoy in its validation mode: it builds everything, modules too, and opens no listener."""
    from meshsim.envoy.config.refusal import normal_refusal
    from meshsim.envoy.loader import Finding, Report
    from meshsim.reference.envoy import cannot_run, find_envoy

    read_text(bootstrap)  # what cannot be read is no refusal
    path, binary = bootstrap.absolute(), find_envoy()
    command = [binary, "--mode", "validate", "-c", str(path), "--use-dynamic-base-id"]
    command += ["-l", "error", "--log-format", f"{_RECORD}%v"]
    try:
        done = subprocess.run(
            command, cwd=path.parent, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S, check=False
        )
    except OSError as error:
        raise cannot_run(binary, error.strerror) from error
    except subprocess.TimeoutExpired as error:
        raise MeshsimError(f"the real Envoy has not judged it within {TIMEOUT_S} s", str(bootstrap)) from error
    if done.returncode == 0:
        return Report(str(bootstrap), ())
    reason = normal_refusal(done.stderr.rpartition(_RECORD)[2]) or f"Envoy ended with status {done.returncode}"
    return Report(str(bootstrap), (Finding("refused", reason),))


JUDGES: dict[Judge, Callable[[Path], Report]] = {Judge.SIM: _ask_simulator, Judge.ENVOY: _ask_envoy}
VERDICTS = {Judge.SIM: "the simulator can run it", Judge.ENVOY: "the real Envoy takes it"}


def show_fields(*, as_json: bool) -> None:
    """Print what becomes of each field that Envoy knows, message by message."""
    from meshsim.envoy.config.coverage import modelled_fields

    rows = modelled_fields()
    if as_json:
        write_json([{"message": message, "field": field, "status": status} for message, field, status in rows])
        return
    made = table("message", "modelled", "accepted, changes nothing here")
    for message, group in groupby(rows, key=itemgetter(0)):
        fields = defaultdict(list)
        for _, field, status in group:
            fields[status].append(field)
        if fields["modelled"] or fields["inert"]:
            made.add_row(message, ", ".join(fields["modelled"]), ", ".join(fields["inert"]))
    console().print(made)
