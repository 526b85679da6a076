"""A profile and arithmetic: what a run costs in the real Envoy."""

from __future__ import annotations

from meshsim.cost.estimate import Estimate, total
from meshsim.cost.loading import Start, loading_parts
from meshsim.cost.memory import Module, memory_parts, rollout
from meshsim.cost.model import CostModel
from meshsim.cost.profile import Profile, default_profile
from meshsim.cost.request import Work, increment, request_parts

__all__ = [
    "CostModel",
    "Estimate",
    "Module",
    "Profile",
    "Start",
    "Work",
    "default_profile",
    "increment",
    "loading_parts",
    "memory_parts",
    "request_parts",
    "rollout",
    "total",
]
