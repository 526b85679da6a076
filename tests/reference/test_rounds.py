"""What logs and CPU times are turned into; no Envoy runs here."""

from __future__ import annotations

import pytest

from meshsim.reference import rounds, specimens

#: Two plugins, one worker: as Envoy 1.40 logs them, times in microseconds. The last line of a start is what counts.
LOG = """[warning] not ours
@@1000|7|Base Wasm created 1 now active
@@4000|7|Thread-Local Wasm created 2 now active
@@4100|7|[host->vm] proxy_on_context_create(1, 0)
@@4200|7|[host<-vm] proxy_on_configure return: 1
@@4201|7|~Wasm 1 remaining active
@@5000|7|Thread-Local Wasm created 2 now active
@@5100|7|[host<-vm] proxy_on_configure return: 1
@@6000|7|Base Wasm created 3 now active
@@7000|7|Thread-Local Wasm created 4 now active
@@7100|7|[host<-vm] proxy_on_configure return: 1
@@8000|9|Thread-Local Wasm created 5 now active
@@8010|7|something on the main thread
@@8200|9|[host->vm] proxy_on_context_create(1, 0)
@@8300|9|[host<-vm] proxy_on_configure return: 1
@@9200|9|Thread-Local Wasm created 6 now active
@@9430|9|[host->vm] proxy_on_context_create(1, 0)
@@9500|9|[host<-vm] proxy_on_configure return: 1
"""


def test_spans_of_base_vms_isolates_and_clones_are_read_from_the_log() -> None:
    assert rounds.spans(LOG) == ([3_000_000, 1_000_000], [900_000], [1_130_000])


def test_requests_give_back_the_costs_that_the_cpu_times_were_made_of() -> None:
    none, filter_, callback = 20_000.0, 700.0, 160.0
    host = {"add": 300.0, "get": 200.0, "log": 90.0, "clock": 110.0}
    all_callbacks, length = len(specimens.CALLBACKS), rounds.LENGTH
    cpu = {
        "none": none,
        "few": 23_000.0,
        "bare": none + filter_ + callback,
        "all": none + filter_ + all_callbacks * callback,
        "bare chain": none + length * (filter_ + callback),
        "all chain": none + length * (filter_ + all_callbacks * callback),
    }
    cpu |= {call: cpu["bare"] + rounds.TIMES[call] * each for call, each in host.items()}
    fuels = {"bare": 3, **dict.fromkeys(specimens.CODE, 1003)}
    cpu |= dict.fromkeys(specimens.CODE, cpu["bare"] + 250)
    got = {
        name: {kind: round(rounds.slope(points), 6) for kind, points in kinds.items()}
        for name, kinds in rounds.requests(cpu, fuels).items()
    }
    assert got == {
        "request_ns": {"direct response": 23_000},
        "filter_ns": {"a filter alone": 700, "a chain": 700},
        "callback_ns": {"a filter alone": 160, "a chain": 160},
        "host_call_ns": {"add": 300, "get": 200, "log": 90},
        "clock_read_ns": {"clock": 110},
        "fuel_ns": {"hash": 0.25, "copy": 0.25, "calls": 0.25},
    }


@pytest.mark.parametrize("code", specimens.CODE)
def test_fuel_grows_with_the_loop_and_is_the_same_each_time(code: str) -> None:
    ten, twenty, forty = (rounds.fuel(specimens.running(code, times)) for times in (10, 20, 40))
    assert forty - twenty == 2 * (twenty - ten) > 0
    assert rounds.fuel(specimens.running(code, 10)) == ten
