"""Profiles with numbers that are easy to follow."""

from __future__ import annotations

from meshsim.cost import Profile
from meshsim.cost.profile import Coefficient

VALUES = {
    "v8_start_ns": 1_000.0,
    "isolate_ns": 100.0,
    "compile_ns_per_byte": 2.0,
    "compile_ns_per_byte.100": 6.0,
    "compile_ns_per_byte.200": 4.0,
    "clone_ns": 70.0,
    "clone_ns_per_byte": 0.5,
    "first_call_ns": 30.0,
    "written_ns_per_byte": 0.125,
    "request_ns": 60.0,
    "request_ns.1": 400.0,
    "request_ns.16": 80.0,
    "request_ns.64": 40.0,
    "filter_scale.1": 4.0,
    "filter_scale.16": 2.0,
    "filter_scale.64": 1.0,
    "filter_ns": 1_000.0,
    "filter_ns.first": 1_500.0,
    "filter_ns.further": 500.0,
    "callback_ns": 200.0,
    "host_call_ns": 30.0,
    "host_call_ns.first": 7.0,
    "host_call_ns.log": 10.0,
    "clock_read_ns": 5.0,
    "copy_ns_per_byte": 0.25,
    "fuel_ns": 0.5,
    "fuel_ns.call_1": 3.0,
    "fuel_ns.call_100": 1.0,
    "native_filter_ns": 500.0,
    "native_change_ns": 50.0,
    "lua_filter_ns": 2_000.0,
    "lua_response_ns": 1_500.0,
    "lua_call_ns": 300.0,
    "lua_call_ns.log": 100.0,
    "lua_headers_ns": 40.0,
    "lua_step_ns": 2.0,
    "envoy_bytes": 60e6,
    "worker_bytes": 1e5,
    "v8_bytes": 12e6,
    "vm_bytes": 1e6,
    "module_bytes_per_code_byte": 16.0,
    "compile_bytes_per_code_byte": 4.0,
    "touched_bytes_per_byte": 1.0,
}


def profile(**more: float) -> Profile:
    """Each coefficient with a range from half of it to twice; ``more`` are others besides."""
    values = VALUES | more
    made = {name: Coefficient(value, "", value / 2, value * 2, "", {}) for name, value in values.items()}
    return Profile("round", made, {})
