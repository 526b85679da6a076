"""Phases of a stream whose callbacks run in one crossing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Driver:
    """Callbacks of a stream context that can be run in one crossing; ``name`` is the driver's export."""

    name: str
    callbacks: tuple[str, ...]


#: Arguments: context, its parent, number of headers, end of stream.
OPEN = Driver("open", ("proxy_on_context_create", "proxy_on_request_headers"))
#: Argument: context.
CLOSE = Driver("close", ("proxy_on_done", "proxy_on_delete"))
#: Argument: context.
FINISH = Driver("finish", ("proxy_on_log", "proxy_on_done", "proxy_on_delete"))
DRIVERS = (OPEN, CLOSE, FINISH)
#: The callbacks of each row of a batch (:mod:`meshsim.envoy.batch`), all of them.
BATCH = Driver(
    "batch",
    (
        "proxy_on_context_create",
        "proxy_on_request_headers",
        "proxy_on_response_headers",
        "proxy_on_log",
        "proxy_on_done",
        "proxy_on_delete",
    ),
)


class Ran(NamedTuple):
    """What came of a phase.

    Attributes
    ----------
    over : int
        Callbacks that are over, also those that the module does not have. Fewer than the driver has: the module asked
        for something that has to happen first, or it trapped.
    trapped : bool
        The one behind them trapped.
    result : int or None
        What the last callback of ``OPEN`` returned, None where it did not run; of rides and batches, how many steps or
        rows went all the way.
    second : int or None
        What the last callback of a ride returned, None where that is nothing.
    """

    over: int
    trapped: bool
    result: int | None
    second: int | None
