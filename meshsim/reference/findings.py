"""What a cost profile says, as tables in Markdown: four tasks side by side, and what people say of Wasm's costs.

``python -m meshsim.reference.findings [PROFILE.json]`` prints them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from meshsim.cost import Profile, default_profile
from meshsim.reference.tasks import ENGINES, TASKS

_MIB = float(1 << 20)


def side_by_side(profile: Profile) -> str:
    """What each task adds to a request as a native filter, in Wasm and in Lua, in microseconds, with ranges."""
    lines = [f"| adds to a request, us | {' | '.join(ENGINES)} | Lua over Wasm |", "|---|---:|---:|---:|---:|"]
    for task in TASKS:
        each = {engine: profile.estimate(f"task_ns.{task}.{engine}") for engine in ENGINES}
        cells = (f"{it.value / 1e3:.1f} ({it.low / 1e3:.1f} to {it.high / 1e3:.1f})" for it in each.values())
        ratio = each["lua"].value / each["wasm"].value
        lines.append(f"| {task.replace('_', ' ')} | {' | '.join(cells)} | {ratio:.1f} |")
    return "\n".join(lines)


def claims(profile: Profile) -> str:
    """What is said of Wasm in Envoy, and what was measured."""
    lines = ["| it is said | measured | how |", "|---|---|---|"]
    lines += [f"| {said} | {found} | {how} |" for said, found, how in _claims(profile)]
    return "\n".join(lines)


def _claims(profile: Profile) -> Iterator[tuple[str, str, str]]:
    def ranged(name: str, unit: float, digits: int = 1) -> str:
        it = profile.estimate(name)
        return f"{it.value / unit:,.{digits}f} ({it.low / unit:,.{digits}f} to {it.high / unit:,.{digits}f})"

    yield "V8 itself takes about 10 MB", f"{ranged('v8_bytes', _MIB)} MiB", "`v8_bytes`"
    yield (
        "module code takes some hundred KB to some MB",
        f"{ranged('module_bytes_per_code_byte', 1)} bytes for each byte of a module, once a process; and for each of "
        f"the largest module's {ranged('compile_bytes_per_code_byte', 1)} that compiling leaves free in the heap",
        "`module_bytes_per_code_byte`, `compile_bytes_per_code_byte`",
    )
    yield (
        "each VM has its linear memory",
        f"{ranged('touched_bytes_per_byte', 1, 2)} bytes for each byte that a guest has written, in the main thread's "
        f"VM and in each worker's; a VM takes {ranged('vm_bytes', _MIB)} MiB besides",
        "`touched_bytes_per_byte`, `vm_bytes`",
    )
    yield (
        "V8's background threads take CPU time",
        "while modules load only: all code is compiled well at once, "
        f"{ranged('compile_ns_per_byte.arithmetic', 1e3, 2)} ms a kB and {ranged('compile_ns_per_branch', 1e3)} us a "
        "branch on one core; it does not get faster later: "
        f"{ranged('fuel_ns.call_1', 1, 3)} ns a unit of fuel in the first call, "
        f"{ranged('fuel_ns.call_100000', 1, 3)} in the 100,000th",
        "`compile_ns_per_byte.arithmetic`, `compile_ns_per_branch`, `fuel_ns.call_1`, `fuel_ns.call_100000`",
    )
    yield (
        "switching between C++ and Wasm takes CPU time",
        f"{ranged('callback_ns', 1, 0)} ns a callback, {ranged('host_call_ns', 1, 0)} ns a host call with its work, "
        f"{ranged('clock_read_ns', 1, 0)} ns one that does next to nothing",
        "`callback_ns`, `host_call_ns`, `clock_read_ns`",
    )
    lua, wasm = ([profile[f"task_ns.{task}.{engine}"] for task in TASKS] for engine in ("lua", "wasm"))
    faster = sum(one > other for one, other in zip(lua, wasm, strict=True))
    ratios = sorted(one / other for one, other in zip(lua, wasm, strict=True))
    yield (
        "Wasm outperforms Lua",
        f"in {faster} of {len(lua)} tasks: Lua takes {ratios[0]:.1f} to {ratios[-1]:.1f} times what Wasm takes",
        "the table above",
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables of a profile."""
    parser = argparse.ArgumentParser(prog="python -m meshsim.reference.findings", description="What a profile says.")
    parser.add_argument("profile", type=Path, nargs="?", metavar="PROFILE.json")
    given: Path | None = parser.parse_args(arguments).profile
    profile = Profile.from_file(given) if given else default_profile()
    print(side_by_side(profile), claims(profile), sep="\n\n")


if __name__ == "__main__":
    main()
