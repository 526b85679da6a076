"""The still of the loading timeline: the bars to scale, the steps as a table, what was linked and found in lines."""

from __future__ import annotations

from collections.abc import Iterator

from meshsim.figures.timeline import Bar, Track, timeline
from meshsim.widgets._base import View
from meshsim.widgets._loading_bars import KINDS, bars_of
from meshsim.widgets._loading_bars import Bar as Step
from meshsim.widgets._loading_run import Loaded
from meshsim.widgets._loading_view import took_words
from meshsim.widgets._still import Still

_COLUMNS = ("thread", "step", "of", "time \N{WHITE DIAMOND}", "VMs active \N{WHITE CIRCLE}", "created \N{WHITE CIRCLE}")
_LEGEND = (
    ("isolate", "isolate"), ("compile", "compile"), ("init", "base VM"), ("canary", "canary"), ("clone", "clone"),
    ("start", "start"),
)  # fmt: skip
_MARKS = {True: "\N{CHECK MARK}", False: "\N{BALLOT X}", None: "\N{EN DASH}"}
_KINDS_OF_ROWS = {"abi": "imports", "callbacks": "callbacks"}


def still_of(loaded: Loaded, view: View, *, formulas: bool = True) -> Still:
    """Return the still of a run, which says what its view model says."""
    steps = bars_of(loaded)
    title = f"{view['title']}: {view['subtitle']}"
    return Still(
        title,
        timeline(
            title,
            view["refused"]["why"] if view["refused"] else "Tracks of threads, with the steps of loading as bars.",
            [
                Track(track["name"], [_bar(step) for step in steps if step.track == track["name"]])
                for track in view["tracks"]
            ],
            [(KINDS[key].fill, words) for key, words in _LEGEND],
        ),
        _COLUMNS,
        [_row(step, loaded) for step in steps if step.kind != "background"],
        list(_notes(view, formulas)),
    )


def _bar(step: Step) -> Bar:
    kind = KINDS[step.kind]
    fill = "vermillion" if step.bad else kind.fill
    return Bar(step.start_ns, step.end_ns, kind.label, fill, f"{kind.label}: {kind.meaning}")


def _row(step: Step, loaded: Loaded) -> tuple[str, ...]:
    kind = KINDS[step.kind]
    what = f"{_MARKS[False] if step.bad else kind.shape} {kind.label}"
    about = step.part.plugin or loaded.vms[step.part.vm].vm_id
    active, created, _ = step.counts
    return step.track, what, about, took_words(step), str(active), str(created)


def _notes(view: View, formulas: bool) -> Iterator[str]:
    if view["refused"]:
        yield f"{_MARKS[False]} {view['refused']['what']}: {view['refused']['why']}"
    elif formulas:
        yield from (f"{row['words']}: {row['formula']} = {row['filled']}" for row in view["formula"])
    else:
        yield from (f"{row['words']}: {row['counted']['text']}" for row in view["formula"])
    for number, vm in enumerate(view["vms"]):
        for kind, words in _KINDS_OF_ROWS.items():
            rows = view["about"][f"{kind}:{number}"].get("rows", ())
            said = [f"{_MARKS[row['ok']]} {row['name']}" for row in rows if row["ok"] is not None]
            absent = len(rows) - len(said)
            yield f"{words} of {vm}: {', '.join(said)}" + (f"; {absent} absent" if absent else "")
    yield from (f"{origin['mark']} {origin['words']}" for origin in view["origins"])
