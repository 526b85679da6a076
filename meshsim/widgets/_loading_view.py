"""The view model of the loading timeline: what is drawn and said, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from meshsim.figures.provenance import Origin
from meshsim.widgets._base import View, number, origins
from meshsim.widgets._loading_about import about
from meshsim.widgets._loading_bars import KINDS, MAIN, TIMELESS, V8_THREADS, Bar, bars_of
from meshsim.widgets._loading_run import Loaded
from meshsim.widgets._setup import FAULTS

_X = "\N{MULTIPLICATION SIGN}"


def view_of(loaded: Loaded) -> View:
    """Return the view model.

    Returns
    -------
    dict
        ``tracks`` and ``kinds`` by number and key; ``bars`` in the order of time, each ``k`` kind, ``t`` track, ``s``
        and ``e`` virtual ns, ``c`` column, ``v`` VM, ``p`` plugin, ``n`` counters (active, created, root contexts),
        ``calls``; ``about`` what is to be said by kind and VM; ``formula``; ``refused``; ``origins``.
    """
    bars = bars_of(loaded)
    workers = [f"worker_{i}" for i in range(loaded.setup.workers)]
    tracks = [MAIN, V8_THREADS, *workers]
    place = {name: i for i, name in enumerate(tracks)}
    profile = loaded.costs.profile
    return {
        "title": "How Envoy loads its Wasm plugins",
        "subtitle": _subtitle(loaded),
        "tracks": [{"name": name, "words": _track_words(name)} for name in tracks],
        "kinds": {
            key: {"label": kind.label, "fill": kind.fill, "shape": kind.shape, "meaning": kind.meaning}
            for key, kind in KINDS.items()
        },
        "bars": [_bar_view(bar, place) for bar in bars],
        "columns": 1 + max((bar.column for bar in bars), default=0),
        "end_ns": max((bar.end_ns for bar in bars), default=0),
        "about": {f"{kind}:{i}": about(kind, vm, loaded) for i, vm in enumerate(loaded.vms) for kind in KINDS},
        "vms": [vm.vm_id or "(no vm_id)" for vm in loaded.vms],
        "formula": formula_of(loaded, bars),
        "refused": {"what": loaded.refused, "why": loaded.problems[0] if loaded.problems else ""}
        if loaded.refused
        else None,
        "faults": [[fault, FAULTS[fault]] for fault in loaded.setup.faults],
        "origins": origins(Origin.COUNTED, Origin.PROFILE, profile=profile.name, date=profile.measured.get("date", "")),
    }


def _bar_view(bar: Bar, place: Mapping[str, int]) -> View:
    took = took_words(bar)
    return {
        "k": bar.kind,
        "t": place[bar.track],
        "s": bar.start_ns,
        "e": bar.end_ns,
        "c": bar.column,
        "v": bar.part.vm,
        "p": bar.part.plugin,
        "bad": bar.bad,
        "n": list(bar.counts),
        "took": number(took, Origin.PROFILE) if took else None,
        "calls": [
            {"at": duration_words(call.start_ns - bar.start_ns), "text": call.brief, "answer": call.result}
            for call in bar.part.step.calls
        ]
        if bar.kind != "background"
        else [],
    }


def took_words(bar: Bar) -> str:
    """Return how long a bar takes, in words; nothing for what has no time of its own."""
    return "" if bar.kind in TIMELESS else duration_words(bar.end_ns - bar.start_ns)


def _subtitle(loaded: Loaded) -> str:
    vm = loaded.vms[0] if loaded.vms else None
    size = f"a module of {len(vm.code):,} bytes" if vm else "no module"
    return f"{_many(loaded.setup.workers, 'worker')}, {_many(len(loaded.plugins), 'plugin')} loaded, {size}"


def _track_words(name: str) -> str:
    if name == MAIN:
        return "Envoy's main thread: it loads configuration, and has a clone of its own"
    return "threads that V8 starts for itself" if name == V8_THREADS else "a worker thread: it serves requests"


def formula_of(loaded: Loaded, bars: Sequence[Bar]) -> list[View]:
    """Return what Envoy 1.40 counts: the formula, with this run's numbers, and whether it holds.

    ``V`` distinct VMs, ``P`` distinct plugins, ``N`` workers.
    """
    v, p, n = len(loaded.vms), len(loaded.plugins), loaded.setup.workers
    counted = max((bar.counts for bar in bars[-1:]), default=(0, 0, 0))
    rows = (
        ("active", "VMs active", f"V {_X} (N + 2)", f"{v} {_X} ({n} + 2)", v * (n + 2)),
        ("created", "VMs created", f"V {_X} (N + 2) + P", f"{v} {_X} ({n} + 2) + {p}", v * (n + 2) + p),
        ("roots", "root contexts", f"P {_X} (N + 2)", f"{p} {_X} ({n} + 2)", p * (n + 2)),
    )
    return [
        {
            "name": name,
            "words": words,
            "formula": formula,
            "filled": "Envoy did not start" if loaded.refused else f"{filled} = {value}",
            "value": value,
            "counted": number(str(counted[i]), Origin.COUNTED),
            "holds": not loaded.refused and value == counted[i],
        }
        for i, (name, words, formula, filled, value) in enumerate(rows)
    ]


def duration_words(ns: int) -> str:
    """Return a time in words.

    Examples
    --------
    >>> duration_words(4_232_000), duration_words(262), duration_words(0)
    ('4.23 ms', '262 ns', '0 ns')
    """
    size, unit = next(((s, u) for s, u in ((10**9, "s"), (10**6, "ms"), (10**3, "µs")) if ns >= s), (1, "ns"))
    return f"{ns / size:.3g} {unit}" if size > 1 else f"{ns} {unit}"


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'s' * (count != 1)}"
