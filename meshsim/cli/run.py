"""``meshsim run``: a scenario, a mesh under load; tables on the screen, and files of every kind in a folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meshsim.cli.console import console, examples, printable, say, table, to_json, write_json
from meshsim.cli.output_folder import OutputFolder

if TYPE_CHECKING:
    from meshsim.mesh.latency import Latency
    from meshsim.mesh.result import Result
    from meshsim.mesh.scenario import Change, Scenario

EXAMPLES = examples(
    ("meshsim run --list", "the scenarios that come with meshsim"),
    ("meshsim run normal", "one of them: tables here"),
    ("meshsim run mesh.yaml --out run", "your own; rows, traces, metrics and pictures in ./run/"),
    ("meshsim run normal --set load.open.rate=200 --seed 7", "with something changed"),
    ('meshsim run normal --find "rt > 20 and code >= 500"', "the hops for which that holds"),
    ("meshsim run normal --json | jq .latency.p99_ns", "for a script"),
)

#: Rows that --find shows.
_SHOWN = 20
_BUSIEST = 6


def run(
    scenario: Annotated[
        str | None,
        typer.Argument(metavar="SCENARIO.yaml", help="A scenario, or the name of a bundled one.", show_default=False),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="In place of the scenario's own.", show_default=False)] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write the run as files, too.", show_default=False)
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Change something of the scenario.", show_default=False),
    ] = None,
    find: Annotated[
        str | None, typer.Option("--find", metavar="EXPRESSION", help="Show some hops.", show_default=False)
    ] = None,
    list_them: Annotated[bool, typer.Option("--list", help="List the bundled scenarios and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Run a scenario: a mesh of services with their sidecars, plugins, a load, and what happens meanwhile.

    Exit status:
    0  it ran
    2  it could not run: the scenario is not right, and every mistake is shown with its line
    3  the run reached what the simulator does not model
    """
    if list_them:
        show_list(as_json=as_json)
        return
    if scenario is None:
        raise typer.BadParameter("name a SCENARIO.yaml, or --list", param_hint="SCENARIO.yaml")
    from meshsim.mesh.scenario_loader import load_scenario

    loaded = load_scenario(scenario, [read_change(text) for text in changes or ()])
    folder = None if out is None else OutputFolder(out)
    result = loaded.run(seed)
    found = None if find is None else result.find(find)
    if folder is not None:
        write_files(result, folder)
    if as_json:
        document = summary(loaded, result)
        write_json(document if found is None else document | {"found": [row._asdict() for row in found]})
        return
    show(loaded, result)
    if found is not None:
        show_found(found, str(find))
    if folder is not None:
        say(f"\nfiles in {folder.path}: {', '.join(folder.written)}")


def read_change(text: str) -> Change:
    """Read ``PATH=VALUE``."""
    from meshsim.errors import ConfigError
    from meshsim.sweeps.plan import read_vary

    path, values = read_vary(text, "--set")
    if len(values) != 1:
        raise ConfigError(f"{len(values)} values for {path}", "--set", "give one, or use meshsim sweep --vary")
    return path, values[0]


def show_list(*, as_json: bool) -> None:
    """Print the bundled scenarios."""
    from meshsim.mesh.scenario_loader import bundled, load_scenario

    found = {name: load_scenario(path) for name, path in bundled().items()}
    if as_json:
        write_json([{"name": name, "title": one.title, "look_for": one.look_for} for name, one in found.items()])
        return
    made = table("name", "shows")
    for name, one in found.items():
        made.add_row(name, one.title)
    console().print(made)


# --- what is shown ---


def summary(scenario: Scenario, result: Result) -> dict[str, Any]:
    """Return a run as plain values."""
    return {
        "scenario": scenario.name,
        "seed": result.seed,
        "seconds": result.run_ns / 1e9,
        "warmup": result.warmup_ns / 1e9,
        "throughput": round(result.throughput, 3),
        "error_rate": round(result.error_rate, 6),
        "latency": result.latency.summary(),
        "services": {
            name: {"rate": round(view.rate, 3), "error_rate": round(view.error_rate, 6), **view.latency.summary()}
            for name, view in ((name, result.service(name)) for name in result.services)
        },
        "utilisation": {f"{use.pod} {use.track}": round(use.share, 6) for use in result.usage},
        "memory_bytes": _memory(result),
        "events": [{"time_ns": event.time_ns, "kind": event.kind, "what": event.what} for event in result.events],
        "notes": list(result.notes),
        "digest": result.digest(),
    }


def _memory(result: Result) -> dict[str, int]:
    pods: dict[str, int] = {}
    for part in result.memory:
        pods[part.pod] = pods.get(part.pod, 0) + part.size_bytes
    return pods


def show(scenario: Scenario, result: Result) -> None:
    """Print what a reader wants first."""
    out = console()
    measured = result.window_ns / 1e9
    lasted = f"{result.run_ns / 1e9:g} s of virtual time, of which {measured:g} s are measured"
    say(f"{printable(scenario.title)}: {lasted}; seed {result.seed}")
    made = table("service", "requests/s", "errors", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", title="\nServices")
    for column in made.columns[1:]:
        column.justify = "right"
    made.add_row("client", *_measures(len(result.requests) / measured, result.error_rate, result.latency))
    for name in result.services:
        view = result.service(name)
        made.add_row(printable(name), *_measures(view.rate, view.error_rate, view.latency))
    out.print(made)
    interval = result.latency.interval(0.99)
    if interval.half_width != float("inf"):
        say(f"p99 of the client: {interval.mean / 1e6:.3f} ± {interval.half_width / 1e6:.3f} ms, with 95 % confidence")
    for line in (*_busiest(result), *_happened(result)):
        say(line)
    if scenario.look_for:
        say("\nWhat to look for")
        say("\n".join(f"  {printable(line)}" for line in scenario.look_for.strip().splitlines()))


def _measures(rate: float, errors: float, latency: Latency) -> Iterator[str]:
    yield f"{rate:,.1f}"
    yield f"{errors:.2%}" if errors else "-"
    for name in ("p50", "p90", "p99", "p999"):
        yield f"{getattr(latency, name) / 1e6:.3f}"


def _busiest(result: Result) -> Iterator[str]:
    busiest = sorted((use for use in result.usage if use.share >= 0.005), key=lambda use: -use.share)[:_BUSIEST]
    if busiest:
        yield "busiest: " + ", ".join(f"{use.pod} {use.track} {use.share:.0%}" for use in busiest)
    memory = _memory(result)
    if memory:
        pod = max(memory, key=lambda name: memory[name])
        yield f"memory of VMs: {sum(memory.values()) / 2**20:.1f} MiB in {len(memory)} proxies; most in {pod}"


def _happened(result: Result) -> Iterator[str]:
    for event in result.events:
        yield f"at {event.time_ns / 1e9:g} s: {printable(f'{event.kind}: {event.what}')}"
    for note in result.notes:
        yield f"note: {printable(note)}"


def show_found(found: Sequence[Any], expression: str) -> None:
    """Print some hops."""
    made = table(
        "request", "hop", "at s", "source", "service", "pod", "worker", "rt ms", "proxy", "queue", "app", "net", "code",
        "flags", "tries", "filter", title=f"\n{len(found):,} hops: {printable(expression)}", wrap=False,
    )  # fmt: skip
    for row in found[:_SHOWN]:
        parts = (row.proxy_ns, row.queue_ns, row.app_ns, row.network_ns)
        made.add_row(
            str(row.request), str(row.hop), f"{row.start_ns / 1e9:.6f}", row.source, row.service, row.pod, row.worker,
            f"{(row.end_ns - row.start_ns) / 1e6:.3f}", *(f"{part / 1e6:.3f}" for part in parts), str(row.status),
            row.flags, str(row.tries), row.filter,
        )  # fmt: skip
    console().print(made)
    if len(found) > _SHOWN:
        say(f"... and {len(found) - _SHOWN:,} more; --json has all")


# --- files ---


def write_files(result: Result, folder: OutputFolder) -> None:
    """Write a run in every format."""
    from meshsim.errors import MeshsimError
    from meshsim.export import access_log, graphml, mesh_chrome, otlp, prometheus, tables
    from meshsim.figures import latencies, mesh_graph, pods

    services = {"client": result.latency} | {name: result.service(name).latency for name in result.services}
    pictures = {
        "latency.png": latencies.latency_curves(services),
        "mesh.png": mesh_graph.mesh_graph(result),
        "utilisation.png": pods.utilisation(result),
        **({"memory.png": pods.memory_stacks(pods.by_pod(result))} if result.memory else {}),
    }
    data: dict[str, bytes] = {
        "hops.csv": tables.csv_text(result).encode(),
        "trace.json": to_json(mesh_chrome.chrome_trace(result)).encode(),
        "spans.json": to_json(otlp.spans(result)).encode(),
        "metrics.txt": prometheus.metrics(result).encode(),
        "access.log": "".join(f"{line}\n" for line in access_log.lines(result)).encode(),
        "mesh.graphml": graphml.graphml_bytes(result),
        **{name: picture.render() for name, picture in pictures.items()},
    }
    with suppress(MeshsimError):  # pyarrow is of an extra; the rows are there as CSV
        data["hops.parquet"] = tables.parquet_bytes(result)
    folder.claim(data)
    for name, content in data.items():
        folder.write(name, content)
