"""How fast code is in its first call, and how fast after many: whether the real Envoy's V8 has tiers to climb."""

from __future__ import annotations

import re
from collections.abc import Mapping

from meshsim.reference.specimens import CODE, HOST_CALLS, guest, loop, module

#: Calls at whose number the speed of code is measured, and how many functions share the measuring of the early ones.
MARKS, FUNCTIONS = (1, 10, 1_000, 100_000), 50
#: Rounds of the loop in one call: some two microseconds.
ROUNDS = 2_000
_TIME = re.compile(r": (\d{12})$", re.MULTILINE)


def marking() -> bytes:
    """A guest that logs, when it is configured, what calls took up to each of :data:`MARKS`: ns, in 12 digits each.

    The early calls are of :data:`FUNCTIONS` functions, because Envoy's clock has microseconds only.
    """
    functions = "".join(
        f"""(func $work{index} (local $n i32) (local $h i32) (local.set $h (i32.const {index}))
          {loop("$again", CODE["hash"], ROUNDS)} (i32.store (i32.const 516) (local.get $h)))"""
        for index in range(FUNCTIONS)
    )
    body = "".join(
        f"""(local.set $t (call $now)) {loop(f"$calls{index}", calls, times)}
        (call $say (i64.sub (call $now) (local.get $t)))"""
        for index, (calls, times) in enumerate(
            ("".join(f"(call $work{each})" for each in range(functions_called)), times)
            for functions_called, times in _spans()
        )
    )
    clock, log = HOST_CALLS["clock"], HOST_CALLS["log"]
    say = f"""(func $say (param $d i64) (local $p i32) (local.set $p (i32.const 2012))
      (loop $digit (local.set $p (i32.sub (local.get $p) (i32.const 1)))
        (i32.store8 (local.get $p) (i32.wrap_i64 (i64.add (i64.const 48) (i64.rem_u (local.get $d) (i64.const 10)))))
        (local.set $d (i64.div_u (local.get $d) (i64.const 10)))
        (br_if $digit (i32.gt_u (local.get $p) (i32.const 2000))))
      (drop (call ${log.function} (i32.const 4) (i32.const 2000) (i32.const 12))))"""
    now = f"(func $now (result i64) (drop (call ${clock.function} (i32.const 1000))) (i64.load (i32.const 1000)))"
    configure = f"""(func (export "proxy_on_configure") (param i32 i32) (result i32) (local $t i64) (local $n i32)
      (drop (call $now)) {body} (i32.const 1))"""
    return module([functions, say, now, configure], {each.function: each.types for each in (clock, log)})


def call_times(log: str) -> Mapping[int, int]:
    r"""Read from the log what one call took, in ns, by the number of the call; of the VM that came first.

    Examples
    --------
    >>> call_times("".join(f"log: {time:012d}\n" for time in (100_000, 900_000, 1_980_000, 198_000_000)))
    {1: 2000, 10: 2000, 1000: 2000, 100000: 2000}
    """
    times = map(int, _TIME.findall(log)[: len(MARKS)])
    return {
        mark: round(time / (functions * calls))
        for mark, time, (functions, calls) in zip(MARKS, times, _spans(), strict=True)
    }


def code() -> bytes:
    """A guest whose fuel for a request is that of one of the calls, but for a handful of units."""
    return guest(code={"hash": ROUNDS})


def _spans() -> list[tuple[int, int]]:
    """How many functions are called up to each mark, and how often each."""
    shared = [FUNCTIONS if mark <= MARKS[1] else 1 for mark in MARKS]
    return list(zip(shared, (mark - before for before, mark in zip((0, *MARKS), MARKS, strict=False)), strict=True))
