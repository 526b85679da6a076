"""Compare two replays: a simulation with the real Envoy, or two runs of the real Envoy.

The rules and their reasons are the table of :mod:`meshsim.reference.rules`. A comparison never raises because two
results differ; it says at which level their traces agree, where they part first, and how much each rule left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from meshsim.envoy.outcome import Header, LogLine, ReplayResult, Response
from meshsim.reference.differences import Difference, differ, first_difference, multisets
from meshsim.reference.lines import (
    Call,
    Level,
    before_streams,
    by_thread,
    normal,
    reads_clock_or_random,
    split_ticks,
    thread_order,
)
from meshsim.reference.rules import Scope, mask_header, mask_text, mask_words

_BAD = frozenset({"error", "critical"})


@dataclass(frozen=True, slots=True)
class Comparison:
    """The verdict on two replays.

    Attributes
    ----------
    level : Level or None
        The strictest level at which the traces agree; None when they do at none.
    required : Level
        The level that counts here.
    differences : tuple of Difference
        Each thread's first difference of the trace at the required level, then those of the other rules.
    masked : mapping of str to int
        For each rule that left something out, how many lines or values.
    notes : tuple of Difference
        Differences that do not count: Envoy's own words, unless they were demanded.
    """

    level: Level | None
    required: Level
    differences: tuple[Difference, ...]
    masked: Mapping[str, int]
    notes: tuple[Difference, ...] = ()

    @property
    def identical(self) -> bool:
        """Whether the two agree at the required level and in all the rest."""
        return not self.differences


def compare(
    left: ReplayResult,
    right: ReplayResult,
    scope: Scope,
    *,
    level: Level | None = None,
    concurrency: int | None = None,
    words: bool = False,
) -> Comparison:
    """Hold one replay against another.

    Parameters
    ----------
    left, right : ReplayResult
        The simulation, or a run; and the reference.
    scope : Scope
        Whose counters are compared.
    level : Level, optional
        The level to require. By default ``exact``, and ``proxy`` when the reference reads a clock or random numbers.
    concurrency : int, optional
        Number of workers; by default as many as speak in the traces.
    words : bool
        Whether a difference in Envoy's own error lines counts.
    """
    required = level or (Level.PROXY if reads_clock_or_random(right.abi) else Level.EXACT)
    several = (concurrency or _workers(left, right)) > 1
    masked: Counter[str] = Counter()
    reached = _strictest(left, right, several)
    ticks = _Ticks.of(left, right)
    differences = [
        *_ready(left, right),
        *_trace(left, right, required, several, masked),
        *_responses(left.responses, right.responses, masked),
        *_logs(left.logs, right.logs, several, ticks, masked),
        *_stats(scope.selected(left.stats), scope.selected(right.stats), ticks, masked),
    ]
    spoken = list(_spoken(left, right))
    return Comparison(
        reached,
        required,
        tuple(differences + (spoken if words else [])),
        dict(masked),
        () if words else tuple(spoken),
    )


def _workers(*results: ReplayResult) -> int:
    return max(len({thread for thread, _ in result.abi if thread != "main"}) for result in results)


# --- the trace


def _strictest(left: ReplayResult, right: ReplayResult, several: bool) -> Level | None:
    levels = (
        level for level in sorted(Level, reverse=True) if not list(_trace(left, right, level, several, Counter()))
    )
    return next(levels, None)


def _trace(
    left: ReplayResult, right: ReplayResult, level: Level, several: bool, masked: Counter[str]
) -> Iterator[Difference]:
    ours, theirs = by_thread(left.abi), by_thread(right.abi)
    for thread in sorted(ours.keys() | theirs.keys(), key=thread_order):
        sides = ours.get(thread, []), theirs.get(thread, [])
        if several and thread != "main":
            sides = _cut(sides[0], masked), _cut(sides[1], masked)
        (ours_rest, ours_ticks), (theirs_rest, theirs_ticks) = split_ticks(sides[0]), split_ticks(sides[1])
        masked["ticks"] += sum(map(len, ours_ticks)) + sum(map(len, theirs_ticks))
        one, other = _at_level(ours_rest, level, masked), _at_level(theirs_rest, level, masked)
        yield from first_difference(level.word, thread, one, other)
        yield from _tick_difference(thread, level, ours_ticks, theirs_ticks)


def _cut(lines: Sequence[str], masked: Counter[str]) -> list[str]:
    kept = list(before_streams(lines))
    masked["workers"] += len(lines) - len(kept)
    return kept


def _at_level(lines: Iterable[str], level: Level, masked: Counter[str]) -> list[str]:
    out = []
    for line in lines:
        read = normal(line, level)
        masked[level.word] += read != line
        if read is not None:
            out.append(read)
    return out


def _tick_difference(
    thread: str, level: Level, left: Sequence[tuple[str, ...]], right: Sequence[tuple[str, ...]]
) -> Iterator[Difference]:
    ours, theirs = _distinct(left, level), _distinct(right, level)
    if set(ours) != set(theirs):
        only_ours = [tick for tick in ours if tick not in theirs]
        only_theirs = [tick for tick in theirs if tick not in ours]
        one, other = (ticks[0] if ticks else () for ticks in (only_ours, only_theirs))
        yield Difference("ticks", thread, one, other)


def _distinct(ticks: Iterable[tuple[str, ...]], level: Level) -> list[tuple[str, ...]]:
    return list(dict.fromkeys(tuple(_at_level(tick, level, Counter())) for tick in ticks))


@dataclass(frozen=True, slots=True)
class _Ticks:
    """What the ticks of both sides do beyond their own lines."""

    threads_that_log: frozenset[str]
    change_metrics: bool

    @classmethod
    def of(cls, *results: ReplayResult) -> _Ticks:
        threads, metrics = set(), False
        for result in results:
            for thread, lines in by_thread(result.abi).items():
                calls = {call.name for tick in split_ticks(lines)[1] for line in tick if (call := Call.read(line))}
                if calls & {"env.proxy_log", "wasi.fd_write"}:
                    threads.add(thread)
                metrics |= bool(calls & {"env.proxy_increment_metric", "env.proxy_record_metric"})
        return cls(frozenset(threads), metrics)


# --- the other rules


def _ready(left: ReplayResult, right: ReplayResult) -> Iterator[Difference]:
    if left.ready != right.ready:
        yield Difference("ready", "configuration", _verdict(left), _verdict(right))


def _verdict(result: ReplayResult) -> tuple[str, ...]:
    if result.ready:
        return ("taken",)
    return ("refused", *(text for _, level, text in result.other if level in _BAD))


def _responses(left: Sequence[Response], right: Sequence[Response], masked: Counter[str]) -> Iterator[Difference]:
    if len(left) != len(right):
        yield Difference("status", "responses", (f"{len(left)} responses",), (f"{len(right)} responses",))
    for index, (ours, theirs) in enumerate(zip(left, right, strict=False)):
        where = f"response {index + 1}"
        yield from differ("status", where, _essence(ours), _essence(theirs))
        yield from multisets("headers", where, _headers(ours.headers, masked), _headers(theirs.headers, masked))


def _essence(response: Response) -> list[str]:
    trailers = [f"trailer {name}: {value}" for name, value in sorted(response.trailers)]
    error = [f"error {response.error}"] if response.error is not None else []
    return [f"status {response.status}", f"body {response.body!r}", *trailers, *error]


def _headers(headers: Iterable[Header], masked: Counter[str]) -> list[str]:
    rows = []
    for name, value in headers:
        read = mask_header(name, value)
        masked["headers"] += read != value
        rows.append(f"{name}: {read}")
    return rows


def _logs(
    left: Sequence[LogLine], right: Sequence[LogLine], several: bool, ticks: _Ticks, masked: Counter[str]
) -> Iterator[Difference]:
    sometimes = {_place(thread, several) for thread in ticks.threads_that_log}
    sides = [Counter(_log_rows(logs, several, masked)) for logs in (left, right)]
    once = set(sides[0]) & set(sides[1])
    for row in [row for row in once if row[0] in sometimes and sides[0][row] != sides[1][row]]:
        masked["tick-logs"] += abs(sides[0][row] - sides[1][row])
        sides[0][row] = sides[1][row] = 1
    yield from multisets("logs", "logs", *([" | ".join(row) for row in side.elements()] for side in sides))


def _log_rows(logs: Iterable[LogLine], several: bool, masked: Counter[str]) -> Iterator[tuple[str, str, str]]:
    for thread, level, text in logs:
        read = mask_text(text)
        masked["logs"] += read != text
        yield _place(thread, several), level, read


def _place(thread: str, several: bool) -> str:
    return "worker" if several and thread != "main" else thread


def _stats(
    left: Mapping[str, int], right: Mapping[str, int], ticks: _Ticks, masked: Counter[str]
) -> Iterator[Difference]:
    for name in sorted(left.keys() | right.keys()):
        ours, theirs = left.get(name, 0), right.get(name, 0)
        if ours == theirs:
            continue
        if ticks.change_metrics and name.startswith("wasmcustom.") and ours and theirs:
            masked["tick-stats"] += 1
        else:
            yield Difference("stats", name, (str(ours),), (str(theirs),))


def _spoken(left: ReplayResult, right: ReplayResult) -> Iterator[Difference]:
    yield from multisets("words", "Envoy's words", _bad_words(left), _bad_words(right))


def _bad_words(result: ReplayResult) -> list[str]:
    return [f"{level} | {mask_words(text)}" for _, level, text in result.other if level in _BAD]


# --- in words


def render(comparison: Comparison, left: str = "simulator", right: str = "envoy") -> str:
    """The verdict as plain text: one line, what was left out, then each difference with both sides."""
    agree = f"traces agree at level {comparison.level.word}" if comparison.level else "traces agree at no level"
    head = "identical" if comparison.identical else "different"
    lines = [f"{head}: {agree} (required: {comparison.required.word})"]
    masked = ", ".join(f"{rule} {count}" for rule, count in sorted(comparison.masked.items()) if count)
    if masked:
        lines.append(f"set aside by rule, lines or values on both sides together: {masked}")
    for difference in comparison.differences:
        lines += _render_one(difference, left, right)
    for note in comparison.notes:
        lines += ["does not count:", *_render_one(note, left, right)]
    return "\n".join(lines)


def _render_one(difference: Difference, left: str, right: str) -> list[str]:
    width = max(len(left), len(right))

    def side(name: str, lines: tuple[str, ...]) -> list[str]:
        return [f"  {name:>{width}} | {_printable(line)}" for line in lines or ("(nothing)",)]

    return [
        f"{difference.rule}: {difference.where}",
        *([*side("", difference.before)] if difference.before else []),
        *side(left, difference.left),
        *side(right, difference.right),
    ]


def _printable(line: str) -> str:
    r"""A line that any terminal can show: a byte that is not UTF-8 as ``\udcff``, a line end as ``\n``."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
