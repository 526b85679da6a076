"""What a person sees of a replay: tables of responses, logs and counters, and why a configuration is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from meshsim.cli.console import console, printable, say, table

if TYPE_CHECKING:
    from rich.table import Table

    from meshsim.envoy.outcome import ReplayResult, Response
    from meshsim.envoy.requests import Request
    from meshsim.reference.compare import Comparison

#: What the engines are called, by their names on the command line.
TITLES = {"sim": "simulated Envoy", "envoy": "real Envoy"}

#: Levels of Envoy's own lines that a person needs to see; the rest is in the JSON.
GRAVE = frozenset({"warning", "error", "critical"})

#: Characters of a body that a table shows.
BODY_SHOWN = 200


def refusal(engine: str, result: ReplayResult) -> str:
    """Return why an engine refuses the configuration, without what changes from run to run."""
    from meshsim.envoy.config.refusal import normal_refusal

    words = [text for _, level, text in result.other if level in GRAVE] or ["no reason given"]
    return f"the {TITLES[engine]} refuses the configuration: {printable(normal_refusal(words[-1]))}"


def show(requests: Sequence[Request], results: Mapping[str, ReplayResult], comparison: Comparison | None) -> None:
    """Print responses, logs and counters of each engine, then the comparison."""
    for engine, result in results.items():
        say(f"{TITLES[engine]}: {summary(result)}")
        if result.ready:
            show_result(requests, result)
            say()
    if comparison is not None:
        from meshsim.reference.compare import render

        say(render(comparison))


def show_result(requests: Sequence[Request], result: ReplayResult) -> None:
    """Print the tables of one engine, without those that are empty."""
    for made in (_responses(requests, result.responses), _lines(result), _crashes(result), _counters(result)):
        if made.row_count:
            console().print(made)


def summary(result: ReplayResult) -> str:
    """Return one line on a result.

    Examples
    --------
    >>> from meshsim.envoy.outcome import ReplayResult
    >>> summary(ReplayResult(ready=False))
    'the configuration is refused'
    >>> summary(ReplayResult(ready=True, abi=(("main", "x"), ("worker_0", "y"))))
    '0 responses, 2 lines of ABI trace on 2 threads'
    """
    if not result.ready:
        return "the configuration is refused"
    threads = len({thread for thread, _ in result.abi})
    return f"{len(result.responses)} responses, {len(result.abi)} lines of ABI trace on {threads} threads"


def _responses(requests: Sequence[Request], responses: Sequence[Response]) -> Table:
    made = table("request", "status", "headers", "body", title="responses")
    for request, response in zip(requests, responses, strict=False):
        headers = "\n".join(printable(f"{name}: {value}") for name, value in response.headers)
        status = str(response.status or response.error)
        made.add_row(f"{request.method} {request.path}", status, headers, printable(response.body[:BODY_SHOWN]))
    return made


def _lines(result: ReplayResult) -> Table:
    made = table("thread", "level", "text", title="log")
    for thread, level, text in (*result.logs, *(line for line in result.other if line[1] in GRAVE)):
        made.add_row(thread, level, printable(text))
    return made


def _crashes(result: ReplayResult) -> Table:
    made = table("thread", "plugin and what it did", title="here the real Envoy's process would have ended")
    for thread, text in result.crashes:
        made.add_row(thread, printable(text))
    return made


def _counters(result: ReplayResult) -> Table:
    made = table("counter", "value", title="counters")
    for name, value in sorted(result.stats.items()):
        if value and name.startswith(("wasm.", "wasmcustom.")):
            made.add_row(printable(name), str(value))
    return made
