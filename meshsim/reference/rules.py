"""What "identical" means: the rules by which two replays are compared, each with its reason, in one table.

``meshsim replay --explain`` prints the table. The functions here are what the rules do to one value; how they are
put together is in :mod:`meshsim.reference.compare`. A rule that leaves something out rests on two runs of the real
Envoy that differ in just that; ``tests/reference/evidence/`` keeps them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from meshsim.reference.tree import compose, items, look, walk


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: what it compares or leaves out, and why.

    ``evidence`` is the folder of ``tests/reference/evidence/`` with two runs of the real Envoy that differ in what
    the rule leaves out; empty for a rule that leaves out nothing.
    """

    name: str
    covers: str
    why: str
    evidence: str = ""


RULES = (
    Rule("ready", "both take the configuration, or both refuse it", "a refusal is an outcome like any other"),
    Rule(
        "exact", "ABI trace per thread: every line", "the default; what a module without clock and random numbers shows"
    ),
    Rule(
        "calls",
        "ABI trace per thread without addresses and sizes among the arguments of host calls, and without what the "
        "allocator returns; names, order, arguments of callbacks and statuses stay",
        "a guest's allocator may place by what it read from the host",
        evidence="calls",
    ),
    Rule(
        "proxy",
        "as `calls`, also without the lines of WASI and of the allocator; required instead of `exact` when the real "
        "trace reads a clock or random numbers (clock_time_get, random_get)",
        "a runtime that seeds itself and measures time (Go) calls these differently on each run",
        evidence="proxy",
    ),
    Rule(
        "ticks",
        "calls of proxy_on_tick are taken out of their thread's trace and compared as a set of contents",
        "when a timer fires among requests, and how often it does before shutdown, depends on the machine's load",
        evidence="ticks",
    ),
    Rule(
        "tick-logs",
        "a text that a thread logs inside of ticks needs to be there, not equally often",
        "follows from `ticks`: each tick logs once more",
        evidence="ticks",
    ),
    Rule(
        "tick-stats",
        "where ticks change metrics, the `wasmcustom.` counters and gauges need to be there, with any value",
        "follows from `ticks`: each tick counts once more",
        evidence="ticks",
    ),
    Rule(
        "workers",
        "with several workers: the main thread whole, each worker up to its first stream (or its shutdown); logs of "
        "all workers together",
        "the kernel deals connections to workers",
        evidence="workers",
    ),
    Rule(
        "status", "each response's status, body, trailers, and the error where there is no answer", "what a client gets"
    ),
    Rule(
        "headers",
        "response headers as a multiset of (name, value), without the values of date, x-request-id and "
        "x-envoy-upstream-service-time",
        "a clock and a random number",
        evidence="headers",
    ),
    Rule(
        "logs",
        "guest logs as a multiset of (thread, level, text); uuids, dates, epoch times and loopback ports are masked",
        "a guest may log the time, a request id, or the port that this run happened to get",
        evidence="logs",
    ),
    Rule(
        "spans",
        "in guest logs, the ids of traces and spans are masked: 32 or 16 hexadecimal digits",
        "Envoy's tracers make them of random numbers",
        evidence="spans",
    ),
    Rule(
        "stats",
        "the non-zero ones of wasm.* and wasmcustom.*; of the bootstrap's own prefixes "
        "http.<prefix>.{downstream_rq_*xx,rq_total,rq_direct_response,no_route}, and all of their filters "
        "(http.<prefix>.{lua,fault}.*, <prefix>.http_local_rate_limit.*); of its own clusters "
        "cluster.<name>.{upstream_rq_total,completed,*xx,timeout,retry,*overflow}, "
        "cluster.<name>.{circuit_breakers.*_open,outlier_detection.ejections_*}",
        "hundreds of other counters tell about connections and bytes, which are not modelled",
    ),
    Rule(
        "words",
        "Envoy's own error lines (why a configuration is refused, a trap): shown when they differ, and a difference "
        "only on demand; the name of the configuration, uneven blanks, protobuf's tag and positions in it are masked",
        "the texts of V8 and of the protobuf library vary on purpose, even between two runs",
        evidence="words",
    ),
)


def explain() -> str:
    """The table as text, for ``replay --explain``."""
    return "\n".join(_entry(rule) for rule in RULES)


def _entry(rule: Rule) -> str:
    evidence = f"\n    evidence: tests/reference/evidence/{rule.evidence}" if rule.evidence else ""
    return f"{rule.name}\n    {rule.covers}\n    why: {rule.why}{evidence}"


# --- values in headers

UNREPEATABLE_HEADERS = frozenset({"date", "x-request-id", "x-envoy-upstream-service-time"})


def mask_header(name: str, value: str) -> str:
    """The value of a response header as it is compared.

    >>> mask_header("Date", "Sun, 22 Nov 2026 20:06:41 GMT")
    '<date>'
    """
    low = name.lower()
    return f"<{low}>" if low in UNREPEATABLE_HEADERS else value


# --- texts of guests and of Envoy

_MASKS = (
    ("<uuid>", re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")),
    ("<date>", re.compile(r"\b\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?")),
    ("<date>", re.compile(r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\b")),
    # 2017 to 2033, in seconds, milli-, micro- or nanoseconds
    ("<epoch>", re.compile(r"(?<![\w.])(?:1[5-9]\d{8}|20\d{8}(?!\d))(?:\d{3}|\d{6}|\d{9})?(?:\.\d+)?(?![\w])")),
    ("<trace>", re.compile(r"(?<![0-9a-zA-Z])[0-9a-f]{32}(?![0-9a-zA-Z])")),
    ("<span>", re.compile(r"(?<![0-9a-zA-Z])[0-9a-f]{16}(?![0-9a-zA-Z])")),
    (r"\1:<port>", re.compile(r"(127\.0\.0\.1|localhost|\[::1\]):\d{1,5}\b")),
)
_WORDS = (
    (" ", re.compile(r"[ \t\n]+")),
    ("goo.gle/debug", re.compile(r"goo\.gle/debug[a-z]+")),
    ("near <position>", re.compile(r"near \d+:\d+ \(offset \d+\)")),
    ("initializing config", re.compile(r"initializing config '.*'")),
)


def mask_text(text: str) -> str:
    """A guest's log text as it is compared.

    >>> mask_text("at 2026-11-22T20:06:41.5Z from 127.0.0.1:40123 id 1795377600123")
    'at <date> from 127.0.0.1:<port> id <epoch>'
    """
    return _apply(_MASKS, text)


def mask_words(text: str) -> str:
    """One of Envoy's error lines as it is compared.

    Protobuf puts a random number of blanks and one of several tags into its messages, lest somebody compare them.

    >>> mask_words("error `goo.gle/debugproto   a: 1`") == mask_words("error `goo.gle/debugstr  a: 1`")
    True
    """
    return _apply(_WORDS, mask_text(text))


def _apply(masks: Iterable[tuple[str, re.Pattern[str]]], text: str) -> str:
    for word, pattern in masks:
        text = pattern.sub(word, text)
    return text


# --- counters


@dataclass(frozen=True, slots=True)
class Scope:
    """The names of a bootstrap whose counters are compared: prefixes of its connection managers, and clusters."""

    prefixes: frozenset[str] = frozenset()
    clusters: frozenset[str] = frozenset()

    @classmethod
    def of(cls, text: str, where: str = "bootstrap") -> Scope:
        """The scope of a bootstrap's text, from its raw tree.

        >>> sorted(Scope.of("static_resources: {clusters: [{name: up}]}").clusters)
        ['up']
        """
        root = compose(text, where)
        prefixes = {
            str(value.value) for key, value in walk(root) if key == "stat_prefix" and isinstance(value, yaml.ScalarNode)
        }
        clusters = {
            str(name.value)
            for cluster in items(look(root, "static_resources", "clusters"))
            for name in [look(cluster, "alt_stat_name") or look(cluster, "name")]
            if isinstance(name, yaml.ScalarNode)
        }
        return cls(frozenset(prefixes), frozenset(name.replace(":", "_") for name in clusters))

    @classmethod
    def of_file(cls, path: Path | str) -> Scope:
        """The scope of a bootstrap file."""
        return cls.of(Path(path).read_text(encoding="utf-8-sig"), str(path))

    def selected(self, stats: Mapping[str, int]) -> dict[str, int]:
        """The counters and gauges that are compared.

        >>> scope = Scope(prefixes=frozenset({"in"}))
        >>> scope.selected({"http.in.downstream_rq_2xx": 3, "http.in.no_route": 0, "http.admin.rq_total": 9})
        {'http.in.downstream_rq_2xx': 3}
        """
        return {name: value for name, value in sorted(stats.items()) if value and self._covers(name)}

    def _covers(self, name: str) -> bool:
        if name.startswith(("wasm.", "wasmcustom.")):
            return True
        return (
            _is_below(name, "http.", self.prefixes, _HTTP)
            or _is_below(name, "", self.prefixes, _RATE_LIMIT)
            or _is_below(name, "cluster.", self.clusters, _CLUSTER)
        )


def _is_below(name: str, root: str, owners: frozenset[str], counters: re.Pattern[str]) -> bool:
    """Whether a counter is one of those that count, of one of these owners; owners' names may have dots."""
    if not name.startswith(root):
        return False
    path = name.removeprefix(root)
    dots = (place for place, letter in enumerate(path) if letter == ".")
    return any(path[:dot] in owners and counters.fullmatch(path[dot + 1 :]) for dot in dots)


_HTTP = re.compile(r"downstream_rq_\dxx|rq_total|rq_direct_response|no_route|(?:lua|fault)\..*")
_RATE_LIMIT = re.compile(r"http_local_rate_limit\..*")
_CLUSTER = re.compile(
    r"upstream_rq_(?:total|completed|\dxx|timeout|retry)|upstream_(?:rq|cx)_\w*overflow"
    r"|circuit_breakers\.\w+\.\w+_open|outlier_detection\.ejections_\w+"
)
