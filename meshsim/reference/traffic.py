"""A client, and the host that the real Envoy asks: one program, which never sleeps, on one core.

Because client and host look for something to do all the time, nobody has to wake them, no timer and no Envoy, whose CPU
time is for its own work then; and users think to the microsecond, where ``wrk`` counts whole milliseconds, at whose
ends its requests come together. What a request takes here, some 20 us for both, is the same with a filter and without.
"""

from __future__ import annotations

import contextlib
import gc
import heapq
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from meshsim.errors import MeshsimError
from meshsim.reference.bench import PLAIN

#: The request that goes on to the host, where :data:`~meshsim.reference.bench.PLAIN` is answered by Envoy itself.
FAR = PLAIN.replace(b"GET /", b"GET /far", 1)
#: What the host answers.
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
#: Seconds without an answer after which a run is given up.
PATIENCE_S = 10.0
_GOOD = b"HTTP/1.1 200"
#: Events that are taken at a time: what is due meanwhile must not wait long.
_AT_ONCE = 8


class Traffic:
    """The loop; ``port`` is where the host listens."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._listening.setblocking(False)
        self._door = self._listening.fileno()
        self.port: int = self._listening.getsockname()[1]
        self._poll = select.epoll()
        self._poll.register(self._door, select.EPOLLIN)
        self._host: dict[int, socket.socket] = {}
        self._client: dict[int, socket.socket] = {}

    def connect(self, port: int, count: int) -> list[int]:
        """Make connections to a listener; give their names."""
        made = [socket.create_connection(("127.0.0.1", port), PATIENCE_S) for _ in range(count)]
        self._client |= {each.fileno(): self._keep(each) for each in made}
        return [each.fileno() for each in made]

    def _keep(self, connection: socket.socket) -> socket.socket:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._poll.register(connection.fileno(), select.EPOLLIN)
        return connection

    def saturate(self, connections: Sequence[int], seconds: float, sent: bytes = FAR) -> int:
        """Send on each connection as soon as it is answered, for so long; count the answers.

        Raises
        ------
        MeshsimError
            Envoy does not answer, or not with 200.
        """
        clock, client = time.perf_counter, self._client
        answered, under_way, now = 0, len(connections), clock()
        end, heard = now + seconds, now
        for each in connections:
            client[each].send(sent)
        while under_way:
            now = clock()
            for each in self._turn():
                answered, heard = answered + 1, now
                if now < end:
                    client[each].send(sent)
                else:
                    under_way -= 1
            _check_patience(now - heard)
        return answered

    def offer(self, connections: Sequence[int], due_ns: Sequence[int], sent: bytes = FAR) -> list[int]:
        """Send requests when they are due, in ns from now, ascending; give the latencies, in the order of the answers.

        A request that finds no connection free waits for one, in its latency.

        Raises
        ------
        MeshsimError
            Envoy does not answer, or not with 200.
        """
        clock, client = time.perf_counter_ns, self._client
        free, since, waiting = list(connections), dict.fromkeys(connections, 0), deque(due_ns)
        latencies: list[int] = []
        with _no_collector():
            start = heard = clock()
            while len(latencies) < len(due_ns):
                now = clock()
                while waiting and free and waiting[0] <= now - start:
                    each = free.pop()
                    since[each] = waiting.popleft()
                    client[each].send(sent)
                    now = clock()
                for each in self._turn():
                    heard = clock()
                    latencies.append(heard - start - since[each])
                    free.append(each)
                _check_patience((now - heard) / 1e9 if len(free) < len(connections) else 0.0)
        return latencies

    def use(self, connections: Sequence[int], seconds: float, think: Callable[[], int]) -> tuple[list[int], int]:
        """Be a user on each connection, who thinks, sends to the host, waits for the answer, and thinks again.

        Somebody sends even where the machine stands still for all that time.

        Parameters
        ----------
        connections : sequence of int
            As :meth:`connect` gave them.
        seconds : float
            How long users send.
        think : callable
            Draws how long one thinks, in ns.

        Returns
        -------
        list of int
            The latencies, in ns, in the order of the answers.
        int
            How long it took until the last answer, in ns.

        Raises
        ------
        MeshsimError
            Envoy does not answer, or not with 200.
        """
        clock, client = time.perf_counter_ns, self._client
        sent_ns = dict.fromkeys(connections, 0)
        latencies: list[int] = []
        with _no_collector():
            start = now = heard = clock()
            end, under_way = start + round(seconds * 1e9), 0
            thinking = [(start + think(), each) for each in connections]
            heapq.heapify(thinking)
            while under_way or now < end or not latencies:
                now = clock()
                while thinking and thinking[0][0] <= now and (now < end or not (latencies or under_way)):
                    _, each = heapq.heappop(thinking)
                    sent_ns[each] = heard = clock()
                    client[each].send(FAR)
                    under_way += 1
                    now = clock()
                for each in self._turn():
                    heard = clock()
                    latencies.append(heard - sent_ns[each])
                    heapq.heappush(thinking, (heard + think(), each))
                    under_way -= 1
                if under_way:
                    _check_patience((now - heard) / 1e9)
        return latencies, clock() - start

    def _turn(self) -> Iterator[int]:
        """Do what there is to do; give the connections of the client that have their answers."""
        for each, _ in self._poll.poll(0, _AT_ONCE):
            connection = self._host.get(each)
            if connection is not None:
                self._serve(connection)
            elif each == self._door:
                accepted, _ = self._listening.accept()
                self._host[accepted.fileno()] = self._keep(accepted)
            else:
                said = self._client[each].recv(4096)
                if not said.startswith(_GOOD):
                    raise MeshsimError(f"Envoy answered {said[:80]!r}")
                yield each

    def _serve(self, connection: socket.socket) -> None:
        """Answer a request, which Envoy sends whole and alone."""
        if connection.recv(4096):
            connection.send(ANSWER)
        else:
            self._poll.unregister(connection.fileno())
            del self._host[connection.fileno()]
            connection.close()

    def close(self) -> None:
        """Close everything."""
        for each in (*self._host.values(), *self._client.values(), self._listening):
            each.close()
        self._poll.close()


def _check_patience(seconds: float) -> None:
    if seconds > PATIENCE_S:
        raise MeshsimError(f"Envoy did not answer for {PATIENCE_S:.0f} s")


@contextlib.contextmanager
def _no_collector() -> Iterator[None]:
    """Let nothing stop the loop."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
