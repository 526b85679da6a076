"""What filters do for one request, as the simulator runs and records them: the counts that costs are made of."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from meshsim.abi.events import Crossing, Direction
from meshsim.abi.signatures import ALLOCATORS
from meshsim.cost import Work
from meshsim.envoy.proxy import Envoy
from meshsim.reference.chains import Filter, bootstrap


def work_of(filters: Sequence[Filter]) -> Work:
    """Send a chain of Wasm filters two requests, and count what they do for the second."""
    envoy = Envoy.from_yaml(json.dumps(bootstrap({"all": filters}), indent=1))
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


def _fuel(envoy: Envoy) -> int:
    return sum(vm.wasm.vm.fuel_used for vm in envoy.process.vms)
