"""Connections of a pool: who gets which, and when one is closed."""

from __future__ import annotations

from meshsim.envoy.pool import Pool
from meshsim.envoy.threads import Thread
from meshsim.envoy.wire import Socket
from meshsim.sim import Kernel


class Asker:
    def __init__(self) -> None:
        self.socket: Socket | None = None

    def connected(self, socket: Socket) -> None:
        self.socket = socket

    def refused(self) -> None:
        raise AssertionError


class World:
    """A pool whose connections are made at once."""

    def __init__(self, max_requests: int = 0) -> None:
        self.kernel = Kernel()
        self.made: list[Socket] = []
        near, far = Thread("near", self.kernel), Thread("far", self.kernel)

        def connect() -> Socket:
            self.made.append(Socket.pair(near, far)[0])
            return self.made[-1]

        self.pool = Pool(near, connect, max_requests)

    def serve(self) -> Socket:
        asker = Asker()
        self.pool.get(asker)
        self.kernel.run()
        assert asker.socket is not None
        self.pool.release(asker.socket)
        return asker.socket


def test_a_connection_is_used_again() -> None:
    world = World()
    assert {id(world.serve()) for _ in range(5)} == {id(world.made[0])}


def test_a_connection_serves_so_many_requests_and_no_more() -> None:
    world = World(max_requests=2)
    sockets = [world.serve() for _ in range(5)]
    assert sockets == [world.made[0]] * 2 + [world.made[1]] * 2 + [world.made[2]]
    assert [socket.closed for socket in world.made] == [True, True, False]
