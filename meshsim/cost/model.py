"""Arithmetic: from what a run did to what it costs, in whole nanoseconds and bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from meshsim.cost.profile import Profile, default_profile


@dataclass(frozen=True)
class CostModel:
    """A profile's coefficients, as the simulator asks for them.

    Examples
    --------
    >>> CostModel().base_vm_ns(1_000_000) > CostModel().base_vm_ns(1_000)
    True
    """

    profile: Profile = field(default_factory=default_profile)

    def base_vm_ns(self, code_bytes: int, first: bool = False) -> int:
        """Time to make a base VM: an isolate, and the module compiled; for a process's ``first``, V8 starts too."""
        isolate = self._ns("isolate_ns") + (self._ns("v8_start_ns") if first else 0)
        return isolate + round(self.profile["compile_ns_per_byte"] * code_bytes)

    @cached_property
    def clone_ns(self) -> int:
        """Time to make a clone on a thread."""
        return self._ns("clone_ns")

    @cached_property
    def filter_ns(self) -> int:
        """Time that a Wasm filter takes for a request beside its callbacks: a stream context comes and goes."""
        return self._ns("filter_ns")

    @cached_property
    def callback_ns(self) -> int:
        """Time to enter the module and come back."""
        return self._ns("callback_ns")

    @cached_property
    def host_call_ns(self) -> int:
        """Time of a host call."""
        return self._ns("host_call_ns")

    @cached_property
    def request_ns(self) -> int:
        """Time that a worker takes for a request, without Wasm."""
        return self._ns("request_ns")

    @cached_property
    def clock_read_ns(self) -> int:
        """Time of one reading of a clock; never 0, so that a guest that waits on the clock ends."""
        return max(1, self._ns("clock_read_ns"))

    @cached_property
    def fuel_ns(self) -> float:
        """Time of a unit of fuel."""
        return self.profile["fuel_ns"]

    def guest_ns(self, fuel: int) -> int:
        """Time of guest code."""
        return round(self.profile["fuel_ns"] * fuel)

    def module_bytes(self, code_bytes: int) -> int:
        """Memory that V8 takes for a module's code, once a process: its VMs share it."""
        return round(self.profile["module_bytes_per_code_byte"] * code_bytes)

    def vm_bytes(self, code_bytes: int) -> int:
        """Memory that V8 takes for a VM beside its linear memory and the shared code."""
        return round(self.profile["vm_bytes"] + self.profile["vm_bytes_per_code_byte"] * code_bytes)

    def _ns(self, name: str) -> int:
        return round(self.profile[name])
