"""Coefficients that were measured at some amounts (``request_ns.8``: at 8 connections), and what lies between."""

from __future__ import annotations

from itertools import pairwise
from math import log

from meshsim.cost.estimate import Estimate
from meshsim.cost.profile import MissingCoefficient, Profile


def between(profile: Profile, prefix: str, amount: float) -> Estimate:
    """Estimate a coefficient at an amount: on the line between the two around it, by the amount's logarithm.

    Below the least and above the greatest that were measured it stays as it is there.

    Parameters
    ----------
    profile : Profile
        Has coefficients whose names are ``prefix`` and an amount.
    prefix : str
        ``request_ns.``, for instance.
    amount : float
        At least 1.

    Raises
    ------
    MissingCoefficient
        The profile has none.
    """
    names = (name.removeprefix(prefix) for name in profile.coefficients if name.startswith(prefix))
    amounts = sorted(int(tail) for tail in names if tail.isdigit())
    if not amounts:
        raise MissingCoefficient(prefix, profile.name)
    nearest = min(max(amount, amounts[0]), amounts[-1])
    for low, high in pairwise(amounts):
        if low <= nearest <= high:
            share = log(nearest / low) / log(high / low)
            return (1 - share) * profile.estimate(f"{prefix}{low}") + share * profile.estimate(f"{prefix}{high}")
    return profile.estimate(f"{prefix}{amounts[0]}")
