"""Shares of requests: ``envoy.type.v3.FractionalPercent`` and what wraps it."""

from __future__ import annotations

from random import Random
from typing import Literal

from meshsim.envoy.config.base import Message

_DENOMINATORS = {"HUNDRED": 100, "TEN_THOUSAND": 10_000, "MILLION": 1_000_000}


class FractionalPercent(Message):
    """A share: numerator over a hundred, ten thousand or a million."""

    proto = "envoy.type.v3.FractionalPercent"
    numerator: int = 0
    denominator: Literal["HUNDRED", "TEN_THOUSAND", "MILLION"] = "HUNDRED"

    def takes(self, random: Random, at_most: int | None = None) -> bool:
        """Whether a request is in the share, by lot; ``at_most`` lowers the numerator. All and none need no lot.

        Examples
        --------
        >>> FractionalPercent(numerator=100).takes(Random(1)), FractionalPercent().takes(Random(1))
        (True, False)
        """
        whole = _DENOMINATORS[self.denominator]
        share = self.numerator if at_most is None else min(self.numerator, at_most)
        return share >= whole or (share > 0 and random.randrange(whole) < share)


class RuntimeFractionalPercent(Message):
    """A share that the runtime could override; without a runtime the default holds."""

    proto = "envoy.config.core.v3.RuntimeFractionalPercent"
    default_value: FractionalPercent = FractionalPercent()
