"""Memory of one Envoy with Wasm filters, by part; before, during and after a rollout.

With V different VMs and N workers Envoy keeps V * (N + 2) of them: the base, the main thread's clone, and a clone on
each worker (seen in Envoy 1.40). V8 shares a module's code among them, and starts with the first. What compiling needs
beside that is free afterwards and serves the next module, but stays with the process (Envoy's ``/memory`` shows it as
``pageheap_free``): so it counts once, for the largest module.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from meshsim.cost.estimate import NOTHING, Estimate, total
from meshsim.cost.profile import Profile, default_profile

#: VMs beside those of workers: the base and the main thread's clone. The base runs no plugin.
UNBOUND_VMS, BASES = 2, 1


@dataclass(frozen=True, slots=True)
class Module:
    """A module that Envoy has loaded.

    Attributes
    ----------
    code_bytes : int
        Size of the module.
    touched_bytes : int
        What a running guest has written of its linear memory, over the first page or two: only that is resident.
    vms : int
        VMs that are made of it: plugins with another ``vm_id`` or VM configuration have one of their own.
    """

    code_bytes: int
    touched_bytes: int = 0
    vms: int = 1


def memory_parts(modules: Sequence[Module], workers: int, profile: Profile | None = None) -> dict[str, Estimate]:
    """Estimate the resident memory of an Envoy at rest, in bytes, by part.

    Examples
    --------
    >>> parts = memory_parts([Module(2_000_000)], workers=4)
    >>> list(parts)
    ['Envoy', 'workers', 'V8', 'VMs', 'module code', 'compiling', 'linear memory']
    >>> parts["VMs"].value == 6 * default_profile()["vm_bytes"]
    True
    """
    profile = profile or default_profile()
    cost = profile.estimate
    each = workers + UNBOUND_VMS
    return {
        "Envoy": cost("envoy_bytes"),
        "workers": workers * cost("worker_bytes"),
        "V8": bool(modules) * cost("v8_bytes"),
        "VMs": sum(module.vms for module in modules) * each * cost("vm_bytes"),
        "module code": sum(module.code_bytes for module in modules) * cost("module_bytes_per_code_byte"),
        "compiling": max((module.code_bytes for module in modules), default=0) * _compiling(profile),
        "linear memory": sum(module.vms * module.touched_bytes for module in modules)
        * (each - BASES)
        * cost("touched_bytes_per_byte"),
    }


def _compiling(profile: Profile) -> Estimate:
    """What compiling leaves for each byte of the largest module; a profile without it has it in the code itself."""
    name = "compile_bytes_per_code_byte"
    return profile.estimate(name) if name in profile.coefficients else NOTHING


def rollout(
    old: Sequence[Module], new: Sequence[Module], workers: int, profile: Profile | None = None
) -> dict[str, dict[str, Estimate]]:
    """Estimate memory before, during and after new modules take the place of old ones, in bytes.

    While listeners drain, requests that began with the old VMs end there: both are in memory, and ``during`` is what a
    container's limit has to hold. ``after`` is what is in use then. The system does not get all of the rest back: of
    the 16 MiB that a rollout of a module of 1 MB took, Envoy 1.40 had given back 4 half a minute later.

    Examples
    --------
    >>> stages = rollout([Module(1_000_000)], [Module(1_000_000)], workers=2)
    >>> stages["before"] == stages["after"]
    True
    >>> total(stages["during"].values()).value > total(stages["after"].values()).value
    True
    """
    return {
        "before": memory_parts(old, workers, profile),
        "during": memory_parts([*old, *new], workers, profile),
        "after": memory_parts(new, workers, profile),
    }


def mesh_bytes(parts: dict[str, Estimate], proxies: int) -> Estimate:
    """Estimate what so many Envoys take together, in bytes: processes share no V8 and no code.

    >>> mesh_bytes({"V8": Estimate(2.0, 1.0, 3.0)}, 10)
    Estimate(value=20.0, low=10.0, high=30.0)
    """
    return proxies * total(parts.values())
