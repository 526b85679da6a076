"""A request through the stream model, with the doings of modules and upstreams given instead of found out.

The model is the very one that requests go through otherwise: an Envoy of the same bootstrap, in a world of its own,
where a *gate* stands for the Wasm filters. Nothing is left out and nothing is written twice; so what is learnt here
is what the model does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, NoReturn

from meshsim.abi.constants import DataAction, HeadersAction, TrailersAction
from meshsim.envoy.address import Address
from meshsim.envoy.balancing import ByLot, Host, InTurn, LeastBusy
from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.cluster import Cluster
from meshsim.envoy.express.course import DATE, REQUEST_ID, Answer, Content, Doing, Moment, Over, Piece, Sent, Shown
from meshsim.envoy.filters.base import HttpFilter
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.hops import Hop
from meshsim.envoy.listener import Listener
from meshsim.envoy.manager import Manager, WasmFilterMaker
from meshsim.envoy.plugin_use import PluginUse
from meshsim.envoy.routing import Match
from meshsim.envoy.stream import Stream
from meshsim.envoy.stream_info import StreamInfo
from meshsim.envoy.thread_host import ThreadHost
from meshsim.envoy.threads import Thread
from meshsim.envoy.wire import LOOPBACK_NS, Part, Socket, size_of
from meshsim.sim import Level, Streams

if TYPE_CHECKING:
    from meshsim.envoy.server import Server

_MS = 1_000_000
_SERVED_WITHIN_NS = 3_600_000_000_000


class NotTheSame(Exception):
    """The course of this request is not a matter of its doings alone."""


class Rehearsal:
    """One way of a request, as far as the given doings lead.

    Parameters
    ----------
    envoy : Server
        Whose bootstrap it is; nothing of it is changed.
    listener : Listener
        Where the request comes in; its only network filter is a connection manager.
    request : sequence of Part
        What a client writes.
    doings : sequence of Doing
        What happened at each moment so far; then modules leave everything as it is.
    http2 : bool
        Whether the client writes in HTTP/2.
    """

    def __init__(
        self, envoy: Server, listener: Listener, request: Sequence[Part], doings: Sequence[Doing], *, http2: bool
    ) -> None:
        from meshsim.envoy.proxy import Envoy

        class Stage(Envoy):
            """An Envoy whose dates and request ids are marks."""

            def new_request_id(self) -> bytes:
                rehearsal.draws_id = True
                return REQUEST_ID

            def http_date(self, thread: Thread) -> Callable[[], bytes]:
                return lambda: DATE

        rehearsal = self
        #: Whether the request gets an id.
        self.draws_id = False
        self.moments: list[Moment] = []
        #: When each moment came: by the worker's clock, and in which turn of its loop.
        self._times: list[int] = []
        self._turns: list[int] = []
        self.uses: list[PluginUse] = []
        self.stream: Stream | None = None
        self._doings = doings
        self._stage = stage = Stage(envoy.bootstrap, level=Level.REQUESTS, costs=envoy.process.costs)
        self._hops = _Hops(stage)
        stage.process.use_streams(_NoChance())
        stage.process.cluster_hosts = envoy.process.cluster_hosts
        for cluster in stage.workers[0].clusters.values():
            _leave_to_passages(cluster)
        stage.network = {
            address: _Host(self, address) for cluster in stage.workers[0].clusters.values() for address in cluster.hosts
        }
        stage.start_listening()
        self._written: list[Part] = []
        self._last: tuple[HeaderMap, HeaderMap | None, HeaderMap | None] = HeaderMap(), None, None
        self._run(listener, request, http2=http2)

    def _run(self, listener: Listener, request: Sequence[Part], *, http2: bool) -> None:
        stage, (manager,) = self._stage, listener.chain
        assert isinstance(manager, Manager)
        worker = stage.workers[0]
        gated = _GatedManager(
            stage, manager.listener, manager.config, manager.uses, manager.loggers, manager.address, self
        )
        near, far = Socket.pair(Thread("client", stage.kernel), worker.thread, http2=http2)
        near.reader = self
        gated.serve(worker, far, lambda: self._facts(manager, worker))
        near.write_all(list(request))
        stage.kernel.run(_SERVED_WITHIN_NS)

    @staticmethod
    def _facts(manager: Manager, worker: ThreadHost) -> StreamInfo:
        return StreamInfo(worker.thread.now_ns, ("127.0.0.1", 40_001), manager.address, 1, manager.listener)

    # -- the client's side ---

    def on_read(self, parts: list[Part]) -> None:
        """Take what the client gets."""
        self._written += parts

    def on_close(self) -> None:
        """Refuse a response that ends the connection: the next request would need another."""
        raise NotTheSame("the connection is closed")

    # -- what happens ---

    def doing(self) -> Doing | None:
        """Return what happened at the moment that has just come; None when it is not known."""
        place = len(self.moments) - 1
        return self._doings[place] if place < len(self._doings) else None

    def _note(self, moment: Moment) -> None:
        self.moments.append(moment)
        self._times.append(self._stage.workers[0].thread.now_ns)
        self._turns.append(self._stage.kernel.now_ns)

    def shown(self, piece: Piece, content: Content, end: bool) -> Content:
        """Note that the modules are shown something; return what they leave of it."""
        self._note(Shown(piece, content, end))
        doing = self.doing()
        return content if doing is None or isinstance(doing, Answer) else doing

    def sent(self, address: Address, parts: Sequence[Part]) -> Answer | None:
        """Note that a request leaves; return the answer."""
        self._note(Sent(self._cluster(), address, tuple(parts), self._stage.process.stats.values(), 0))
        doing = self.doing()
        return doing if isinstance(doing, Answer) else None

    def _cluster(self) -> str:
        """Return where the request goes, if it always goes there."""
        assert self.stream
        name = (self.stream.route and self.stream.route.cluster) or ""
        cluster = self._stage.workers[0].clusters[name]
        if cluster.max_requests:
            raise NotTheSame("connections take turns")
        if len(cluster.hosts) > 1 and not self._are_alike(cluster):
            raise NotTheSame("the course depends on the host")
        return name

    def _are_alike(self, cluster: Cluster) -> bool:
        """Whether a cluster's hosts are chosen without a hash, and nothing but the address tells one from another."""
        names = {self._stage.clusters.host_name(cluster.name, address) for address in cluster.hosts}
        return isinstance(cluster.balancer, InTurn) and names == {""}

    def over(self, request: HeaderMap, response: HeaderMap | None, trailers: HeaderMap | None) -> None:
        """Note what the modules will be able to log."""
        self._last = request.copy(), response and response.copy(), trailers and trailers.copy()

    def next_moment(self) -> Moment:
        """Return the moment behind those whose doings are given."""
        known = len(self._doings)
        self._check_turns(known)
        if len(self.moments) > known:
            moment = self.moments[known]
            return self._with_patience(moment, known) if isinstance(moment, Sent) else moment
        rows = self._stage.recorder.table(Hop)
        if len(rows) != 1:
            raise NotTheSame("the stream does not end")
        request, response, trailers = self._last
        counted = self._stage.process.stats.values()
        return Over(
            tuple(self._written),
            counted,
            rows.row(0),
            tuple(request.pairs()),
            tuple(response.pairs()) if response else (),
            tuple(trailers.pairs()) if trailers else None,
            size_of(self._written),
        )

    def _check_turns(self, place: int) -> None:
        """Refuse a moment that comes in another turn than the one before, but for the answer that it waited for."""
        turns = [LOOPBACK_NS, *self._turns, self._hops.turn_ns]
        waited = place > 0 and isinstance(self.moments[place - 1], Sent)
        here = isinstance(self.moments[place], Sent) if place < len(self.moments) else False
        if here and any(isinstance(moment, Sent) for moment in self.moments[:place]):
            raise NotTheSame("it is tried again")
        if turns[place] != turns[place + 1] and not waited and not here:
            raise NotTheSame("it takes time")

    def _with_patience(self, sent: Sent, place: int) -> Sent:
        """Say how long an answer is waited for: nobody answers here, so what comes next comes of waiting."""
        costs = self._stage.process.costs
        entered_ns = LOOPBACK_NS + costs.request_ns + len(self.uses) * costs.filter_ns
        since = self._times[place - 1] if place else entered_ns
        then = [*self._times[place + 1 : place + 2], *self._hops.ends]
        return replace(sent, patience_ns=then[0] - since) if then else sent


def _leave_to_passages(cluster: Cluster) -> None:
    """Let the first host be asked, whatever else is asked or was: each passage looks at that for itself."""
    cluster.breakers = cluster.outliers = None
    if isinstance(cluster.balancer, ByLot | LeastBusy):
        cluster.balancer = InTurn([Host(address, "") for address in cluster.hosts])


class _Hops:
    """Knows in which turn the stream has ended."""

    def __init__(self, stage: Server) -> None:
        self._kernel = stage.kernel
        self.turn_ns = -1
        #: When each stream has ended, by the worker's clock.
        self.ends: list[int] = []
        stage.hops.onlooker = self._ended

    def _ended(self, hop: Hop) -> None:
        self.ends.append(hop.start_ns + hop.took_ns)
        self.turn_ns = self._kernel.now_ns


class _NoChance(Streams):
    """Random numbers that nobody may draw: what depends on one is not the same every time."""

    def __init__(self) -> None:
        super().__init__(0)
        self._refusing = _Refusing()

    def stream(self, name: str) -> Random:
        return self._refusing


class _Refusing(Random):
    def random(self) -> NoReturn:
        raise NotTheSame("it is left to chance")

    def getrandbits(self, k: int, /) -> NoReturn:
        raise NotTheSame("it is left to chance")


@dataclass(eq=False, slots=True)
class _GatedManager(Manager):
    """A connection manager with a gate in place of its Wasm filters, and a watch before."""

    rehearsal: Rehearsal

    def filters(self, host: ThreadHost, match: Match | None, wasm_filter: WasmFilterMaker) -> list[HttpFilter]:
        # Not super(): a dataclass with slots is another class than the one that the body belongs to.
        return [_Watch(self.rehearsal), *Manager.filters(self, host, match, self._gate)]

    def _gate(self, use: PluginUse, host: ThreadHost) -> HttpFilter | None:
        self.rehearsal.uses.append(use)
        return Gate(self.rehearsal) if len(self.rehearsal.uses) == 1 else None


class _Watch(HttpFilter):
    """Sees where the request goes and how it ends."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self._rehearsal = rehearsal

    def decode_headers(self, headers: HeaderMap, end: bool) -> HeadersAction:
        """Take the stream."""
        self._rehearsal.stream = self.stream
        return HeadersAction.CONTINUE

    def log(self) -> None:
        """Take what the modules will be able to log."""
        stream = self.stream
        self._rehearsal.over(stream.request_headers, stream.response_headers, stream.response_trailers)


class Gate(HttpFilter):
    """Stands for all Wasm filters of a chain, which lie next to each other."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self._rehearsal = rehearsal

    def decode_headers(self, headers: HeaderMap, end: bool) -> HeadersAction:
        """Show the request's headers; a change has the route chosen anew."""
        if self._show_map(Piece.REQUEST_HEADERS, headers, end):
            self.stream.clear_route_cache()
        return HeadersAction.CONTINUE

    def decode_data(self, data: BodyBuffer, end: bool) -> DataAction:
        """Show a piece of the request's body."""
        return self._show_data(Piece.REQUEST_DATA, data, end)

    def decode_trailers(self, trailers: HeaderMap) -> TrailersAction:
        """Show the request's trailers."""
        self._show_map(Piece.REQUEST_TRAILERS, trailers, True)
        return TrailersAction.CONTINUE

    def encode_headers(self, headers: HeaderMap, end: bool) -> HeadersAction:
        """Show the response's headers."""
        self._show_map(Piece.RESPONSE_HEADERS, headers, end)
        return HeadersAction.CONTINUE

    def encode_data(self, data: BodyBuffer, end: bool) -> DataAction:
        """Show a piece of the response's body."""
        return self._show_data(Piece.RESPONSE_DATA, data, end)

    def encode_trailers(self, trailers: HeaderMap) -> TrailersAction:
        """Show the response's trailers."""
        self._show_map(Piece.RESPONSE_TRAILERS, trailers, True)
        return TrailersAction.CONTINUE

    def _show_map(self, piece: Piece, headers: HeaderMap, end: bool) -> bool:
        before = tuple(headers.pairs())
        after = self._rehearsal.shown(piece, before, end)
        if after is before:
            return False
        assert isinstance(after, tuple)
        headers.assign(after)
        return True

    def _show_data(self, piece: Piece, data: BodyBuffer, end: bool) -> DataAction:
        after = self._rehearsal.shown(piece, bytes(data.data), end)
        assert isinstance(after, bytes)
        data.data[:] = after
        return DataAction.CONTINUE


@dataclass(eq=False, slots=True)
class _Host:
    """Stands at an upstream's address."""

    rehearsal: Rehearsal
    address: Address

    def accept(self, client: Thread, *, http2: bool = False) -> Socket:
        near, far = Socket.pair(client, Thread("upstream", client.kernel), http2=http2)
        far.reader = _Exchange(self, far)
        return near


@dataclass(eq=False, slots=True)
class _Exchange:
    """A connection to an upstream, which is asked once."""

    host: _Host
    socket: Socket
    answered: bool = False

    def on_read(self, parts: list[Part]) -> None:
        answer = self.host.rehearsal.sent(self.host.address, parts)
        if answer is not None:
            self.answered = True
            self.socket.thread.post(lambda: self.socket.write_all(list(answer.parts)), answer.elapsed_ms * _MS)

    def on_close(self) -> None:
        if self.answered:
            raise NotTheSame("the connection upstream is closed")
