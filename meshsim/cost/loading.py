"""How long Envoy takes to load a module, by step: on the main thread once, and on each thread that gets a clone."""

from __future__ import annotations

from dataclasses import dataclass

from meshsim.cost.estimate import NOTHING, Estimate
from meshsim.cost.profile import Profile, default_profile

_COMPILE = "compile_ns_per_byte"
_STRAIGHT, _BRANCH = f"{_COMPILE}.arithmetic", "compile_ns_per_branch"


@dataclass(frozen=True, slots=True)
class Start:
    """What a module does in a VM before its first request.

    Attributes
    ----------
    callbacks : int
        Callbacks of different types that are called: V8 makes the way in once for each type.
    data_bytes : int
        Bytes of linear memory that the module puts data into when it is instantiated: whole pages of the kernel.
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
    code_bytes: int,
    start: Start = IDLE,
    first: bool = False,
    profile: Profile | None = None,
    branches: int | None = None,
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
    branches : int, optional
        How many branches its code has (:attr:`meshsim.wasm.ModuleFacts.branches`). Left out, it has as many as the
        code that the profile was made from: compilers' output has two or three times as many.

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
        "compile": compiling(code_bytes, profile, branches),
        "clone": cost("clone_ns") + code_bytes * cost("clone_ns_per_byte") + start.data_bytes * page,
        "configure": start.callbacks * cost("first_call_ns")
        + start.host_calls * cost("host_call_ns")
        + start.fuel * cost("fuel_ns")
        + start.written_bytes * page,
    }


def compiling(code_bytes: int, profile: Profile, branches: int | None = None) -> Estimate:
    """Estimate the time to compile a module, in ns.

    The compiler is cold when it begins, so a small module's bytes take longer (``compile_ns_per_byte.5000``: those of
    5,000 bytes). Between the sizes that were measured time grows evenly. What a module has over the largest of them
    goes by its branches, between which code is as quick to compile as arithmetic; or, where they are not known, by
    ``compile_ns_per_byte``.

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
    over = code_bytes - before
    if branches is None or _BRANCH not in profile.coefficients or not over:
        return done + over * profile.estimate(_COMPILE)
    return done + over * profile.estimate(_STRAIGHT) + (branches * over / code_bytes) * profile.estimate(_BRANCH)


def _sizes(profile: Profile) -> list[int]:
    """Sizes of small modules, in bytes, whose compiling was measured."""
    tails = (name.removeprefix(f"{_COMPILE}.") for name in profile.coefficients)
    return [int(tail) for tail in tails if tail.isdigit()]
