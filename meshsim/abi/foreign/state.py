"""What a context keeps for its foreign functions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshsim.abi.foreign.declared import Declaration

if TYPE_CHECKING:
    from meshsim.abi.foreign.cel import Program


@dataclass(slots=True)
class Expressions:
    """The expressions of one root context."""

    programs: dict[int, Program] = field(default_factory=dict)
    next_token: int = 0

    def new_token(self) -> int:
        """Give the next token."""
        self.next_token += 1
        return self.next_token - 1


@dataclass(slots=True)
class ForeignState:
    """Expressions (of a root context) and declared properties, by name."""

    expressions: Expressions = field(default_factory=Expressions)
    declarations: dict[bytes, Declaration] = field(default_factory=dict)
