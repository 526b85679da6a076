"""Measure what Wasm costs in the real Envoy here, and write it as a cost profile.

``python -m meshsim.reference.measure OUT.json``

Everything is measured in several rounds, spread over minutes, because code and data fall differently in each process
and other programs on the machine come and go: they make everything up to half as slow again, so only the rounds with
the fastest plain requests count. A round's points have a slope. A coefficient is the median of the rounds, ``low`` and
``high`` are the least and the greatest; where it depends on what is done (which host call, which code), the value is
the mean over that, and the range takes in all of it.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import fmean, median

from meshsim.cost.profile import Coefficient, Profile
from meshsim.reference import specimens
from meshsim.reference.bench import Bench
from meshsim.reference.envoy import envoy_version
from meshsim.reference.rounds import FEW, LENGTH, TIMES, Round, loads, memories, slope, timelines

#: Rounds over everything, of less than half a minute each, and how many of them count.
ROUNDS, QUIET = 7, 4
#: What each coefficient is: its unit, and how it was measured.
MEANINGS = {
    "v8_start_ns": ("ns", "Log time stamps: the first base VM of a process over the later ones, all of a tiny module."),
    "isolate_ns": (
        "ns",
        "Log time stamps: 'Base Wasm created' to the canary's 'Thread-Local Wasm created' for a tiny module, less the "
        "canary's own isolate as seen on a worker. With parsing, linking, instantiation.",
    ),
    "compile_ns_per_byte": (
        "ns/byte",
        "Log time stamps: the same span by the module's size, 1 kB to 2 MB of straight arithmetic. On one core: V8 "
        "compiles on threads of its own too, so it takes up to a third less where cores are free.",
    ),
    "clone_ns": (
        "ns",
        "Log time stamps on a worker that makes clones one after the other: the end of a plugin's start to the next "
        "one's first callback (isolate and linking) for a tiny module. Twice that for one of 2 MB.",
    ),
    "request_ns": (
        "ns",
        f"CPU time per request of a direct response without Wasm, {FEW} keep-alive connections. Depends on how many "
        "requests Envoy finds at once: some three times as much with 1 connection, up to 20 % less with 64.",
    ),
    "filter_ns": (
        "ns",
        f"CPU time per request of a filter with one empty callback over none, less the callback: alone, and as one of "
        f"{LENGTH} in a chain, each with a VM of its own. In one VM they cost a quarter less.",
    ),
    "callback_ns": (
        "ns",
        f"CPU time per request of filters with {len(specimens.CALLBACKS)} empty callbacks over such with one, by "
        f"callback: alone, and {LENGTH} filters in a chain, each with a VM of its own.",
    ),
    "host_call_ns": (
        "ns",
        f"CPU time per request of {TIMES['add']} host calls over none, by call: proxy_add_header_map_value, "
        "proxy_get_header_map_value of a header that is not there, proxy_log below the log's level. The first call of "
        "a request may take a microsecond more, and one that allocates in the guest takes a callback more.",
    ),
    "clock_read_ns": (
        "ns",
        f"CPU time per request of {TIMES['clock']} proxy_get_current_time_nanoseconds over none, by call.",
    ),
    "fuel_ns": (
        "ns/fuel",
        "CPU time per request over Wasmtime's fuel of hot, optimised loops: a dependent chain, loads and stores, calls "
        "and branches. Cold code, before V8 has optimised it, is slower.",
    ),
    "vm_bytes": (
        "bytes",
        "Anonymous memory of the process by number of workers, with a tiny module over without Wasm; with the one or "
        "two pages of linear memory that such a guest touches.",
    ),
    "vm_bytes_per_code_byte": (
        "bytes/byte",
        "The same slope by the module's size: V8 shares a module's code between its VMs.",
    ),
    "module_bytes_per_code_byte": (
        "bytes/byte",
        "Anonymous memory at no workers (extrapolated) by the module's size: what V8 keeps of a module once a process.",
    ),
}


def coefficient(name: str, rounds: Sequence[Round]) -> Coefficient:
    """One number, with its range, from what the rounds say of it."""
    unit, how = MEANINGS[name]
    points = {
        kind: tuple(tuple((x, round(y, 1)) for x, y in each[name][kind]) for each in rounds) for kind in rounds[0][name]
    }
    slopes = [[slope(each) for each in by_round] for by_round in points.values()]
    value, low, high = fmean(map(median, slopes)), min(map(min, slopes)), max(map(max, slopes))
    return Coefficient(_rounded(value), unit, _rounded(low), _rounded(high), how, points)


def measure(name: str, say: Callable[[str], object]) -> Profile:
    """Measure everything; ``say`` is told how it goes: after each round, what a plain request takes."""
    envoy = envoy_version().split("/")[1]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="meshsim-measure-") as folder:
        bench = Bench(Path(folder))
        parts = [timelines(bench), memories(bench), loads(bench)]
        rounds = []
        for number in range(1, ROUNDS + 1):
            rounds.append({name: points for part in parts for name, points in next(part).items()})
            say(
                f"{time.monotonic() - began:4.0f} s  round {number} of {ROUNDS}: {_plain_ns(rounds[-1]):.0f} ns/request"
            )
    rounds = sorted(rounds, key=_plain_ns)[:QUIET]
    return Profile(name, {each: coefficient(each, rounds) for each in MEANINGS}, {"envoy": envoy} | machine())


def machine() -> dict[str, str]:
    """When and where this runs."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        "wasmtime": version("wasmtime"),
        "cpu": model[1] if model else platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "kernel": platform.release(),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Write a profile; progress and the table go to stderr."""
    parser = argparse.ArgumentParser(prog="python -m meshsim.reference.measure", description="Write a cost profile.")
    parser.add_argument("out", type=Path, metavar="OUT.json")
    out: Path = parser.parse_args(arguments).out
    if not os.access(out.parent, os.W_OK):  # told now, not after minutes of measuring
        parser.error(f"not a folder to write in: {out.parent}")
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    profile = measure(out.stem, lambda text: print(text, file=sys.stderr))
    out.write_text(profile.to_json(), encoding="utf-8")
    for name, each in profile.coefficients.items():
        print(f"{name:27}{each.value:>12g} {each.unit:10} ({each.low:g} to {each.high:g})", file=sys.stderr)


def _plain_ns(measured: Round) -> float:
    """How fast the machine was in a round. No coefficient but its own is made of these requests."""
    return slope(measured["request_ns"]["direct response"])


def _rounded(value: float) -> float:
    """Four digits: more than the measurement has."""
    return float(f"{value:.4g}")


if __name__ == "__main__":
    main()
