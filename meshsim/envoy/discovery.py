"""HTTP filters that are discovered in files, and what becomes of streams when such a file changes.

Theory of operation, as seen in Envoy 1.40. The main thread tries the new plugin (base VM, canary) and makes its own;
then each worker makes one, and gives it to the streams that begin from then on. When all have it, the old plugin is
done, on each thread with the last of its streams; with its last plugin a VM goes, and with the last clone the base
VM. A configuration that is refused, or that says what is there already, changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from meshsim.envoy.config.bootstrap import Extension
from meshsim.envoy.config.http import HttpFilter
from meshsim.envoy.config.sources import Sources
from meshsim.envoy.filters.native import NativeUse
from meshsim.envoy.plugin_spec import PluginSpec
from meshsim.envoy.plugin_use import PluginUse

if TYPE_CHECKING:
    from meshsim.envoy.thread_host import ThreadHost

HttpUses = list[tuple[HttpFilter, PluginUse | NativeUse | None]]


@dataclass(frozen=True, slots=True)
class Discovered:
    """What a file holds: extensions by name, and the files and variables that these name."""

    path: str
    extensions: Mapping[str, Extension]
    sources: Sources


@dataclass(slots=True)
class Discovery:
    """The places of discovered filters in filter chains."""

    places: list[tuple[HttpUses, int]] = field(default_factory=list)

    def update(
        self,
        path: str,
        load: Callable[[HttpFilter], PluginUse | None],
        main: ThreadHost,
        workers: list[ThreadHost],
    ) -> None:
        """On the main thread: take what a file holds now; ``load`` makes a place's plugin there."""
        for uses, place in self.places:
            http_filter, use = uses[place]
            if http_filter.config_discovery is None or http_filter.config_discovery.path != path:
                continue
            fresh = load(http_filter)
            assert use is None or isinstance(use, PluginUse)
            if fresh is None or (use is not None and fresh.spec.plugin.key == use.spec.plugin.key):
                continue
            self._hand_out(_Change(uses, place, use, fresh.spec), main, workers)

    def _hand_out(self, change: _Change, main: ThreadHost, workers: list[ThreadHost]) -> None:
        waiting = list(workers)

        def on_worker(worker: ThreadHost) -> None:
            worker.plugin(change.spec)
            change.take(worker)
            main.thread.post(partial(taken, worker))

        def taken(worker: ThreadHost) -> None:
            waiting.remove(worker)
            if not waiting:
                self._retire(change, [main, *workers])

        for worker in workers:
            worker.thread.post_at(partial(on_worker, worker), main.thread.now_ns)

    def _retire(self, change: _Change, hosts: list[ThreadHost]) -> None:
        """All threads have the new plugin: the old one is not wanted any more, unless another place has it too."""
        old = change.finish()
        if old is None or any(use.spec.plugin.key == old.plugin.key for use in self._uses()):
            return
        for host in hosts:
            host.thread.post_at(partial(host.retire, old), hosts[0].thread.now_ns)

    def _uses(self) -> list[PluginUse]:
        return [use for uses, place in self.places if isinstance(use := uses[place][1], PluginUse)]


@dataclass(slots=True)
class _Change:
    """One place's change from a plugin, or from none, to another."""

    uses: HttpUses
    place: int
    use: PluginUse | None
    spec: PluginSpec

    def take(self, worker: ThreadHost) -> None:
        """Let a worker's next streams have the new plugin."""
        if self.use is not None:
            self.use.specs[worker] = self.spec

    def finish(self) -> PluginSpec | None:
        """Let everybody have the new plugin; return the old one."""
        old = self.use.spec if self.use else None
        self.uses[self.place] = self.uses[self.place][0], PluginUse(self.spec)
        return old
