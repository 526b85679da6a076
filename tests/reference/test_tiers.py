"""The guest that times its own code, with a clock of ours: what it reports is what passed."""

from __future__ import annotations

import struct

from meshsim.reference import tiers
from meshsim.reference.calibrate import fuel
from meshsim.wasm import Engine, FuncType, HostImport, Vm


def test_the_guest_reports_the_fuel_that_each_span_burns_when_fuel_is_its_clock() -> None:
    said: list[str] = []

    def now(address: int) -> int:
        vm.memory.write(address, struct.pack("<Q", vm.fuel_used))
        return 0

    def log(level: int, address: int, size: int) -> int:
        said.append(bytes(vm.memory.read(address, size)).decode())
        return 0

    imports = {
        ("env", "proxy_get_current_time_nanoseconds"): HostImport(FuncType("i", "i"), now),
        ("env", "proxy_log"): HostImport(FuncType("iii", "i"), log),
    }
    vm = Vm(Engine().compile(tiers.marking()), imports)
    configure = vm.function("proxy_on_configure", FuncType("ii", "i"))
    assert configure is not None
    configure(1, 0)
    one_call = fuel(tiers.code())
    times = tiers.call_times("".join(f"wasm log: {text}\n" for text in said))
    assert list(times) == list(tiers.MARKS)
    assert all(abs(took - one_call) < 20 for took in times.values())
