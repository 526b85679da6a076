"""What the cost model is tested on: work, memory and modules that no profile was made from.

``heldout.json`` was written before the model was first fitted, and a profile keeps its digest. Where it names modules,
they are those of the repository's ``modules/hello``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from meshsim.cost import Module, Work
from meshsim.reference import chains, specimens
from meshsim.reference.bench import Bench
from meshsim.reference.chains import Filter
from meshsim.reference.recording import work_of
from meshsim.reference.scripts import script

_MODULES = Path(__file__).resolve().parents[2] / "modules" / "hello"
Spec = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """Filters under load; ``work`` is what the simulator says that they do for a request."""

    name: str
    connections: int
    filters: tuple[Filter, ...]
    work: Work


@dataclass(frozen=True, slots=True)
class Weight:
    """Plugins at rest, each with a module and a VM of its own."""

    name: str
    workers: int
    filters: tuple[Filter, ...]
    modules: tuple[Module, ...]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The list, with its modules written to a bench; ``loading`` are files by name."""

    requests: tuple[Case, ...]
    memory: tuple[Weight, ...]
    loading: Mapping[str, Path]


def digest() -> str:
    """The first half of the list's SHA-256, in hex."""
    return hashlib.sha256(_text()).hexdigest()[:32]


def held_out(bench: Bench) -> HeldOut:
    """Read the list and make its modules, all different: the list's seed draws their code."""
    listed = json.loads(_text())
    seeds = iter(range(listed["seed"], listed["seed"] + 1_000))
    return HeldOut(
        tuple(_case(bench, spec, seeds) for spec in listed["requests"]),
        tuple(_weight(bench, spec, seeds) for spec in listed["memory"]),
        dict(_module(bench, spec, seeds) for spec in listed["loading"]),
    )


def _case(bench: Bench, spec: Spec, seeds: Iterator[int]) -> Case:
    (kind,) = {kind for each in spec["filters"] for kind in each} & {"lua", "native"} or {"wasm"}
    made: list[Filter] = []
    work = Work()
    for each in spec["filters"]:
        match kind:
            case "lua":
                made.append(chains.lua(script(each["lua"])))
                work = Work(lua_filters=1, lua_calls=each["lua"])
            case "native":
                made.append(chains.header_mutation(each["native"]))
                work = Work(native_filters=1, native_changes=each["native"])
            case _:
                made.append(chains.wasm(_guest(bench, each, next(seeds))))
    return Case(spec["name"], spec["connections"], tuple(made), work_of(made) if kind == "wasm" else work)


def _guest(bench: Bench, spec: Spec, seed: int) -> Path:
    if "module" in spec:
        return _MODULES / f"{spec['module']}.wasm"
    guest = spec["guest"]
    callbacks = tuple(specimens.CALLBACKS) if guest.get("callbacks") == "all" else specimens.BARE
    return bench.module(f"held-{seed}", specimens.guest(callbacks, guest.get("calls"), guest.get("code"), seed))


def _weight(bench: Bench, spec: Spec, seeds: Iterator[int]) -> Weight:
    paths = [_filler(bench, spec["size"], next(seeds)) for _ in range(spec["plugins"])]
    modules = tuple(Module(path.stat().st_size) for path in paths)
    name = f"{len(paths)} x {_size(paths[0])}, {spec['workers']} worker{'s'[: spec['workers'] - 1]}"
    return Weight(name, spec["workers"], tuple(map(chains.wasm, paths)), modules)


def _module(bench: Bench, spec: Spec, seeds: Iterator[int]) -> tuple[str, Path]:
    path = _guest(bench, spec, 0) if "module" in spec else _filler(bench, spec["size"], next(seeds))
    return f"{spec.get('module', 'ordinary code')}, {_size(path)}", path


def _filler(bench: Bench, size: int, seed: int) -> Path:
    return bench.module(f"held-{seed}", specimens.filler(size, seed))


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1000:,.0f} kB"


def _text() -> bytes:
    return (files("meshsim.reference") / "heldout.json").read_bytes()
