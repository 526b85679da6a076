"""How long Envoy takes to load a module, by step: on the main thread once, and on each thread that gets a clone."""

from __future__ import annotations

from dataclasses import dataclass

from meshsim.cost.estimate import NOTHING, Estimate
from meshsim.cost.profile import Profile, default_profile

_COMPILE = "compile_ns_per_byte"


@dataclass(frozen=True, slots=True)
class Start:
    """What a module does in a VM before its first request.

    Attributes
    ----------
    callbacks : int
        Callbacks of different types that are called: V8 makes the way in once for each type.
    data_bytes : int
        Bytes that the module puts into its linear memory when it is instantiated.
    written_bytes : int
        Bytes of further linear memory that it writes first: a kernel gives it page by page.
    host_calls, fuel : int
        What its start does: ``_initialize``, ``proxy_on_vm_start``, ``proxy_on_configure``...
    """

    callbacks: int = 2
    data_bytes: int = 0
    written_bytes: int = 0
    host_calls: int = 0
    fuel: int = 0


#: A module that does next to nothing: two empty callbacks.
IDLE = Start()


def loading_parts(
    code_bytes: int, start: Start = IDLE, first: bool = False, profile: Profile | None = None
) -> dict[str, Estimate]:
    """Estimate the steps of loading a module, in ns, of what they take on one core.

    Parameters
    ----------
    code_bytes : int
        Size of the module.
    start : Start
        What it does before its first request.
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
    page = cost("written_ns_per_byte") if start.data_bytes or start.written_bytes else NOTHING
    return {
        "V8 starts": first * cost("v8_start_ns"),
        "isolate": cost("isolate_ns"),
        "compile": compiling(code_bytes, profile),
        "clone": cost("clone_ns") + code_bytes * cost("clone_ns_per_byte") + start.data_bytes * page,
        "configure": start.callbacks * cost("first_call_ns")
        + start.host_calls * cost("host_call_ns")
        + start.fuel * cost("fuel_ns")
        + start.written_bytes * page,
    }


def compiling(code_bytes: int, profile: Profile) -> Estimate:
    """Estimate the time to compile a module, in ns.

    The compiler is cold when it begins, so a small module's bytes take longer (``compile_ns_per_byte.5000``: those of
    5,000 bytes). Between the sizes that were measured time grows evenly, and over the largest by
    ``compile_ns_per_byte``; a profile without such sizes has that alone.

    >>> profile = default_profile()
    >>> small, large = (compiling(size, profile).value for size in (20_000, 1_020_000))
    >>> round((large - small) / 1_000_000) == round(profile["compile_ns_per_byte"])
    True
    """
    before, done = 0, NOTHING
    for size in sorted(_sizes(profile)):
        whole = size * profile.estimate(f"{_COMPILE}.{size}")
        if code_bytes <= size:
            share = (code_bytes - before) / (size - before)
            return (1 - share) * done + share * whole
        before, done = size, whole
    return done + (code_bytes - before) * profile.estimate(_COMPILE)


def _sizes(profile: Profile) -> list[int]:
    """Sizes of small modules, in bytes, whose compiling was measured."""
    tails = (name.removeprefix(f"{_COMPILE}.") for name in profile.coefficients)
    return [int(tail) for tail in tails if tail.isdigit()]
