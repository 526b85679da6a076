"""What the checks of several lessons do: start an Envoy from a changed bootstrap, and read the calls of a request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from meshsim.abi.events import Direction
from meshsim.sim import Level

if TYPE_CHECKING:
    from meshsim.envoy.proxy import Envoy
    from meshsim.envoy.records import AbiLine
    from meshsim.envoy.requests import Request
    from meshsim.lab.lessons.lesson import Lesson


def started(at: Lesson, bootstrap: str, *, workers: int | None = None, level: Level = Level.ABI) -> Envoy:
    """Start a simulated Envoy from the text of a bootstrap; files that it names are the lesson's.

    Parameters
    ----------
    workers : int, optional
        Worker threads: as many as the lesson's Envoys have when it is left out.
    """
    from meshsim.envoy.loader import parse_bootstrap
    from meshsim.envoy.proxy import Envoy

    envoy = Envoy(parse_bootstrap(bootstrap, base_dir=at.folder), concurrency=workers or at.concurrency, level=level)
    envoy.start()
    return envoy


def calls_of(envoy: Envoy, request: Request) -> list[AbiLine]:
    """Send a request; return the crossings of the border until its reply."""
    before = len(envoy.abi_trace())
    envoy.send(request)
    return envoy.abi_trace()[before:]


def names(lines: Iterable[AbiLine], direction: Direction = Direction.HOST_CALLS_VM) -> list[str]:
    """Return what was called in a direction, callbacks or host calls, in order: names without their module."""
    return [line.event.function.rpartition(".")[2] for line in lines if line.event.direction is direction]
