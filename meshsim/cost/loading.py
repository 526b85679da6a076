"""How long Envoy takes to load a module, by step: on the main thread once, and on each thread that gets a clone."""

from __future__ import annotations

from meshsim.cost.estimate import Estimate
from meshsim.cost.profile import Profile, default_profile


def loading_parts(
    code_bytes: int, callbacks: int = 2, first: bool = False, profile: Profile | None = None
) -> dict[str, Estimate]:
    """Estimate the steps of loading a module, in ns, of what they take on one core.

    Parameters
    ----------
    code_bytes : int
        Size of the module.
    callbacks : int
        Different callbacks that a start calls: ``proxy_on_context_create``, ``proxy_on_configure``...
    first : bool
        Whether it is the process's first: V8 starts too.
    profile : Profile, optional
        Another than the one that ships.

    Examples
    --------
    >>> list(loading_parts(1_000, first=True))
    ['V8 starts', 'isolate', 'compile', 'clone', 'configure']
    """
    profile = profile or default_profile()
    cost = profile.estimate
    return {
        "V8 starts": first * cost("v8_start_ns"),
        "isolate": cost("isolate_ns"),
        "compile": code_bytes * cost("compile_ns_per_byte"),
        "clone": cost("clone_ns") + code_bytes * cost("clone_ns_per_byte"),
        "configure": callbacks * cost("first_call_ns"),
    }
