"""A clone of a VM: what every thread makes of a module that is compiled already.

A clone is all that Envoy does for one but the plugin's own start: the VM with its memory, every import bound to its
host function, exports looked up, and the start of the language's runtime (``_initialize``). The modules are the seven
``hello`` filters. Compiling is not in it, and each module is compiled once.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median
from time import process_time
from typing import cast

from meshsim.abi.code import Code
from meshsim.abi.ports import NoStream
from meshsim.abi.proxy_wasm import ProxyWasm
from meshsim.abi.vm_host import VmHost
from meshsim.wasm import Engine
from tests.bench.figures import Outcome, figure
from tests.bench.filter_alone import Thread
from tests.bench.world import World

MODULES = Path(__file__).resolve().parents[2] / "modules" / "hello"
CLONES = 50


def clone(code: Code) -> ProxyWasm:
    """Make a VM that can start a plugin."""
    wasm = ProxyWasm(code, cast(VmHost, Thread(World())), NoStream())
    assert wasm.initialize()
    return wasm


def milliseconds(code: Code) -> list[float]:
    """Time clones, one at a time; freeing them is not in it."""
    clone(code).close()
    times_ms = []
    for _ in range(CLONES):
        start = process_time()
        wasm = clone(code)
        times_ms.append(1e3 * (process_time() - start))
        wasm.close()
    return times_ms


@figure("vm-clone", unit="ms", at_most=1)
def vm_clone() -> Outcome:
    """The median time of a clone, of the module that takes longest."""
    engine = Engine()
    times_ms = {}
    for path in sorted(MODULES.glob("*.wasm")):
        code = Code.of(engine.compile(path.read_bytes()))
        times_ms[path.stem] = milliseconds(code)
    slowest = max(times_ms, key=lambda name: median(times_ms[name]))
    return Outcome(
        median(times_ms[slowest]),
        {
            "module": slowest,
            "range": [round(min(times_ms[slowest]), 3), round(max(times_ms[slowest]), 3)],
            "median_ms": {name: round(median(times), 3) for name, times in times_ms.items()},
        },
    )
