"""How an Envoy starts, takes changes of its configuration, and ends.

The main thread loads everything, fetches what is elsewhere, and listens; then the workers make what they need, each on
its own clock, and take the connections that have come meanwhile. The main thread waits for all of them, as Envoy's does
(``ListenerManagerImpl::startWorkers``): what its VMs have asked for, ticks among it, comes behind.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from meshsim.envoy.assembly import Assembly, Enough
from meshsim.envoy.collector import paused_collector
from meshsim.envoy.config.refusal import ConfigRefused
from meshsim.envoy.discovery import Discovered
from meshsim.envoy.plugins import FilterRefused
from meshsim.envoy.server import Server
from meshsim.envoy.thread_host import ThreadHost
from meshsim.envoy.threads import Task, Thread


class Lifecycle:
    """The life of one server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._starting = 0

    def start(self) -> None:
        """Load everything on the main thread, then start the workers; raise :class:`ConfigRefused` as Envoy would."""
        with paused_collector():
            self._start()

    def _start(self) -> None:
        ended: list[ConfigRefused | None] = []
        self.launch(lambda: ended.append(None), ended.append)
        while not ended and self._server.kernel.step():
            pass
        for refused in filter(None, ended):
            raise refused

    def launch(self, ready: Callable[[], None], refused: Callable[[ConfigRefused], None] | None = None) -> None:
        """Begin to start, and let the clock's owner run it; ``ready`` is called when the last worker has started.

        When Envoy refuses the configuration, ``refused`` is called instead.

        Raises
        ------
        ConfigRefused
            From the kernel's run: Envoy refuses the configuration, and there is no ``refused``.
        """
        self._starting = len(self._server.workers)
        main = self._server.main.thread

        def started(worker: ThreadHost) -> None:
            worker.thread.post(over)

        def over() -> None:
            self._starting -= 1
            if not self._starting:
                main.go_on()
                ready()

        def load() -> None:
            try:
                self._load_on_main(None)
            except ConfigRefused as error:
                if refused is None:
                    raise
                refused(error)
            else:
                self._server.remote_code.fetch(start_workers)

        def start_workers() -> None:
            self._server.start_listening()
            for worker in self._server.workers:
                worker.thread.post_at(partial(self._start_worker, worker, started), main.now_ns)
            main.halt()

        main.post(load)

    def _start_worker(self, worker: ThreadHost, done: Callable[[ThreadHost], None]) -> None:
        worker.load_plugins()
        done(worker)

    @property
    def is_ready(self) -> bool:
        """Whether every worker takes connections."""
        return self._server.is_listening and not self._starting

    def load_plugins(self, count: int | None = None) -> None:
        """Load listeners and their plugins on the main thread; only the first ``count`` plugins when it is given."""
        refused: list[ConfigRefused] = []

        def load() -> None:
            try:
                self._load_on_main(count)
            except ConfigRefused as error:
                refused.append(error)

        self._run_to_its_end(self._server.main.thread, load)
        if refused:
            raise refused[0]

    def _load_on_main(self, count: int | None) -> None:
        """Load as a task of the main thread."""
        server = self._server
        clusters = server.clusters.configs.items()
        server.process.cluster_hosts = {name: len(list(config.endpoints())) for name, config in clusters}
        try:
            Assembly(server, count).run()
        except Enough:
            pass
        except FilterRefused as error:
            failures = server.process.failures
            raise ConfigRefused(str(error), cause=failures[-1].error if failures else None) from None

    def discover_again(self, found: Discovered) -> None:
        """Take what a file with extensions holds from now on; streams that are under way keep what they have."""
        server = self._server
        bootstrap = server.bootstrap
        server.bootstrap = bootstrap.model_copy(
            update={
                "sources": bootstrap.sources.joined(found.sources),
                "discovered": {**bootstrap.discovered, found.path: found.extensions},
            }
        )
        load = Assembly(server).discover
        server.main.thread.post(lambda: server.discovery.update(found.path, load, server.main, server.workers))

    def shut_down(self) -> None:
        """End in order: the workers, then the main thread, then the base VMs."""
        main, plugins = self._server.main, self._server.process.plugins
        for host in (*self._server.workers, main):
            self._run_to_its_end(host.thread, host.shut_down)
        self._run_to_its_end(main.thread, lambda: plugins.drop_bases(main))

    def _run_to_its_end(self, thread: Thread, task: Task) -> None:
        """Run a task on a thread, after all that the thread is busy with or has waiting."""
        over = False

        def run() -> None:
            nonlocal over
            task()
            over = True

        thread.post(run)
        while not over:
            self._server.kernel.run(thread.idle_from_ns)
