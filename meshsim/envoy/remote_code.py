"""Remote code: modules that are fetched while Envoy starts.

Theory of operation (seen in Envoy 1.40). A module's bytes are known by their checksum in a cache of the process. A
plugin whose code is not there is left out at first; the code is fetched before the workers begin, by the main thread
and through a cluster like any other. What comes is loaded as if it had been local; without it every thread has no
instance of the plugin, and the policy for plugins that cannot run decides about each stream. A plugin that must not
wait (``nack_on_code_cache_miss``) is refused at once, and the code is fetched for the next time.

Two plugins that want the same code each fetch it, and the second one is said to have failed before it succeeds: so
does Envoy (its issue 25052).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from random import Random
from urllib.parse import urlsplit

from meshsim.abi.callouts import HttpAnswer
from meshsim.abi.constants import LogLevel
from meshsim.envoy.callouts import HttpCallout
from meshsim.envoy.config.core import RemoteDataSource, RetryPolicy
from meshsim.envoy.headers import HeaderMap, Kind
from meshsim.envoy.plugin_spec import PluginSpec
from meshsim.envoy.plugins import PluginRefused
from meshsim.envoy.thread_host import ThreadHost
from meshsim.errors import NotModelled

_UNSTABLE = "Wasm remote code fetch is unstable and may cause a crash"
#: A fetch that has brought nothing is not repeated for so long.
_NEGATIVE_NS = 10_000_000_000
#: Code that nobody wants is kept for so long.
_KEPT_NS = 24 * 3600 * 10**9
_BASE_NS = 1_000_000_000
#: The longest wait between two tries, in first waits.
_LONGEST = 10
_DEFAULT_RETRIES = 1


@dataclass(slots=True)
class _Entry:
    """What is known of the code with one checksum; ``begun_ns`` is when it was last fetched, ``used_ns`` wanted."""

    begun_ns: int
    used_ns: int
    code: bytes = b""
    in_progress: bool = True


class RemoteCode:
    """The code of one Envoy's plugins that is fetched.

    Parameters
    ----------
    main : ThreadHost
        The main thread.
    """

    def __init__(self, main: ThreadHost) -> None:
        self._main = main
        self._stats = main.process.stats
        self._cache: dict[str, _Entry] = {}
        self._pending: list[Callable[[Callable[[], None]], None]] = []
        self._left = 0
        self._has_begun = False

    def want(
        self, made: Callable[[bytes], PluginSpec], source: RemoteDataSource, *, nack: bool, everywhere: bool
    ) -> PluginSpec:
        """Load a plugin when its code is here, and have it fetched otherwise.

        Parameters
        ----------
        made : callable
            Makes the plugin's configuration out of its code: the code belongs to the VM's key only when it is here.
        nack : bool
            Refuse the plugin when its code is not here.
        everywhere : bool
            Whether the workers get it.

        Raises
        ------
        PluginRefused
            Envoy does not take the plugin.
        NotModelled
            A plugin that can wait for its code is discovered when Envoy has started.
        """
        self._main.report(LogLevel.WARN, _UNSTABLE)
        self._evict(source.sha256)
        entry = self._cache.get(source.sha256)
        spec = made(entry.code if entry else b"")
        if entry is not None and entry.code and not entry.in_progress:
            entry.used_ns = self._main.thread.now_ns
            self._count("cache_hits")
            self._main.process.plugins.load(spec, self._main, everywhere=everywhere)
            return spec
        self._look_again(entry, spec, source)
        self._cache[source.sha256] = _Entry(self._main.thread.now_ns, self._main.thread.now_ns)
        self._count_entries()
        if nack:
            self._fetch(source, 0, lambda code: self._keep(source, code))
            self._say(LogLevel.TRACE, "Failed to load Wasm code (fetching)", source)
            self._report_missing(spec)
            raise PluginRefused(spec.plugin.name)
        if self._has_begun:
            raise NotModelled("remote code of a filter that is discovered when Envoy has started")
        self._main.process.plugins.staying.add(spec.plugin.key)
        self._pending.append(lambda done: self._fetch_for(spec, source, everywhere, done))
        return spec

    def fetch(self, then: Callable[[], None]) -> None:
        """Fetch all that is wanted, as a task of the main thread; call ``then`` when nothing is under way any more."""
        self._has_begun = True
        pending, self._pending = self._pending, []
        self._left += len(pending)
        if not pending:
            then()
            return

        def over() -> None:
            self._left -= 1
            if not self._left:
                then()

        for fetch in pending:
            fetch(over)

    def _evict(self, wanted: str) -> None:
        """Forget code that nobody has wanted for long; not that which is wanted now."""
        oldest_ns = self._main.thread.now_ns - _KEPT_NS
        for checksum in [key for key, entry in self._cache.items() if key != wanted and entry.used_ns < oldest_ns]:
            del self._cache[checksum]
        self._count_entries()

    def _look_again(self, entry: _Entry | None, spec: PluginSpec, source: RemoteDataSource) -> None:
        """Say why there is no code yet; Envoy takes that for the end of it, and then fetches all the same."""
        if entry is None or entry.in_progress:
            self._count("cache_misses")
        if entry is None:
            return
        if entry.in_progress:
            self._say(LogLevel.WARN, "createWasm: failed to load (in progress)", source)
            self._report_missing(spec)
        if self._main.thread.now_ns - entry.begun_ns < _NEGATIVE_NS:
            self._count("cache_negative_hits")
            self._say(LogLevel.WARN, "createWasm: failed to load (cached)", source)
            self._report_missing(spec)

    # -- one plugin's code ---

    def _fetch_for(
        self, spec: PluginSpec, source: RemoteDataSource, everywhere: bool, done: Callable[[], None]
    ) -> None:
        def take(code: bytes) -> None:
            self._keep(source, code)
            if code:
                self._load(replace(spec, code=code), everywhere=everywhere)
            else:
                self._say(LogLevel.TRACE, "Failed to load Wasm code (fetch failed)", source)
                self._report_missing(spec)
                self._main.process.plugins.go_without(spec)
            done()

        retries = source.retry_policy.num_retries if source.retry_policy else None
        self._fetch(source, _DEFAULT_RETRIES if retries is None else retries, take)

    def _load(self, spec: PluginSpec, *, everywhere: bool) -> None:
        plugins = self._main.process.plugins
        try:
            plugins.load(spec, self._main, everywhere=everywhere)
        except PluginRefused:  # too late to refuse the configuration
            plugins.go_without(spec)

    def _keep(self, source: RemoteDataSource, code: bytes) -> None:
        entry = self._cache[source.sha256]
        entry.in_progress, entry.code = False, code
        self._count("fetch_successes" if code else "fetch_failures")

    def _fetch(self, source: RemoteDataSource, retries: int, take: Callable[[bytes], None]) -> None:
        host = self._main
        Fetch(host, source, retries, host.process.random("remote-code"), take).begin()

    # -- words and numbers ---

    def _say(self, level: LogLevel, what: str, source: RemoteDataSource) -> None:
        self._main.report(level, f"{what} from {source.http_uri.uri if source.http_uri else ''}")

    def _report_missing(self, spec: PluginSpec) -> None:
        self._main.report(LogLevel.CRITICAL, f"Plugin {spec.plugin.name} failed to load")
        self._main.report_closed(spec)

    def _count(self, what: str) -> None:
        self._stats.scope("wasm").add(f"remote_load_{what}")

    def _count_entries(self) -> None:
        self._stats.set("wasm.remote_load_cache_entries", len(self._cache))


class Fetch:
    """One fetch, with its retries; ``take`` gets what has come, nothing when that is not what was wanted.

    The wait before a retry is a random part of a bound that doubles each time.
    """

    def __init__(
        self, host: ThreadHost, source: RemoteDataSource, retries: int, random: Random, take: Callable[[bytes], None]
    ) -> None:
        self._host = host
        self._source = source
        self._retries = retries
        self._random = random
        self._take = take
        self._bound_ns, self._longest_ns = _waits(source.retry_policy)

    def begin(self) -> None:
        """Send the request."""
        uri = self._source.http_uri
        cluster = self._host.clusters.get(uri.cluster or "") if uri else None
        if uri is None or cluster is None:
            self._heard(None)
            return
        where = urlsplit(uri.uri)
        path = (where.path or "/") + (f"?{where.query}" if where.query else "")
        pairs = ((b":path", path), (b":authority", where.netloc), (b":method", "GET"))
        headers = HeaderMap(((name, value.encode()) for name, value in pairs), Kind.REQUEST)
        HttpCallout(cluster, headers, lambda: self._host.thread.now_ns, self._heard).send(b"", uri.timeout or 0)

    def _heard(self, answer: HttpAnswer | None) -> None:
        code = answer.body if answer is not None and answer.headers.get(b":status") == b"200" else b""
        if code and sha256(code).hexdigest() == self._source.sha256:
            self._take(code)
        elif self._retries:
            self._retries -= 1
            wait_ns = self._random.randrange(self._bound_ns)
            self._bound_ns = min(2 * self._bound_ns, self._longest_ns)
            self._host.thread.post(self.begin, wait_ns)
        else:
            self._take(b"")


def _waits(policy: RetryPolicy | None) -> tuple[int, int]:
    """The bound of the first wait, and of the longest, in ns."""
    strategy = policy.retry_back_off if policy else None
    base_ns = (strategy.base_interval if strategy else None) or _BASE_NS
    longest_ns = (strategy.max_interval if strategy else None) or _LONGEST * base_ns
    return base_ns, max(base_ns, longest_ns)
