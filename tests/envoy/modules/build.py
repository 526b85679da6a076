"""Compile each guest of this folder, ``NAME.wat`` to ``NAME.wasm``, or check that the compiled ones are up to date.

``python build.py [--check] [NAME...]``. A change of a module asks for new truths of the cases that use it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import wasmtime

HERE = Path(__file__).parent


def compiled(source: Path) -> bytes:
    """The module of a source file; the text is assembled, not validated, so that guests may be wrong on purpose."""
    return bytes(wasmtime.wat2wasm(source.read_text(encoding="utf-8")))


def stale(sources: Iterable[Path]) -> list[Path]:
    """Sources whose module is missing or has other bytes."""
    return [
        s for s in sources if not s.with_suffix(".wasm").exists() or s.with_suffix(".wasm").read_bytes() != compiled(s)
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 1 when ``--check`` finds a module out of date."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("name", nargs="*", help="guests, without suffix; all by default")
    parser.add_argument("--check", action="store_true", help="write nothing, only tell")
    options = parser.parse_args(arguments)
    sources = [HERE / f"{name}.wat" for name in options.name] or sorted(HERE.glob("*.wat"))
    changed = stale(sources)
    for source in changed:
        if not options.check:
            source.with_suffix(".wasm").write_bytes(compiled(source))
        print(f"{source.stem}: {'out of date' if options.check else 'compiled'}")
    print(f"{len(sources) - len(changed)} of {len(sources)} were up to date")
    return 1 if options.check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
