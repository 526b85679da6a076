"""``python -m tests.shimfuzz --sequences 10000``: the shim against the Python host functions, on random sequences."""

from __future__ import annotations

import argparse

from tests.shimfuzz.sequences import difference


def main() -> int:
    """Play sequences; 1 when one differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.shimfuzz", description=__doc__)
    parser.add_argument("--sequences", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="seed of the first")
    parser.add_argument("--show", type=int, default=3, help="how many differences to show")
    options = parser.parse_args()
    found = 0
    for seed in range(options.first, options.first + options.sequences):
        text = difference(seed)
        if text is not None:
            found += 1
            if found <= options.show:
                print(text, flush=True)
    print(f"{options.sequences} sequences, {found} differ")
    return int(found > 0)


if __name__ == "__main__":
    raise SystemExit(main())
