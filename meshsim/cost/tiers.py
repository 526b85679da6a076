"""How fast a guest's code is in its first call, and how fast after many.

A browser's V8 compiles Wasm fast first, and well later, while it runs. Envoy's does not: in Envoy 1.40 it compiles all
code well when the module is loaded. So the first call of a function is as fast as the hundred thousandth (measured:
:mod:`meshsim.reference.tiers`), loading takes its time instead, and a run's virtual times need not depend on
what has run before. What is slow the first time is the way in: V8 makes it when a callback is called first in a VM.
"""

from __future__ import annotations

from meshsim.cost.curves import between
from meshsim.cost.estimate import Estimate
from meshsim.cost.profile import Profile, default_profile


def fuel_ns(call: int, profile: Profile | None = None) -> Estimate:
    """Estimate the time of a unit of fuel in the call-th call of a function in a process, in ns.

    Parameters
    ----------
    call : int
        From 1.
    profile : Profile, optional
        Another than the one that ships.

    Examples
    --------
    >>> fuel_ns(1).value > 0
    True
    >>> fuel_ns(10**9) == fuel_ns(100_000)
    True
    """
    return between(profile or default_profile(), "fuel_ns.call_", call)


def callback_ns(call: int, profile: Profile | None = None) -> Estimate:
    """Estimate the time to enter a module and come back, in ns, for the call-th call of a callback in a VM (from 1).

    >>> callback_ns(1).value > callback_ns(2).value
    True
    """
    profile = profile or default_profile()
    return profile.estimate("first_call_ns" if call == 1 else "callback_ns")
