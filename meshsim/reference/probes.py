"""What is put under load to be measured: filter chains, how many connections, and what they ask for."""

from __future__ import annotations

from dataclasses import dataclass, field

from meshsim.reference import chains
from meshsim.reference.bench import PLAIN, Bench
from meshsim.reference.chains import Filter
from meshsim.reference.scripts import LUA_CALLS, script
from meshsim.reference.specimens import BARE, CALLBACKS, HOST_CALLS, guest
from meshsim.reference.tasks import ENGINES, TASKS

#: Connections at which filters are measured: enough that Envoy never waits, so that a slower chain does not change how
#: it batches. The simulator charges a plain request at few.
MANY, FEW = 64, 8
#: Connections at which a plain request and a long chain are measured too.
CONNECTIONS = (1, 4, FEW, 16, MANY, 256)
#: Filters of a long chain, each with a VM of its own, as filters from different authors have.
LENGTH = 8
#: How often a guest does a thing for a request: a host call as often as guests do; the clock as often as one that
#: waits on it; code for some 30 microseconds.
CALLS = {name: 100 if name == "clock" else 10 for name in HOST_CALLS}
ROUNDS = {"hash": 20_000, "copy": 50_000, "calls": 200}
LUA_TIMES, LUA_STEPS = 10, 2_000
#: Headers that the larger native filter adds.
HEADERS = 10


@dataclass(frozen=True, slots=True)
class Probe:
    """A chain under load; ``sent`` is what each of its ``connections`` sends, over and over."""

    filters: tuple[Filter, ...] = ()
    connections: int = MANY
    sent: bytes = field(default=PLAIN, repr=False)


def probes(bench: Bench) -> dict[str, Probe]:
    """Everything that a profile is made of, by names that :mod:`~meshsim.reference.fit` knows."""
    made: dict[str, Probe] = {}
    for name, callbacks in {"bare": BARE, "all": tuple(CALLBACKS)}.items():
        made[name] = Probe((_wasm(bench, name, guest(callbacks)),))
        filters = (_wasm(bench, f"{name}{seed}", guest(callbacks, seed=10 + seed)) for seed in range(LENGTH))
        made[f"{name} chain"] = Probe(tuple(filters))
    for count in CONNECTIONS:
        made[f"none {count}"] = Probe((), count)
        made[f"chain {count}"] = Probe(made["all chain"].filters, count)
        made[f"alone {count}"] = Probe(made["all"].filters, count)
    for name, times in CALLS.items():
        made[f"call {name}"] = Probe((_wasm(bench, f"call-{name}", guest(calls={name: times})),))
    for name, times in ROUNDS.items():
        made[f"code {name}"] = Probe((_wasm(bench, f"code-{name}", guest(code={name: times})),))
    made["native"] = Probe((chains.header_mutation(1),))
    made["native more"] = Probe((chains.header_mutation(HEADERS),))
    made["lua"] = Probe((chains.lua(script()),))
    made["lua response"] = Probe((chains.lua(script(response=True)),))
    made["lua steps"] = Probe((chains.lua(script(steps=LUA_STEPS)),))
    for name in LUA_CALLS:
        made[f"lua {name}"] = Probe((chains.lua(script({name: LUA_TIMES})),))
    return made | _tasks(bench)


def _tasks(bench: Bench) -> dict[str, Probe]:
    made = {}
    for name, task in TASKS.items():
        made[f"task {name}"] = Probe(task.without, MANY, task.request)
        filters = (task.native, _wasm(bench, f"task-{name}", task.wasm), chains.lua(task.lua))
        for engine, each in zip(ENGINES, filters, strict=True):
            made[f"task {name} {engine}"] = Probe((each,), MANY, task.request)
    return made


def _wasm(bench: Bench, name: str, data: bytes) -> Filter:
    return chains.wasm(bench.module(name, data))
