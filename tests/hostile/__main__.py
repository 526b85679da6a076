"""Try the hostile guests: ``python -m tests.hostile [--json] [WORD...]``, those whose description has all the words.

A line each: how it ended, the most memory that the process held, in MiB, the time, and what was wrong, if anything. The
exit status is 1 when something was.
"""

from __future__ import annotations

import argparse
import json
import sys

from tests.hostile.catalogue import CATALOGUE
from tests.hostile.world import World

MAX_BYTES = 200 << 20
"""The host's memory may never be more."""


def part(text: str) -> slice:
    first, step = map(int, text.split("/"))
    if not 0 <= first < step:
        raise ValueError(text)
    return slice(first, None, step)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("words", nargs="*", help="only guests whose description has all of these")
    parser.add_argument("--json", action="store_true", help="a JSON line each")
    parser.add_argument("--part", type=part, default="0/1", metavar="K/N", help="every N-th guest, from the K-th")
    arguments = parser.parse_args()
    world = World()
    failed = False
    for name in [name for name in CATALOGUE if all(word in name for word in arguments.words)][arguments.part]:
        seen = world.run(CATALOGUE[name])
        wrong = seen.wrong
        if not wrong and seen.peak_bytes > MAX_BYTES:
            wrong = f"the process held {seen.peak_bytes >> 20} MiB"
        failed |= bool(wrong)
        end = seen.end.value if seen.end else "breaks"
        row = {"guest": name, "end": end, "peak_bytes": seen.peak_bytes, "wrong": wrong, "words": seen.words}
        if arguments.json:
            print(json.dumps(row), flush=True)
        else:
            line = f"{end:8} {seen.peak_bytes >> 20:4} MiB {seen.seconds:6.2f} s  {name}"
            print(f"{line}\n    WRONG: {wrong[:600]}" if wrong else line, flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
