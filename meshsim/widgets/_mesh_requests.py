"""The requests of a mesh's run: which there are, which took longest, and each step by step."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from meshsim.errors import MeshsimError
from meshsim.mesh.result import Result
from meshsim.mesh.rows import Hops
from meshsim.widgets._mesh_journey import MeshJourney, journey_of
from meshsim.widgets._mesh_reading import Happened, by_request


class MeshRequests:
    """The requests of a run, to be looked at one by one.

    Parameters
    ----------
    result : Result
        Of a run at level ``requests`` or ``abi``.

    Raises
    ------
    MeshsimError
        There is nothing to show: the run kept no rows, or nobody sent a request.
    """

    def __init__(self, result: Result) -> None:
        if not len(result.hops):
            raise MeshsimError(
                "this run kept no request: its level is OFF, or nothing was sent",
                remedy="run it with level=ms.Level.REQUESTS (a row a call) or ms.Level.ABI (every call of the modules)",
            )
        self.result = result
        roots = result.find("root")
        self._took: dict[int, int] = dict(zip(roots.numbers("request").tolist(), roots.took_ns.tolist(), strict=True))
        #: The numbers of all requests, the slowest first.
        self.slowest = sorted(self._took, key=lambda number: -self._took[number])

    @cached_property
    def _happened(self) -> Mapping[int, list[Happened]]:
        return by_request(self.result.traces)

    def __contains__(self, number: int) -> bool:
        return number in self._took

    def __len__(self) -> int:
        return len(self._took)

    def among(self, hops: Hops) -> list[int]:
        """Return the numbers of the requests that some rows belong to, the slowest request first."""
        wanted = set(hops.numbers("request").tolist())
        return [number for number in self.slowest if number in wanted]

    def took_ns(self, number: int) -> int:
        """How long a request took, as its client saw it."""
        return self._took[number]

    def journey(self, number: int) -> MeshJourney:
        """Return one request, step by step."""
        return journey_of(self.result, number, self._happened.get(number, ()))
