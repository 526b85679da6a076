"""Record the evidence for the rules of comparison: two runs of the real Envoy that differ in what a rule leaves out.

``python tests/reference/evidence/record.py [FOLDER...]`` runs each folder's bootstrap until two runs differ, and
writes them as ``one.json`` and ``other.json``. No hand edits these.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import wasmtime

from meshsim.envoy.outcome import ReplayResult
from meshsim.reference import truth
from meshsim.reference.lines import by_thread

HERE = Path(__file__).parent
ATTEMPTS = 20


def _header_values(name: str) -> Callable[[ReplayResult], object]:
    return lambda result: [value for r in result.responses for key, value in r.headers if key == name]


def _words(result: ReplayResult) -> object:
    return [text for _, level, text in result.other if level in ("error", "critical")]


#: For each folder, what must differ between the two runs.
DIFFERS: Mapping[str, tuple[Callable[[ReplayResult], object], ...]] = {
    "ticks": (lambda r: r.abi, lambda r: len(r.logs), lambda r: r.stats),
    "proxy": (lambda r: len(r.abi),),
    "calls": (lambda r: r.abi,),
    "headers": tuple(map(_header_values, ("date", "x-request-id", "x-envoy-upstream-service-time"))),
    "logs": (lambda r: r.logs,),
    "spans": (lambda r: r.logs,),
    "workers": (lambda r: {thread: len(lines) for thread, lines in by_thread(r.abi).items()},),
    "words": (_words,),
}


def record(folder: Path) -> None:
    """Write the two runs of one folder."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(shutil.copytree(folder, Path(scratch) / folder.name))
        guest = copy / "guest.wat"
        if guest.exists():
            (copy / "guest.wasm").write_bytes(wasmtime.wat2wasm(guest.read_text(encoding="utf-8")))
        case = truth.Case.load(copy)
        one = truth.record(case).result
        for _ in range(ATTEMPTS):
            other = truth.record(case).result
            if all(view(one) != view(other) for view in DIFFERS[folder.name]):
                break
        else:
            sys.exit(f"{folder.name}: {ATTEMPTS} runs, none of which differs from the first in all that it should")
    for name, result in (("one.json", one), ("other.json", other)):
        (folder / name).write_text(result.dumps() + "\n", encoding="utf-8")
    print(f"{folder.name}: recorded")


if __name__ == "__main__":
    for name in sys.argv[1:] or DIFFERS:
        record(HERE / name)
