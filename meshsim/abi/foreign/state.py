"""What a context keeps for its foreign functions."""

from __future__ import annotations

from dataclasses import dataclass, field

from meshsim.abi.foreign.declared import Declaration
from meshsim.abi.foreign.expressions import Expressions


@dataclass(slots=True)
class ForeignState:
    """Expressions (of a root context) and declared properties, by name."""

    expressions: Expressions = field(default_factory=Expressions)
    declarations: dict[bytes, Declaration] = field(default_factory=dict)
