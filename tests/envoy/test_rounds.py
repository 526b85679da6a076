"""What a thread writes to itself in one task, and in which order it reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from meshsim.envoy.pool import Pool
from meshsim.envoy.rounds import Rounds
from meshsim.envoy.threads import Thread
from meshsim.envoy.wire import LOOPBACK_NS, Data, Part, Socket
from meshsim.sim import Kernel


@dataclass
class Reader:
    """Writes down what comes, and answers it with its own name."""

    world: World
    name: str
    socket: Socket

    def on_read(self, parts: list[Part]) -> None:
        self.world.read.append((self.name, self.world.thread.now_ns))
        self.socket.write(Data(self.name.encode()))

    def on_close(self) -> None:
        """Nothing is expected."""


@dataclass
class Asker:
    """Asks on the connection that it gets, and writes down when it is answered."""

    world: World
    name: str

    def connected(self, socket: Socket) -> None:
        socket.reader = self
        socket.write(Data(self.name.encode()))

    def refused(self) -> None:
        raise AssertionError

    overflowed = refused

    def on_read(self, parts: list[Part]) -> None:
        self.world.answered.append((self.name, self.world.thread.now_ns))

    on_close = refused


@dataclass
class World:
    """One thread that talks to itself, with so many timers besides its loop's own two."""

    timers: int = 0
    kernel: Kernel = field(default_factory=Kernel)
    read: list[tuple[str, int]] = field(default_factory=list)
    answered: list[tuple[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.thread = Thread("worker_0", self.kernel)
        self.thread.rounds = Rounds(self.thread)
        for _ in range(self.timers):
            self.thread.rounds.arm(10**12)

    def connect(self, name: str) -> Socket:
        near, far = Socket.pair(self.thread, self.thread)
        far.reader = Reader(self, name, far)
        return near

    def run(self, task: Callable[[], None]) -> None:
        self.thread.post(task)
        self.kernel.run()

    def ask(self, *names: str) -> None:
        """Ask on connections that are there, all in one task."""

        def task() -> None:
            for name in names:
                Asker(self, name).connected(self.connect(name))

        self.run(task)


def names(seen: list[tuple[str, int]]) -> str:
    return "".join(name for name, _ in seen)


@pytest.mark.parametrize(("timers", "order"), [(0, "acb"), (1, "acb"), (2, "acb"), (3, "abc"), (4, "abc")])
def test_three_writes_leave_in_the_order_of_the_heap(timers: int, order: str) -> None:
    world = World(timers)
    world.ask("a", "b", "c")
    assert names(world.read) == order


def test_answers_of_one_round_are_read_in_one_round() -> None:
    world = World()
    world.ask("a", "b", "c")
    assert [time_ns for _, time_ns in world.read] == [LOOPBACK_NS] * 3
    assert [time_ns for _, time_ns in world.answered] == [2 * LOOPBACK_NS] * 3
    assert names(world.answered) == "abc"  # by the heap again: a, c, b were asked in this order


def test_a_new_connection_writes_before_those_that_are_there() -> None:
    world = World()
    pool = Pool(world.thread, lambda: world.connect("new"))

    def task() -> None:
        Asker(world, "old").connected(world.connect("old"))
        pool.get(Asker(world, "new"))

    world.run(task)
    assert names(world.read) == "newold"


def test_a_connection_that_ends_writes_before_others() -> None:
    world = World()

    def task() -> None:
        near = {name: world.connect(name) for name in "abc"}
        for socket in near.values():
            socket.write(Data(b"x"))
        near["c"].close()

    world.run(task)
    assert names(world.read)[0] == "c"


def test_a_write_alone_takes_its_time_as_ever() -> None:
    world = World()
    world.ask("a")
    assert world.read == [("a", LOOPBACK_NS)]
    assert world.answered == [("a", 2 * LOOPBACK_NS)]


def test_timers_that_nobody_waits_for_take_no_time_and_go() -> None:
    world = World()
    rounds = world.thread.rounds
    assert rounds is not None
    timer = rounds.arm(5)
    rounds.disarm(timer)
    rounds.disarm(timer)
    assert not world.kernel.step()
