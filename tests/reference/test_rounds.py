"""What the log of a start is turned into; no Envoy runs here."""

from __future__ import annotations

from meshsim.reference.rounds import Loading, middle, spans

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


def test_what_each_plugin_took_is_read_from_the_log() -> None:
    assert spans(LOG) == [
        Loading(base=3_000_000, isolate=None, clone=None, configure=100_000),
        Loading(base=1_000_000, isolate=900_000, clone=1_130_000, configure=70_000),
    ]


def test_what_cannot_be_seen_does_not_count() -> None:
    assert middle([None, 1, 5, 3]) == 3
