"""A profile and arithmetic: what a run costs in the real Envoy."""

from __future__ import annotations

from meshsim.cost.model import CostModel
from meshsim.cost.profile import Profile, default_profile

__all__ = ["CostModel", "Profile", "default_profile"]
