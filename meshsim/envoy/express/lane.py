"""A lane: requests of one shape that come to one listener on one worker."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from meshsim.abi.context import Context
from meshsim.envoy.account import Account
from meshsim.envoy.config.http import Router
from meshsim.envoy.express.course import CARRIED_ID, Doing, Node, Over, Sent
from meshsim.envoy.express.passage import Caller, Passage
from meshsim.envoy.express.rehearsal import Rehearsal
from meshsim.envoy.express.seat import NOBODY
from meshsim.envoy.listener import Listener
from meshsim.envoy.manager import Manager
from meshsim.envoy.thread_host import ThreadHost
from meshsim.envoy.thread_plugin import ThreadPlugin
from meshsim.envoy.wire import Part

if TYPE_CHECKING:
    from meshsim.envoy.express.network import Express
    from meshsim.envoy.server import Server

_TRIAL, _WORTH = 64, 8
"""After so many passages that strayed, a lane is given up when more than one in so many does."""

_NODES = 4096
"""When a tree has more nodes than this, it is forgotten, and another one grows: a run's memory has a bound."""


class Lane:
    """Requests of one shape that come to a listener on a worker.

    Raises
    ------
    NotTheSame
        Such requests cannot be known beforehand.
    """

    def __init__(
        self,
        envoy: Server,
        express: Express,
        listener: Listener,
        worker: ThreadHost,
        request: Sequence[Part],
        *,
        http2: bool,
    ) -> None:
        (manager,) = listener.chain
        assert isinstance(manager, Manager)
        self.envoy = envoy
        self.express = express
        self.listener = listener
        self.manager = manager
        self.worker = worker
        self.thread = worker.thread
        self.clusters, self.hops = worker.clusters, envoy.hops
        self.request = tuple(request)
        self._http2 = http2
        router = manager.uses[-1][0].typed_config
        #: Whether a response says how long its host took.
        self.tells_time = not (isinstance(router, Router) and router.suppress_envoy_headers)
        self._made = 0
        #: The nodes that count, and those of the tree before this one, where requests may still be under way.
        self._counting: list[Node] = []
        self._counted_before: list[Node] = []
        first = self._rehearse([])
        self.root = self._node(first)
        envoy.process.stats.add_source(self._counted)
        self._uses = first.uses
        self.plugins: list[ThreadPlugin] = []
        costs = envoy.process.costs
        self.draw_id = envoy.request_ids.draw if first.draws_id else None
        self.epoch_ns = envoy.process.epoch_ns
        self.entry_ns = costs.request_ns + len(first.uses) * costs.filter_ns
        self.served = 0
        self.strayed = 0
        self.hopeless = False
        # What Thread.post_at does for a time that is not past.
        self._at, self._due = self.thread.kernel.at, self.thread.due
        self._spare: list[Context] = []
        self._waiting: deque[tuple[int, Passage]] = deque()
        self._watched = False

    @property
    def open(self) -> bool:
        """Whether requests should take it: its modules work, and few passages have strayed."""
        if self.hopeless or (self.strayed > _TRIAL and self.strayed * _WORTH > self.served):
            return False
        for plugin in self.plugins:
            if plugin.vm.wasm.fail_state or plugin.replaced:
                return self._plugins_work()
        return len(self.plugins) == len(self._uses) or self._plugins_work()

    def _plugins_work(self) -> bool:
        """Look for the plugins anew: one that has failed may have been replaced."""
        plugins = [self.worker.plugin(use.spec) for use in self._uses]
        self.plugins = [plugin for plugin in plugins if plugin is not None and not _is_out_of_order(plugin)]
        return len(self.plugins) == len(self._uses)

    def enter(
        self, caller: Caller, time_ns: int, carried: bytes = CARRIED_ID, account: Account | None = None
    ) -> Passage:
        """Let a request arrive, with the id that it carries from another lane; ``account`` is charged for it."""
        passage = Passage(self, caller, time_ns, carried, account)
        self._at(time_ns, self._due, passage.begin)
        return passage

    # -- contexts, where there is one module only ---

    @property
    def can_ride(self) -> bool:
        """Whether the lane's passages can take rides: there is one module, and its host functions are in Wasm."""
        return len(self.plugins) == 1 and self.plugins[0].wasm.shim is not None

    def take_context(self) -> Context:
        """Give a context for a new stream, one that is over where there is any."""
        (plugin,) = self.plugins
        while self._spare:
            context = self._spare.pop()
            if context.wasm is plugin.wasm:
                plugin.streams += 1
                plugin.wasm.readmit(context)
                return context
        return plugin.add_context(NOBODY)

    def give_back(self, context: Context) -> None:
        """Take the context of a stream that is over and of which nothing is left."""
        del context.wasm.contexts[context.id]
        self._spare.append(context)
        self.plugins[0].release()

    # -- the course ---

    def follow(self, node: Node, key: object, doing: Doing) -> Node:
        """Return what follows a doing, rehearsed when it is met for the first time.

        Raises
        ------
        NotTheSame
            What follows is not a matter of the doings alone.
        """
        found = node.then.get(key)
        if found is None:
            self.strayed += 1
            if self._made > _NODES:
                self._forget()
            found = node.then[key] = self._node(self._rehearse([*node.doings(), doing]), node, doing)
        node.usual = found
        return found

    def _rehearse(self, doings: Sequence[Doing]) -> Rehearsal:
        return Rehearsal(self.envoy, self.listener, self.request, doings, http2=self._http2)

    def _node(self, rehearsal: Rehearsal, before: Node | None = None, doing: Doing | None = None) -> Node:
        node = Node(rehearsal.next_moment(), before, doing)
        self._made += 1
        if isinstance(node.moment, Sent | Over):
            self._counting.append(node)
        return node

    def _forget(self) -> None:
        """Begin with a new tree; what has been counted on the old one is not lost."""
        self.envoy.process.stats.collect()
        self._counted_before, self._counting, self._made = self._counting, [], 0
        self.root = self._node(self._rehearse([]))

    def _counted(self) -> dict[str, int]:
        """What the lane's requests have counted since the last time."""
        counted: Counter[str] = Counter()
        for node in (*self._counting, *self._counted_before):
            if node.passed:
                passed, node.passed = node.passed, 0
                assert isinstance(node.moment, Sent | Over)
                earlier = next((past.counted for past, _ in node.way() if isinstance(past, Sent)), {})
                for name, count in node.moment.counted.items():
                    counted[name] += passed * (count - earlier.get(name, 0))
        return counted

    # -- waiting for answers ---

    def watch(self, passage: Passage, until_ns: int) -> None:
        """Have a passage leave the lane when it has no answer in time; of one lane, all wait equally long."""
        self._waiting.append((until_ns, passage))
        if not self._watched:
            self._watched = True
            self.thread.post_at(self._look, until_ns)

    def unwatch(self) -> None:
        """Forget those in front whose answers have come."""
        waiting = self._waiting
        while waiting and not waiting[0][1].waits:
            waiting.popleft()

    def _look(self) -> None:
        self.unwatch()
        if self._waiting and self._waiting[0][0] <= self.thread.now_ns:
            self._waiting.popleft()[1].give_up()
            self.unwatch()
        else:  # a timer that was taken back wakes nobody
            self.thread.rewind(self.thread.kernel.now_ns)
        self._watched = bool(self._waiting)
        if self._watched:
            self.thread.post_at(self._look, self._waiting[0][0])


def _is_out_of_order(plugin: ThreadPlugin) -> bool:
    return bool(plugin.wasm.fail_state) or plugin.replaced
