"""The open loop against a stand-in for Envoy: for each request a thread asks the host, and passes its answer on."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from itertools import pairwise

import pytest

from meshsim.errors import MeshsimError
from meshsim.reference.traffic import ANSWER, FAR, Traffic

REFUSED = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"


def pass_on(client: socket.socket, host: int | None, asked: list[bytes]) -> None:
    """Serve one connection until it is closed; without a host, refuse."""
    with client, contextlib.ExitStack() as closing:
        upstream = closing.enter_context(socket.create_connection(("127.0.0.1", host))) if host else None
        while request := client.recv(4096):
            asked.append(request)
            if upstream is not None:
                upstream.sendall(request)
            client.sendall(upstream.recv(4096) if upstream else REFUSED)


@contextlib.contextmanager
def stand_in(host: int | None, asked: list[bytes]) -> Iterator[int]:
    """Listen like Envoy; give the port."""
    threads: list[threading.Thread] = []

    def listen(listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listening.accept()
                threads.append(threading.Thread(target=pass_on, args=(client, host, asked)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listener = threading.Thread(target=listen, args=(listening,))
        listener.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            listener.join()
    for each in threads:
        each.join()


def test_each_request_that_is_due_is_answered_by_the_host() -> None:
    asked: list[bytes] = []
    with contextlib.closing(Traffic()) as traffic, stand_in(traffic.port, asked) as port:
        latencies = traffic.offer(traffic.connect(port, 4), [0, 0, 1_000_000, 1_500_000, 2_000_000, 2_000_000])
        traffic.close()
    assert asked == [FAR] * 6
    assert len(latencies) == 6
    assert min(latencies) > 0


def test_a_request_that_has_to_wait_for_a_connection_waits_in_its_latency() -> None:
    with contextlib.closing(Traffic()) as traffic, stand_in(traffic.port, []) as port:
        latencies = traffic.offer(traffic.connect(port, 1), [0] * 20)
        traffic.close()
    assert all(earlier < later for earlier, later in pairwise(latencies))


def test_a_closed_loop_counts_what_is_answered() -> None:
    asked: list[bytes] = []
    with contextlib.closing(Traffic()) as traffic, stand_in(traffic.port, asked) as port:
        answered = traffic.saturate(traffic.connect(port, 3), 0.01)
        traffic.close()
    assert answered == len(asked) >= 3


def test_a_user_thinks_between_an_answer_and_the_next_request() -> None:
    asked: list[bytes] = []
    with contextlib.closing(Traffic()) as traffic, stand_in(traffic.port, asked) as port:
        latencies, took_ns = traffic.use(traffic.connect(port, 2), 0.05, lambda: 5_000_000)
        traffic.close()
    assert len(latencies) == len(asked) >= 2
    assert took_ns >= 50_000_000
    assert len(asked) <= 2 * took_ns // 5_000_000


def test_another_answer_than_200_ends_it() -> None:
    with contextlib.closing(Traffic()) as traffic, stand_in(None, []) as port:
        connections = traffic.connect(port, 1)
        with pytest.raises(MeshsimError, match="503"):
            traffic.offer(connections, [0])
        traffic.close()


def test_the_host_says_how_long_its_answer_is() -> None:
    head, body = ANSWER.split(b"\r\n\r\n")
    assert head.endswith(f"content-length: {len(body)}".encode())
