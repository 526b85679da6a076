"""What modules do at their start and for a request, as the simulator runs them: the counts that costs are made of."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from meshsim.abi.events import Crossing, Direction
from meshsim.abi.signatures import ALLOCATORS
from meshsim.cost import Start, Work
from meshsim.envoy.proxy import Envoy
from meshsim.reference.chains import Filter, bootstrap, wasm
from meshsim.wasm import ModuleFacts, parse_module
from meshsim.wasm.reader import Reader

#: What a kernel gives a process at once, in bytes.
_PAGE_BYTES = 4096
_DATA_SECTION, _I32_CONST = 11, 0x41


def work_of(filters: Sequence[Filter]) -> Work:
    """Send a chain of Wasm filters two requests, and count what they do for the second."""
    envoy = _started(filters)
    envoy.get("/")
    place, fuel = len(envoy.recorder.events), _fuel(envoy)
    envoy.get("/")
    crossings = [entry.event for entry in envoy.recorder.events[place:] if isinstance(entry.event, Crossing)]
    calls = [each for each in crossings if each.direction is Direction.VM_CALLS_HOST]
    copied = (each for each in crossings if each.direction in (Direction.VM_CALLS_HOST, Direction.HOST_RETURNS))
    return Work(
        filters=len(filters),
        callbacks=sum(
            each.direction is Direction.HOST_CALLS_VM and each.function not in ALLOCATORS for each in crossings
        ),
        host_calls=Counter(each.function.rpartition(".")[2] for each in calls),
        copied_bytes=sum(content.size for each in copied for content in each.contents),
        fuel=_fuel(envoy) - fuel,
    )


def start_of(module: Path) -> Start:
    """Load a module, and count what it does in the VM of the worker."""
    envoy = _started([wasm(module)])
    worker = envoy.process.vms[-1].wasm.vm
    entries = envoy.recorder.events
    crossings = [
        entry.event for entry in entries if isinstance(entry.event, Crossing) and entry.track == entries[-1].track
    ]
    calls = [each for each in crossings if each.direction is Direction.HOST_CALLS_VM]
    results = {each.function: len(each.values) for each in crossings if each.direction is Direction.VM_RETURNS}
    memory, data = worker.memory, data_pages(parse_module(module.read_bytes()))
    used = {
        page for page in range(memory.size // _PAGE_BYTES) if any(memory.read(page * _PAGE_BYTES, _PAGE_BYTES) or b"")
    }
    return Start(
        callbacks=len({(len(each.values), results.get(each.function, 0)) for each in calls}),
        data_bytes=len(data) * _PAGE_BYTES,
        written_bytes=len(used - data) * _PAGE_BYTES,
        host_calls=sum(each.direction is Direction.VM_CALLS_HOST for each in crossings),
        fuel=worker.fuel_used,
    )


def data_pages(facts: ModuleFacts) -> set[int]:
    """The pages that a module's data falls into when it is instantiated: those whose place is a constant."""
    data = Reader(facts.data, *facts.sections.contents.get(_DATA_SECTION, (0, 0)), "data")
    pages: set[int] = set()
    for _ in range(data.u32() if data.pos < data.end else 0):
        is_passive, start = data.u32() & 1, 0
        if not is_passive:
            if data.byte() != _I32_CONST:
                break
            start = data.signed(32) & 0xFFFFFFFF
            data.byte()
        size = data.u32()
        data.skip(size)
        if size and not is_passive:
            pages.update(range(start // _PAGE_BYTES, (start + size - 1) // _PAGE_BYTES + 1))
    return pages


def _started(filters: Sequence[Filter]) -> Envoy:
    return Envoy.from_yaml(json.dumps(bootstrap({"all": filters}), indent=1))


def _fuel(envoy: Envoy) -> int:
    return sum(vm.wasm.vm.fuel_used for vm in envoy.process.vms)
