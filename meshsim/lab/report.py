"""The report of a showing: one HTML file that needs nothing else, in light and in dark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any

import yaml

from meshsim.abi import describe
from meshsim.abi.events import Crossing
from meshsim.figures.provenance import Origin
from meshsim.figures.svg import element, stylesheet, text_of
from meshsim.lab import tables
from meshsim.lab.observe import Observation
from meshsim.lab.pictures import loading_figure, requests_figure, sequence_figure
from meshsim.lab.showing import Showing

_INDENT_EM = 1.6
_WASM = ".filters.http.wasm.v3.Wasm"


def report(showing: Showing) -> str:
    """Return the report as an HTML document."""
    seen = showing.seen
    body = "\n".join(
        [
            *_head(showing),
            *_configuration(showing),
            *_loading(seen),
            *_memory(seen),
            *_requests(showing),
            *_counters(showing),
            *_verdict(showing),
            *_trace(seen),
            *_foot(showing),
        ]
    )
    css = stylesheet() + (files("meshsim.lab") / "assets" / "report.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text_of(_title(showing))}</title>\n<style>\n{css}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _title(showing: Showing) -> str:
    return f"meshsim: {showing.scenario.name.replace('_', ' ')}"


def _head(showing: Showing) -> Iterable[str]:
    seen = showing.seen
    requests = len(seen.journeys)
    yield element("h1", text="A Wasm filter in Envoy, from load to reply")
    yield element(
        "p",
        text=f"One Envoy with {seen.concurrency} workers, one real Proxy-Wasm module, {requests} requests: loaded on "
        "the main thread, cloned to the workers, configured, called on every request. The module ran unmodified; "
        "the Envoy around it was simulated, in virtual time.",
        class_="lead",
    )
    state = "alone" if showing.real is None else "" if showing.identical else "differs"
    yield element("div", text=showing.verdict, class_=f"verdict {state}".strip())
    yield element("p", text_of(showing.durations) + _mark(Origin.MEASURED))
    yield element("ul", *(_origin_line(origin, words) for origin, words in showing.origins), class_="origins")


def _origin_line(origin: Origin, words: str) -> str:
    return element("li", element("span", text=origin.mark, class_=f"mark {origin.value}"), text_of(words))


def _mark(origin: Origin | None) -> str:
    if origin is None:
        return ""
    return element("span", text=origin.mark, class_=f"mark {origin.value}", title=origin.value)


def _configuration(showing: Showing) -> Iterable[str]:
    yield element("h2", text="What ran")
    yield element(
        "p",
        text="The filter is configured in the classic way: a name, a VM id, the runtime, the module's file, and a text "
        "for the module itself. Behind it is a small application, which says in x-seen-wasm what the filter added.",
    )
    for excerpt in wasm_filters(showing.bootstrap):
        yield element("pre", text=excerpt)
    yield _table(tables.answers(showing.seen, showing.real_result))
    yield _folded("The whole bootstrap, envoy.yaml", element("pre", text=showing.bootstrap))


def wasm_filters(bootstrap: str) -> list[str]:
    """Return each Wasm filter of a bootstrap's listeners, as YAML.

    Examples
    --------
    >>> wasm_filters("static_resources: {listeners: []}")
    []
    """
    found: list[object] = []
    _collect(yaml.safe_load(bootstrap), found)
    return [yaml.safe_dump([item], sort_keys=False).rstrip() for item in found]


def _collect(node: Any, found: list[object]) -> None:
    if isinstance(node, Mapping):
        config = node.get("typed_config")
        if isinstance(config, Mapping) and str(config.get("@type", "")).endswith(_WASM):
            found.append(node)
        else:
            node = list(node.values())
    if isinstance(node, list):
        for child in node:
            _collect(child, found)


def _loading(seen: Observation) -> Iterable[str]:
    yield element("h2", text="1. Loading")
    yield element(
        "p",
        text="The main thread makes the base VM: an isolate, the module compiled and linked. It tries the plugin in a "
        "canary, a clone that is thrown away. Then every thread, the main thread too, gets a clone of its own and "
        "starts the plugin in it. A VM is used by its thread alone: no locks, and no shared memory.",
    )
    yield element("div", loading_figure(seen), class_="card")
    yield _folded("As a table, with the calls into the module", _table(tables.loading(seen)))


def _memory(seen: Observation) -> Iterable[str]:
    yield element("h2", text="2. The VMs")
    yield element(
        "p",
        text="Compiled code is shared; linear memory is not. Each VM has its own, and it grows with what the module "
        "allocates.",
    )
    yield _table(tables.memory(seen))
    yield element("p", text=tables.vm_formula(seen), class_="soft")


def _requests(showing: Showing) -> Iterable[str]:
    seen = showing.seen
    yield element("h2", text="3. The requests")
    yield element("p", text="Each request gets a stream context in the clone of the worker that took the connection.")
    yield element("div", requests_figure(seen), class_="card")
    yield element(
        "p",
        text="The first one, call by call. A string crosses the border as an address and a length; when the host has "
        "something to give, it first asks the module for memory.",
    )
    yield element("div", sequence_figure(seen), class_="card")
    for number, journey in enumerate(seen.journeys):
        yield _folded(f"Request {number + 1}: {journey.title}", _path(seen, number))


def _path(seen: Observation, number: int) -> str:
    rows = []
    for line in tables.path_lines(seen.journeys[number], seen.paths[number]):
        answer = f" = {line.answer}" if line.answer else ""
        call = element(
            "td",
            element("code", text=f"{line.arrow} {line.text}{answer}", class_=line.kind),
            style=f"padding-left:{line.depth * _INDENT_EM:g}em",
        )
        rows.append(element("tr", element("td", text=tables.microseconds(line.time_ns), class_="right"), call))
    head = element("tr", element("th", "µs", _mark(Origin.PROFILE), class_="right"), element("th", text="call"))
    return element("table", head, *rows, class_="path")


def _counters(showing: Showing) -> Iterable[str]:
    yield element("h2", text="4. The counters")
    yield _table(tables.counters(showing.seen, showing.real_result, showing.scope))


def _verdict(showing: Showing) -> Iterable[str]:
    yield element("h2", text="5. Against the real Envoy")
    yield element(
        "p",
        text="The same files ran in the real Envoy. Compared are every call across the border, the logs, the answers "
        "and the counters."
        if showing.real
        else "Install it, and the same files run in both, compared call by call.",
    )
    yield element("pre", text=showing.comparison_text)


def _trace(seen: Observation) -> Iterable[str]:
    lines = [
        f"{event.time_ns / 1e6:12.6f} ms  {event.track:<9} {event.event.direction.value} {_words(event.event)}"
        for event in seen.events
        if isinstance(event.event, Crossing)
    ]
    yield element("h2", text="6. Everything that crossed the border")
    yield _folded(f"{len(lines)} crossings, with names", element("pre", text="\n".join(lines)))


def _words(event: Crossing) -> str:
    if event.direction.is_return:
        return f"{event.function} = {describe.result(event.function, event.values)}"
    return describe.call(event.function, event.values)


def _foot(showing: Showing) -> Iterable[str]:
    yield element(
        "footer",
        text_of("The same files from the command line: ")
        + element(
            "code", text=f"meshsim replay envoy.yaml requests.json --on both --concurrency {showing.seen.concurrency}"
        )
        + text_of(". The timeline of every thread is in trace.json, for Perfetto or chrome://tracing."),
    )


def _folded(summary: str, *inside: str) -> str:
    return element("details", element("summary", text=summary), *inside)


def _table(table: tables.Table) -> str:
    head = element("tr", *(_header(column) for column in table.columns))
    rows = (element("tr", *_cells(table.columns, row)) for row in table.rows)
    return element("div", element("table", head, *rows), class_="scroll")


def _header(column: tables.Column) -> str:
    return element(
        "th", text_of(column.name), _mark(column.origin), scope="col", class_="right" if column.right else "left"
    )


def _cells(columns: Sequence[tables.Column], row: Sequence[str]) -> Iterable[str]:
    for column, text in zip(columns, row, strict=True):
        inside = element("code", text=text) if column.code else text_of(text)
        yield element("td", inside, class_="right" if column.right else "left")
