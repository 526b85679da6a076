"""Applications: what a service does with a request.

A request takes a place, is worked on, goes through the script, and is answered. A call of the script that fails makes
the answer a 500, as in isotope.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Protocol

from meshsim.mesh.busy import Busy
from meshsim.mesh.legs import Ledger, Leg
from meshsim.mesh.stations import NoPlaces, Places, Processors, Station
from meshsim.mesh.times import Draw
from meshsim.mesh.topology import Call, Service, Sleep, Together
from meshsim.sim import Kernel, Streams

OK, FAILED, NO_ROOM = 200, 500, 503


class Caller(Protocol):
    """How an application, or the client, reaches services."""

    def send(self, leg: Leg, request_bytes: int, done: Callable[[Leg], None]) -> None:
        """Send a request; ``done`` is called when the answer is there, or known not to come."""


class Visit:
    """One request at an application; ``answer`` takes it when it is through."""

    __slots__ = ("answer", "arrived_ns", "begun_ns", "failed", "leg", "pending", "place", "status", "work_ns")

    def __init__(self, leg: Leg, answer: Callable[[Visit], None]) -> None:
        self.leg = leg
        self.answer = answer
        self.status = OK
        self.place = 0
        self.failed = False
        self.arrived_ns = self.begun_ns = self.work_ns = self.pending = 0


class Application:
    """The application of one pod."""

    def __init__(self, kernel: Kernel, service: Service, pod: str, zone: str, streams: Streams, ledger: Ledger) -> None:
        self.kernel = kernel
        self.service = service
        self.pod = pod
        self.zone = zone
        self.ledger = ledger
        self.busy = Busy(pod, "app", zone, service.concurrency)
        self.caller: Caller | None = None
        #: How many requests are here.
        self.present = 0
        self.response_bytes = service.response_bytes
        self._work = service.service_time.draws(streams, f"{pod} work")
        self._streams = streams
        self._chance: Random | None = None
        self.error_rate = service.error_rate
        self.delay_ns = 0
        self._holds = service.holds
        self._script = [_compiled(step, streams, f"{pod} step {k}") for k, step in enumerate(service.script)]
        self._station = self._make_station(service)

    def _draw(self) -> float:
        """Decide by lot; what draws is made when it is first asked, as thousands of pods never do."""
        if self._chance is None:
            self._chance = self._streams.stream(f"{self.pod} chance")
        return self._chance.random()

    def _make_station(self, service: Service) -> Station:
        if not service.concurrency:
            return NoPlaces(self.kernel, self._worked, self.busy)
        if service.discipline == "ps":
            return Processors(self.kernel, service.concurrency, self._worked, self.busy)
        return Places(self.kernel, service.concurrency, service.queue, self._worked, self.busy)

    def arrive(self, visit: Visit) -> None:
        """Take a request: an event of the kernel."""
        leg = visit.leg
        leg.tries += 1
        leg.pod, leg.zone = self.pod, self.zone
        visit.arrived_ns = self.kernel.now_ns
        visit.work_ns = self._work() + self.delay_ns
        self.present += 1
        if not self._station.take(visit):
            visit.begun_ns = self.kernel.now_ns
            self._reply(visit, NO_ROOM)

    def _worked(self, visit: Visit) -> None:
        leg = visit.leg
        leg.own_queue_ns += visit.begun_ns - visit.arrived_ns
        leg.app_ns += self.kernel.now_ns - visit.begun_ns
        if not self._holds:
            self._station.release()
        if self.error_rate and self._draw() < self.error_rate:
            self._leave(visit, FAILED)
        elif self._script:
            self._go_on(visit)
        else:
            self._leave(visit, OK)

    # -- the script ---

    def _go_on(self, visit: Visit) -> None:
        """Begin steps until one takes time, or none is left."""
        script = self._script
        while visit.place < len(script) and not visit.failed:
            steps = script[visit.place]
            visit.place += 1
            wanted = [step for step in steps if step.probability >= 1 or self._draw() < step.probability]
            if wanted:
                visit.pending = len(wanted)
                for step in wanted:
                    self._begin(visit, step, alone=len(steps) == 1)
                return
        self._leave(visit, FAILED if visit.failed else OK)

    def _begin(self, visit: Visit, step: _Step, *, alone: bool) -> None:
        if step.sleep is not None:
            slept_ns = step.sleep()
            if alone:
                visit.leg.app_ns += slept_ns
            self.kernel.after(slept_ns, self._stepped, visit)
            return
        assert self.caller is not None
        leg = Leg(visit.leg.request, visit.leg, self.service.name, step.service, self.kernel.now_ns)

        def done(leg: Leg) -> None:
            self.ledger.over(leg, self.kernel.now_ns)
            visit.failed = visit.failed or leg.failed
            self._stepped(visit)

        self.caller.send(leg, step.request_bytes, done)

    def _stepped(self, visit: Visit) -> None:
        visit.pending -= 1
        if not visit.pending:
            self._go_on(visit)

    # -- the answer ---

    def _leave(self, visit: Visit, status: int) -> None:
        if self._holds:
            self._station.release()
        self._reply(visit, status)

    def _reply(self, visit: Visit, status: int) -> None:
        self.present -= 1
        visit.status = status
        visit.leg.server_ns += self.kernel.now_ns - visit.arrived_ns
        visit.answer(visit)


class _Step:
    """One step, ready to be begun; ``sleep`` is None for a call."""

    __slots__ = ("probability", "request_bytes", "service", "sleep")

    def __init__(self, sleep: Draw | None, service: str, request_bytes: int, probability: float) -> None:
        self.sleep = sleep
        self.service = service
        self.request_bytes = request_bytes
        self.probability = probability


def _compiled(step: Sleep | Call | Together, streams: Streams, name: str) -> Sequence[_Step]:
    match step:
        case Sleep():
            return [_Step(step.time.draws(streams, name), "", 0, 1.0)]
        case Call():
            return [_Step(None, step.service, step.request_bytes, step.probability)]
        case Together():
            return [inner for k, part in enumerate(step.steps) for inner in _compiled(part, streams, f"{name}.{k}")]
