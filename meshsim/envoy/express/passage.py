"""A passage: one request on a lane.

It walks the tree of :mod:`meshsim.envoy.express.course`. At each moment the modules run, what they leave is looked
up, and the next moment is there. Whatever is more than a doing makes it leave (:mod:`meshsim.envoy.express.leaving`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from meshsim.abi.constants import HeaderMapType
from meshsim.abi.context import Context
from meshsim.abi.shim.drivers import FINISH, Ran
from meshsim.abi.shim.ride import Ride
from meshsim.envoy.account import Account
from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.cluster import Cluster
from meshsim.envoy.connection import ServerConnection
from meshsim.envoy.express.course import (
    CARRIED_ID,
    REQUEST_ID,
    Answer,
    Content,
    Doing,
    Further,
    Ids,
    Onward,
    Over,
    Piece,
    Sent,
    Shown,
    Written,
    carry_on,
    has_mark,
)
from meshsim.envoy.express.deeds import GO_ON, RETURNED, deeds_of
from meshsim.envoy.express.leaving import Leaving
from meshsim.envoy.express.rehearsal import NotTheSame
from meshsim.envoy.express.seat import NOBODY, Action, Seat, of_log
from meshsim.envoy.express.track import FAMILIAR, Track, lay_track
from meshsim.envoy.headers import HeaderMap, Kind
from meshsim.envoy.pool import Pool
from meshsim.envoy.threads import Thread
from meshsim.envoy.upstream import Address
from meshsim.envoy.wire import Part, Socket, size_of

if TYPE_CHECKING:
    from meshsim.envoy.express.lane import Lane

_LOGGED = {HeaderMapType.REQUEST_HEADERS: Kind.REQUEST, HeaderMapType.RESPONSE_HEADERS: Kind.RESPONSE}
_MS = 1_000_000
#: So many answers are known by their very lists, before all are forgotten.
_ANSWERS = 64


class Caller(Protocol):
    """Who sends the requests of a lane."""

    @property
    def connection(self) -> ServerConnection:
        """The proxy's end of the connection that the request has come on."""

    def answered(self, passage: Passage, over: Over, end_ns: int) -> None:
        """The response has left the proxy."""

    def left(self) -> None:
        """The answer will come on the connection instead."""


class Passage:
    """One request on a lane; as a client of the next one it is a :class:`Caller` too."""

    __slots__ = (
        "_context",
        "_derailed",
        "_leaving",
        "_track",
        "account",
        "address",
        "answer",
        "body",
        "caller",
        "changed",
        "cluster",
        "further",
        "gone",
        "headers",
        "ids",
        "lane",
        "node",
        "pool",
        "seats",
        "shown_to",
        "socket",
        "start_ns",
        "times",
        "waits",
    )

    def __init__(self, lane: Lane, caller: Caller, carried: bytes, account: Account | None) -> None:
        self.lane = lane
        self.caller = caller
        self.account = account
        self.ids = Ids(0, carried)
        self.headers: HeaderMap | None = None
        self.body: BodyBuffer | None = None
        self.changed = False
        self.seats: list[Seat] = []
        #: Whose module is being shown headers or body.
        self.shown_to: Seat | None = None
        self.start_ns = 0
        #: The connection upstream, and where it belongs; ``waits``: its answer has not come.
        self.socket: Socket | None = None
        self.pool: Pool | None = None
        self.cluster: Cluster | None = None
        self.address: Address | None = None
        self.waits = False
        self.answer: list[Part] | None = None
        #: The request's passage on the lane behind that connection.
        self.further: Further | None = None
        self.node = lane.root
        #: The worker's clock behind each moment.
        self.times: list[int] = []
        #: How many callbacks of the present moment, or of the stream's end, have returned.
        self.gone = 0
        self._leaving: Leaving | None = None
        self._derailed = False
        #: Where there is one module only: its context, which needs no seat as long as all goes as expected.
        self._context: Context | None = None
        self._track: Track | None = None

    def begin(self) -> None:
        """Arrive: a task of the worker."""
        lane, connection = self.lane, self.caller.connection
        thread = lane.thread
        if self.account is not None:
            self.account.wait_ns += thread.now_ns - self.start_ns
        if self._derailed or not (connection.is_idle and lane.open):
            self.caller.left()
            connection.on_read(self.request())
            return
        lane.served += 1
        self.start_ns = thread.now_ns
        self.ids = Ids(lane.envoy.draw_request_id(), self.ids.carried)
        thread.spent_ns += lane.entry_ns
        if lane.can_ride:
            self._context = lane.take_context()
        else:
            self.seats = [Seat(plugin, self, plugin.add_context(NOBODY)) for plugin in lane.plugins]
        self._walk()

    def request(self) -> list[Part]:
        """What the client has written."""
        return self.ids.put_into_parts(self.lane.request)

    def _walk(self) -> None:
        """Go from moment to moment, as far as a turn of the worker's loop goes."""
        while isinstance(moment := self.node.moment, Shown):
            track = self._track_here()
            if not (self._go_on_foot(moment) if track is None else self._ride(track)):
                return
        if isinstance(moment, Sent):
            self._send(moment)
        else:
            self._end(moment)

    def _go_on_foot(self, moment: Shown) -> bool:
        """Go to the next moment; False when the passage has left its lane."""
        if not self.seats:
            self._sit_down()
        return self._show(moment) and self._pass(moment)

    def _pass(self, moment: Shown) -> bool:
        doing = self._left(moment)
        if self._follow(None if doing is moment.content else doing, doing):
            return True
        self._leave(GO_ON[moment.piece]).between()
        return False

    def _follow(self, key: object, doing: Doing) -> bool:
        """Go to the moment behind a doing; False when nobody can know which that is."""
        try:
            self.node = self.lane.follow(self.node, key, doing)
        except NotTheSame:
            self.lane.hopeless = True
            return False
        self.times.append(self.lane.thread.now_ns)
        return True

    # -- rides: as long as the only module does what was expected ---

    def _track_here(self) -> Track | None:
        """The track that begins at the present moment, laid when that is familiar."""
        context, node = self._context, self.node
        if context is None:
            return None
        track, shim = node.track, context.wasm.shim
        if shim is None:
            return None
        if track is None or track.shim is not shim:
            if node.shown < FAMILIAR:
                node.shown += 1
                return None
            track = node.track = lay_track(context.wasm, node, creates=not context.created)
        return track if track.ride is not None else None

    def _ride(self, track: Track) -> bool:
        """Take a ride; False when the passage has left its lane."""
        context, ride = self._context, track.ride
        assert context is not None
        assert ride is not None
        track.rides += 1
        self._track = track
        ran = context.wasm.quick.ride(context, ride, self.ids, self)
        if ran is None:
            context.created = True
            self.node = track.nodes[-1]
            self.times += [self.lane.thread.now_ns] * ride.length
            return True
        goes_on = self._get_off(ran, ride)
        track.missed()
        return goes_on

    def _get_off(self, ran: Ran, ride: Ride) -> bool:
        """Go on behind the callback with which a ride has ended; False when the passage has left its lane."""
        place = ran.over - (not ran.trapped)
        if not self.seats:
            self.dismount(place)
        seat, context = self.seats[0], self.seats[0].context
        seat.creating, context.created = False, True
        created_only = place < len(ride.driver.callbacks) - ride.length
        if created_only:
            context.wasm.settle()
            action: Action = RETURNED
        else:
            action = seat.concluded(ran.second)
        self.shown_to = None
        if self._leaving is not None:
            self._leaving.returned(action)
            return False
        moment = self.node.moment
        assert isinstance(moment, Shown)
        if created_only:
            return self._go_on_foot(moment)
        self.gone = 1
        if action is not GO_ON[moment.piece]:
            self._leave(action).between()
            return False
        return self._pass(moment)

    def dismount(self, over: int) -> HeaderMap | BodyBuffer | None:
        """Come up with what a callback is being shown; ``over`` others have run before it. See :class:`Rider`."""
        self._sit_down()
        seat, track = self.seats[0], self._track
        if isinstance(self.node.moment, Over):
            seat.in_access_log, self.gone = over == 0, over
            return None
        assert track is not None
        assert track.ride is not None
        place = over - (len(track.ride.driver.callbacks) - track.ride.length)
        if place < 0:
            seat.creating = True
            return None
        seat.context.created = True
        self.times += [self.lane.thread.now_ns] * place
        self.node = track.nodes[place]
        self.changed, self.gone = False, 0
        moment = self.node.moment
        assert isinstance(moment, Shown)
        seat.piece, self.shown_to = moment.piece, seat
        self._take_up(moment)
        return self.headers or self.body

    def _sit_down(self) -> None:
        if not self.seats:
            assert self._context is not None
            self.seats = [Seat(self.lane.plugins[0], self, self._context)]

    # -- the modules ---

    def order(self, piece: Piece) -> Sequence[Seat]:
        """In which order modules see a piece."""
        return self.seats if piece.of_request else self.seats[::-1]

    def _show(self, moment: Shown) -> bool:
        """Let every module see a piece; False when the passage has left its lane."""
        self.changed, self.gone = False, 0
        self._take_up(moment)
        go_on = GO_ON[moment.piece]
        for seat in self.order(moment.piece):
            action = seat.show(moment)
            self.shown_to = None
            if self._leaving is not None:
                self._leaving.returned(action)
                return False
            self.gone += 1
            if action is not go_on:
                self._leave(action).between()
                return False
        return True

    def _take_up(self, moment: Shown) -> None:
        """Make of a piece what a module can change."""
        self.headers = self.body = None
        if isinstance(moment.content, bytes):
            self.body = BodyBuffer(bytearray(moment.content))
        else:
            self.headers = HeaderMap(kind=moment.piece.kind)
            self.headers.assign(self.ids.put_into(moment.content))

    def _left(self, moment: Shown) -> Content:
        """Return what the modules have left of a piece: the very content where that is the same."""
        if not self.changed:
            return moment.content
        after = self.content_now()
        return moment.content if after == moment.content else after

    def content_now(self) -> Content:
        """What the piece has become that is being shown, with marks for ids."""
        if self.headers is not None:
            return self.ids.take_from(self.headers.pairs())
        return bytes(self.body.data) if self.body is not None else b""

    # -- upstream ---

    def _send(self, sent: Sent) -> None:
        lane = self.lane
        cluster = lane.worker.clusters[sent.cluster]
        address = cluster.turn() or sent.address
        pool = cluster.pool(address)
        socket = pool.take_idle()
        if socket is None:
            cluster.pinned = address
            self._leave(RETURNED).between()
            return
        assert socket.peer
        self.pool, self.socket, self.waits = pool, socket, True
        self.caller.connection.has_passage = True
        self.cluster, self.address = cluster, address
        socket.reader = self
        socket.charge(self.account)
        self.node.passed += 1
        if sent.patience_ns:
            lane.watch(self, self._asked_ns + sent.patience_ns)
        there = address, socket.peer.thread
        onward = self.node.onward.get(there)
        if onward is None:
            onward = self.node.onward[there] = self._look_onward(sent, *there)
        if onward.lane is not None and onward.lane.open:
            carried = self.ids.own if onward.carries_own else self.ids.carried
            time_ns = socket.arrival_ns(lane.thread.now_ns, onward.size_bytes)
            self.further = onward.lane.enter(self, time_ns, carried, self.account)
        else:
            socket.write_all(self.ids.put_into_parts(sent.parts))

    def _look_onward(self, sent: Sent, address: Address, thread: Thread) -> Onward:
        """Find the lane behind a connection, on which there is one id of a former lane and no other."""
        own, carried = has_mark(sent.parts, REQUEST_ID), has_mark(sent.parts, CARRIED_ID)
        lane = None if own and carried else self.lane.express.lane_at(address, thread, carry_on(sent.parts))
        return Onward(lane, own, size_of(sent.parts))

    @property
    def _asked_ns(self) -> int:
        """When the request was complete that goes upstream: behind the moment before."""
        return self.times[-1] if self.times else self.start_ns + self.lane.entry_ns

    @property
    def connection(self) -> ServerConnection:
        """The next proxy's end of the connection upstream."""
        assert self.socket
        assert self.socket.peer
        reader = self.socket.peer.reader
        assert isinstance(reader, ServerConnection)
        return reader

    def answered(self, passage: Passage, over: Over, end_ns: int) -> None:
        """Take the answer of the next lane, a little later."""
        self.hear(passage.response(), end_ns, passage.size_bytes)

    def hear(self, parts: list[Part], sent_ns: int, size_bytes: int) -> None:
        """Take an answer that leaves the other end of the connection at ``sent_ns``."""
        assert self.socket
        assert self.socket.peer
        time_ns = self.socket.peer.arrival_ns(sent_ns, size_bytes)
        self.lane.thread.post_at(lambda: self._arrived(parts, time_ns), time_ns)

    def _arrived(self, parts: list[Part], time_ns: int) -> None:
        if self.account is not None:
            self.account.wait_ns += self.lane.thread.now_ns - time_ns
        self.on_read(parts)

    @property
    def size_bytes(self) -> int:
        """How long the response is."""
        over = self.node.moment
        assert isinstance(over, Over)
        return over.size_bytes
        self.further = None  # which knows this one: together they would wait for the garbage collector

    def left(self) -> None:
        """Expect the answer on the connection, as ever."""

    def on_read(self, parts: list[Part]) -> None:
        """Take the answer: a task of the worker."""
        assert self.socket
        if self._leaving is not None:  # it had gone before the host could know
            if self.socket.reader is not None and not self.socket.closed:
                self.socket.reader.on_read(parts)
            return
        lane, node = self.lane, self.node
        elapsed_ms = (lane.thread.now_ns - self._asked_ns) // _MS if lane.tells_time else 0
        self._heard()
        self.answer = parts
        if self.pool is not None:
            self.pool.promise()
        known = node.answers.get((id(parts), elapsed_ms))
        if known is not None and known[0] is parts:
            self.node, self.ids.date = known[1], known[2]
            self.times.append(lane.thread.now_ns)
            self._walk()
            return
        answer = Answer(self.ids.take_date(parts), elapsed_ms)
        if self._follow(answer, answer):
            if len(node.answers) == _ANSWERS:
                node.answers.clear()
            node.answers[id(parts), elapsed_ms] = parts, self.node, self.ids.date
            self._walk()
        else:
            self._leave(RETURNED).between()

    def on_close(self) -> None:
        """Leave: the host has closed instead of answering."""
        assert self.socket
        self.socket.closed = False  # it was open when the request went out, which is done again
        self.give_up()
        self.socket.closed = True
        if self.socket.reader is not None:
            self.socket.reader.on_close()

    def give_up(self) -> None:
        """Leave, because the answer has not come in time, or because who has asked has left."""
        self._heard()
        if self.further is not None:
            self.further.derail()
        self._leave(RETURNED).between()

    def derail(self) -> None:
        """Leave as soon as possible: what comes to the connection matters from now on."""
        self._derailed = True
        if self.waits:
            self.give_up()

    def _heard(self) -> None:
        self.waits = self.caller.connection.has_passage = False
        self.lane.unwatch()

    # -- the end ---

    def _end(self, over: Over) -> None:
        lane = self.lane
        end_ns = lane.thread.now_ns
        if not self._end_modules():
            return
        if self.pool is not None and self.socket is not None:
            self.pool.release(self.socket)
        self.node.passed += 1
        if self.account is not None and over.hop.flags:
            self.account.flags = over.hop.flags
        lane.envoy.hops.add_like(over.hop, self.start_ns, end_ns - self.start_ns)
        self.caller.answered(self, over, lane.thread.now_ns)

    def _end_modules(self) -> bool:
        """Let every module log, then end its context; False when the passage has left its lane."""
        self.gone = 0
        if self._context is not None and not self.seats and self._finish(self._context):
            return True
        if self._leaving is not None:
            self._leaving.returned(RETURNED)
            return False
        steps = [seat.log for seat in self.seats]
        for seat in self.seats:
            steps += seat.done, seat.delete
        for step in steps[self.gone :]:
            step()
            if self._leaving is not None:
                self._leaving.returned(RETURNED)
                return False
            self.gone += 1
        for seat in self.seats:
            seat.plugin.release()
        return True

    def _finish(self, context: Context) -> bool:
        """End the only module's context in one crossing; False when that did not go all the way."""
        wasm = context.wasm
        if wasm.fail_state:
            self._sit_down()
            return False
        ran = wasm.quick.finish(context, self)
        if ran is None:
            self.lane.give_back(context)
            return True
        wasm.settle()
        self._sit_down()
        self.seats[0].in_access_log = False
        if self._leaving is None:
            self.gone = ran.over + ran.trapped
            if self.gone == len(FINISH.callbacks):
                wasm.contexts.pop(context.id, None)
        return False

    def response(self) -> list[Part]:
        """What the client gets, with the date of its sending."""
        node, envoy = self.node, self.lane.envoy
        over = node.moment
        assert isinstance(over, Over)
        sent_ns = self._head_ns()
        second = envoy.second(sent_ns)
        written = node.written
        if written is not None and written.second == second and written.date == self.ids.date:
            return written.parts
        parts = self.ids.put_into_parts(over.parts, envoy.date(sent_ns))
        if not has_mark(over.parts, REQUEST_ID) and not has_mark(over.parts, CARRIED_ID):
            node.written = Written(second, self.ids.date, parts)
        return parts

    def _head_ns(self) -> int:
        """When the response's head was written: behind the modules that saw it, or, with none, behind what was last."""
        node, place = self.node, len(self.times)
        while node.before is not None:
            moment = node.before.moment
            if not isinstance(moment, Shown) or moment.piece <= Piece.RESPONSE_HEADERS:
                return self.times[place - 1]
            node, place = node.before, place - 1
        return self.start_ns + self.lane.entry_ns

    def logged_map(self, kind: HeaderMapType) -> HeaderMap | None:
        """What the stream had, while its modules log."""
        assert isinstance(self.node.moment, Over)
        pairs = of_log(self.node.moment, kind)
        if pairs is None:
            return None
        headers = HeaderMap(kind=_LOGGED.get(kind, Kind.TRAILERS))
        headers.assign(self.ids.put_into(pairs))
        return headers

    # -- leaving ---

    def leave_within(self) -> None:
        """Leave in the middle of the present callback, whose context will have a filter of the stream model then."""
        self._leave(None).within()

    def _leave(self, action: Action | None) -> Leaving:
        self.lane.strayed += 1
        if self._context is not None:
            self._sit_down()
        self._leaving = Leaving(self, deeds_of(self, action))
        return self._leaving
