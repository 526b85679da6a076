"""A scenario's report as a notebook: run in front of the reader, drawn, and ready to be changed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat

from meshsim.lab.notebook import Notebook
from meshsim.mesh.scenario import Scenario
from meshsim.mesh.scenario_loader import bundled, load_scenario

_V4: Any = nbformat.v4
_KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}

_RUN = """import meshsim as ms

scenario = ms.load_scenario({source!r})
result = scenario.run(seed={seed})
print(result.latency)
print(f"{{result.throughput:.1f}} good answers a second, {{result.error_rate:.2%}} errors")"""

_SERVICES = """print(f"{'service':<16}{'requests/s':>11}{'errors':>9}{'p50 ms':>9}{'p90 ms':>9}{'p99 ms':>9}")
for name in result.services:
    view = result.service(name)
    times = "".join(f"{ns / 1e6:9.3f}" for ns in (view.latency.p50, view.latency.p90, view.latency.p99))
    print(f"{name:<16}{view.rate:11.1f}{view.error_rate:9.2%}{times}")"""

_CURVES = """latencies = {name: result.service(name).latency for name in result.services}
ms.latency_curves({"client": result.latency, **latencies})"""

_BUSIEST = """busy = max(result.services, key=lambda name: len(result.service(name).rows))
ms.tail_by_worker(result, busy)"""

_MEMORY = """from meshsim.figures.pods import by_pod

ms.memory_stacks(by_pod(result))"""

_FIND = """slow = result.find(f"root and warm and rt > {result.latency.p99 / 1e6}")
print(len(slow), "requests were slower than p99; the hops of the first:")
for hop in result.find(f"request == {slow[0].request}") if len(slow) else ():
    print(f"  {hop.source or '-':<14} -> {hop.service:<14} {(hop.end_ns - hop.start_ns) / 1e6:9.3f} ms, of which "
          f"proxies {hop.proxy_ns / 1e6:.3f}, queues {hop.queue_ns / 1e6:.3f}, application {hop.app_ns / 1e6:.3f}, "
          f"network {hop.network_ns / 1e6:.3f}; status {hop.status} {hop.flags}")"""

_AGAIN = """## Now you

* `ms.load_scenario({source!r}, [("load.open.rate", 100)])` is the same with something changed; so is
  `meshsim run {source} --set load.open.rate=100`.
* `result.find("rt > 100 and code >= 500")` finds hops; `result.to_pandas()` has all.
* `result.to_perfetto("run.json")` writes a trace for Perfetto; there are `to_otlp`, `to_prometheus`, `to_access_log`,
  `to_graphml`, `to_csv` and `to_parquet`, too."""


def scenario_notebook(source: str | Path, folder: Path, seed: int | None = None) -> Notebook:
    """Return a scenario's notebook, not yet run.

    Parameters
    ----------
    source : path
        The scenario's file, or the name of a bundled one.
    folder : Path
        Where the notebook will be: it names the scenario as seen from there.

    Raises
    ------
    ConfigError
        The scenario is not right.
    """
    scenario = load_scenario(source)
    named = str(source) if not Path(source).exists() and str(source) in bundled() else os.path.relpath(source, folder)
    chosen = scenario.seed if seed is None else seed
    make = {"md": _V4.new_markdown_cell, "py": _V4.new_code_cell}
    cells = [
        make[kind](text, id=f"cell-{number}") for number, (kind, text) in enumerate(_cells(scenario, named, chosen), 1)
    ]
    made: Notebook = _V4.new_notebook(cells=cells, metadata={"kernelspec": _KERNEL})
    return made


def _cells(scenario: Scenario, source: str, seed: int) -> list[tuple[str, str]]:
    cells = [
        ("md", f"# {scenario.title}\n\n{scenario.look_for}".rstrip()),
        ("py", _RUN.format(source=source, seed=seed)),
        ("md", "## Service by service\n\nTimes are virtual, and as the callers saw them."),
        ("py", _SERVICES),
        ("py", "ms.mesh_graph(result)"),
        ("md", "## How long requests took"),
        ("py", _CURVES),
        ("md", "## Who was busy, and when"),
        ("py", "ms.utilisation(result)"),
    ]
    if scenario.mesh.proxies != "none":
        cells.append(("py", _BUSIEST))
    if any(scenario.mesh.filters.values()):
        cells += [("md", "## What the plugins' VMs weigh"), ("py", _MEMORY)]
    cells += [
        ("md", "## The slowest, hop by hop"),
        ("py", _FIND),
        ("md", _AGAIN.format(source=source)),
    ]
    return cells
