"""Arithmetic: from what a run did to what it costs, in whole nanoseconds and bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from meshsim.cost.loading import compiling
from meshsim.cost.profile import Profile, default_profile


@dataclass(frozen=True)
class CostModel:
    """A profile's coefficients, as the simulator asks for them; none is below 0, as one from a busy machine may be.

    Attributes
    ----------
    profile : Profile
        Where they come from.
    under_load : bool
        Whether to charge too what decides how busy workers are: waking them, the way to a host and back, and entering
        guests behind other work; and to let them write in rounds of their loops (:mod:`meshsim.envoy.loop`), which
        takes requests off the express lanes. Without, each request costs a worker what a direct response does that
        hardly ever has to wait for more work.

    Examples
    --------
    >>> CostModel().base_vm_ns(1_000_000) > CostModel().base_vm_ns(1_000)
    True
    """

    profile: Profile = field(default_factory=default_profile)
    under_load: bool = False

    def base_vm_ns(self, code_bytes: int, first: bool = False, branches: int | None = None) -> int:
        """Time to make a base VM: an isolate, and the module compiled; for a process's ``first``, V8 starts too."""
        isolate = self._ns("isolate_ns") + (self._ns("v8_start_ns") if first else 0)
        return isolate + self.compile_ns(code_bytes, branches)

    def compile_ns(self, code_bytes: int, branches: int | None = None) -> int:
        """Time to compile a module of so many bytes, with so many branches in its code."""
        return max(0, round(compiling(code_bytes, self.profile, branches).value))

    def clone_ns(self, code_bytes: int) -> int:
        """Time to make a clone on a thread."""
        return round(self._at_least_0("clone_ns") + self._at_least_0("clone_ns_per_byte") * code_bytes)

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
        """Time that a worker takes for a request, without Wasm; ``under_load`` what it takes beside waking."""
        return self._ns("awake_request_ns" if self.under_load else "request_ns")

    @cached_property
    def wake_ns(self) -> int:
        """Time that it costs besides to wake a worker that sleeps; 0 unless ``under_load``."""
        return self._ns("wake_ns") if self.under_load else 0

    @cached_property
    def upstream_ns(self) -> int:
        """Time of the way to a host and back, beside a direct response; 0 unless ``under_load``."""
        return self._ns("upstream_ns") if self.under_load else 0

    @cached_property
    def reentry_ns(self) -> int:
        """Time to come back to a guest for a request that has gone on to a host; 0 unless ``under_load``."""
        return self._ns("reentry_ns") if self.under_load else 0

    @cached_property
    def cold_entry_ns(self) -> int:
        """Time that it takes besides to enter a guest on a worker that was woken; 0 unless ``under_load``."""
        return self._ns("cold_entry_ns") if self.under_load else 0

    @cached_property
    def clock_read_ns(self) -> int:
        """Time of one reading of a clock; never 0, so that a guest that waits on the clock ends."""
        return max(1, self._ns("clock_read_ns"))

    @cached_property
    def fuel_ns(self) -> float:
        """Time of a unit of fuel."""
        return self._at_least_0("fuel_ns")

    def guest_ns(self, fuel: int) -> int:
        """Time of guest code."""
        return round(self.fuel_ns * fuel)

    def module_bytes(self, code_bytes: int) -> int:
        """Memory that V8 keeps for a module's code, once a process: its VMs share it."""
        return round(self._at_least_0("module_bytes_per_code_byte") * code_bytes)

    @cached_property
    def vm_bytes(self) -> int:
        """Memory that V8 takes for a VM beside the shared code, with a page or two of linear memory."""
        return self._ns("vm_bytes")

    @cached_property
    def native_filter_ns(self) -> int:
        """Time that a native filter takes for a request: measured on one that adds a header."""
        return self._ns("native_filter_ns")

    @cached_property
    def lua_filter_ns(self) -> int:
        """Time of ``envoy_on_request`` in a Lua filter, beside what it does."""
        return self._ns("lua_filter_ns")

    @cached_property
    def lua_response_ns(self) -> int:
        """Time of ``envoy_on_response``, beside what it does."""
        return self._ns("lua_response_ns")

    @cached_property
    def lua_call_ns(self) -> int:
        """Time of a call of Envoy's API out of Lua."""
        return self._ns("lua_call_ns")

    @cached_property
    def lua_step_ns(self) -> float:
        """Time of a round of a simple loop in Lua."""
        return self._at_least_0("lua_step_ns")

    def _ns(self, name: str) -> int:
        return round(self._at_least_0(name))

    def _at_least_0(self, name: str) -> float:
        return max(0.0, self.profile[name])
