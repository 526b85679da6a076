"""A passage: one request on a lane.

It walks the tree of :mod:`meshsim.envoy.express.course`. At each moment the modules run, what they leave is looked
up, and the next moment is there. Where there is one module only, it rides as long as it does what was expected;
otherwise the passage goes on foot (:mod:`meshsim.envoy.express.foot`). Whatever is more than a doing makes it leave
(:mod:`meshsim.envoy.express.leaving`).

A hundred thousand passages a second are wanted: what most of them never have belongs to the class until they have it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from meshsim.abi.constants import HeaderMapType
from meshsim.abi.context import Context
from meshsim.abi.shim.drivers import FINISH, Ran
from meshsim.abi.shim.ride import Ride
from meshsim.envoy.account import Account
from meshsim.envoy.address import Address
from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.cluster import Cluster
from meshsim.envoy.connection import ServerConnection
from meshsim.envoy.express.course import (
    CARRIED_ID,
    REQUEST_ID,
    Answer,
    Doing,
    Further,
    Ids,
    Node,
    Onward,
    Over,
    Piece,
    Sent,
    Shown,
    Written,
    carry_on,
    has_mark,
    status_of,
)
from meshsim.envoy.express.deeds import GO_ON, RETURNED, deeds_of
from meshsim.envoy.express.foot import Foot
from meshsim.envoy.express.leaving import Leaving
from meshsim.envoy.express.rehearsal import NotTheSame
from meshsim.envoy.express.seat import NOBODY, Action, Seat, of_log
from meshsim.envoy.express.track import FAMILIAR, Track, lay_track
from meshsim.envoy.headers import HeaderMap, Kind
from meshsim.envoy.pool import Pool
from meshsim.envoy.threads import Thread
from meshsim.envoy.wire import Part, Socket, size_of

if TYPE_CHECKING:
    from meshsim.envoy.express.lane import Lane

_LOGGED = {HeaderMapType.REQUEST_HEADERS: Kind.REQUEST, HeaderMapType.RESPONSE_HEADERS: Kind.RESPONSE}
_MS: Final = 1_000_000
_S: Final = 1_000_000_000
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
    """One request on a lane, which arrives at ``start_ns``; as a client of the next one it is a :class:`Caller` too.

    ``times`` are the worker's clock behind each moment, from the beginning to ``node``.
    """

    node: Node
    times: list[int]
    #: The connection upstream, and where it belongs; ``waits``: its answer has not come.
    socket: Socket | None = None
    pool: Pool | None = None
    cluster: Cluster | None = None
    address: Address | None = None
    waits = False
    answer: list[Part] | None = None
    #: The request's passage on the lane behind that connection.
    further: Further | None
    #: Where there is one module only: its context, which needs no seat as long as all goes as expected.
    context: Context | None = None
    foot: Foot | None = None
    #: The one that the request has come on, from the beginning on.
    _connection: ServerConnection
    _track: Track | None = None
    _leaving: Leaving | None = None
    _derailed = False

    def __init__(self, lane: Lane, caller: Caller, start_ns: int, carried: bytes, account: Account | None) -> None:
        self.lane = lane
        self.caller = caller
        self.start_ns = start_ns
        self.ids = Ids(REQUEST_ID, carried)
        self.account = account
        self.further = None

    def begin(self) -> None:
        """Arrive: a task of the worker."""
        lane = self.lane
        connection = self._connection = self.caller.connection
        thread = lane.thread
        now_ns = thread.now_ns
        if self.account is not None:
            self.account.wait_ns += now_ns - self.start_ns
        if self._derailed or not (connection.is_idle and lane.open):
            self.caller.left()
            connection.on_read(self.request())
            return
        lane.served += 1
        self.node, self.times, self.start_ns = lane.root, [], now_ns
        if lane.draw_id is not None:
            self.ids.own = lane.draw_id()
        thread.spent_ns += lane.entry_ns
        if lane.can_ride:
            self.context = lane.take_context()
        elif lane.plugins:
            self.foot = Foot(self)
            self.foot.seats = [Seat(plugin, self, self.foot, plugin.add_context(NOBODY)) for plugin in lane.plugins]
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
        foot = self._get_down()
        return foot.show(moment) and self._pass(moment, foot)

    def _pass(self, moment: Shown, foot: Foot) -> bool:
        doing = foot.left(moment)
        if self._follow(None if doing is moment.content else doing, doing):
            return True
        self.leave(GO_ON[moment.piece]).between()
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
        context, node = self.context, self.node
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
        context, ride = self.context, track.ride
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
        if self.foot is None:
            self.dismount(place)
        foot = self._get_down()
        (seat,) = foot.seats
        context = seat.context
        seat.creating, context.created = False, True
        created_only = place < len(ride.driver.callbacks) - ride.length
        if created_only:
            context.wasm.settle()
            action: Action = RETURNED
        else:
            action = seat.concluded(ran.second)
        if not foot.returned(action):
            return False
        moment = self.node.moment
        assert isinstance(moment, Shown)
        if created_only:
            return self._go_on_foot(moment)
        foot.gone = 1
        if action is not GO_ON[moment.piece]:
            self.leave(action).between()
            return False
        return self._pass(moment, foot)

    def dismount(self, over: int) -> HeaderMap | BodyBuffer | None:
        """Come up with what a callback is being shown; ``over`` others have run before it. See :class:`Rider`."""
        foot, track = self._get_down(), self._track
        seat = foot.seats[0]
        if isinstance(self.node.moment, Over):
            seat.in_access_log, foot.gone = over == 0, over
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
        moment = self.node.moment
        assert isinstance(moment, Shown)
        seat.piece, foot.shown_to = moment.piece, seat
        foot.take_up(moment)
        return foot.headers or foot.body

    def _get_down(self) -> Foot:
        """Go on foot from now on."""
        if self.foot is None:
            self.foot = Foot(self)
            if self.context is not None:
                self.foot.seats = [Seat(self.lane.plugins[0], self, self.foot, self.context)]
        return self.foot

    # -- upstream ---

    def _send(self, sent: Sent) -> None:
        lane = self.lane
        cluster = lane.clusters[sent.cluster]
        address, breakers = cluster.turn(sent.address), cluster.breakers
        pool = cluster.pool(address) if address is not None else None
        is_room = pool is not None and (breakers is None or breakers.requests.is_left())
        socket = pool.take_idle() if pool is not None and is_room else None
        if address is None or pool is None or socket is None:
            cluster.pinned = address
            self.leave(RETURNED).between()
            return
        assert socket.peer
        self.pool, self.socket, self.waits = pool, socket, True
        self._connection.has_passage = True
        self.cluster, self.address = cluster, address
        if cluster.active is not None:
            cluster.active[address] += 1
        if breakers is not None:
            breakers.requests.take()
        socket.reader = self
        socket.charge(self.account)
        self.node.passed += 1
        if sent.patience_ns:
            lane.watch(self, self._asked_ns + sent.patience_ns)
        thread = socket.peer.thread
        onward = self.node.onward.get((pool, thread))
        if onward is None:
            onward = self.node.onward[pool, thread] = self._look_onward(sent, address, thread)
        if onward.lane is not None and onward.lane.open:
            carried = self.ids.own if onward.carries_own else self.ids.carried
            time_ns = socket.arrival_ns(lane.thread.now_ns, onward.size_bytes)
            self.further = onward.lane.enter(self, time_ns, carried, self.account)
        else:
            socket.write_all(self.ids.put_into_parts(sent.parts))

    def _look_onward(self, sent: Sent, address: Address, thread: Thread) -> Onward:
        """Find the lane behind a connection, on which there is one id of a former lane and no other."""
        own, carried = has_mark(sent.parts, REQUEST_ID), has_mark(sent.parts, CARRIED_ID)
        http2 = self.lane.clusters[sent.cluster].http2
        lane = (
            None if own and carried else self.lane.express.lane_at(address, thread, carry_on(sent.parts), http2=http2)
        )
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
        self.hear(passage.response(), end_ns, over.size_bytes)

    def hear(self, parts: list[Part], sent_ns: int, size_bytes: int) -> None:
        """Take an answer that leaves the other end of the connection at ``sent_ns``."""
        assert self.socket
        assert self.socket.peer
        self.further = None  # which knows this one: together they would wait for the garbage collector
        time_ns = self.socket.peer.arrival_ns(sent_ns, size_bytes)
        self.lane.thread.post_at(lambda: self._arrived(parts, time_ns), time_ns)

    def _arrived(self, parts: list[Part], time_ns: int) -> None:
        if self.account is not None:
            self.account.wait_ns += self.lane.thread.now_ns - time_ns
        self.on_read(parts)

    def left(self) -> None:
        """Expect the answer on the connection, as ever."""

    def on_read(self, parts: list[Part]) -> None:
        """Take the answer: a task of the worker."""
        assert self.socket
        leaving = self._leaving
        if leaving is not None:  # it had gone before the host could know
            if self.socket.reader is not None and not self.socket.closed:
                self.socket.reader.on_read(parts)
            return
        thread, cluster = self.lane.thread, self.cluster
        assert cluster
        thread.spent_ns += cluster.answer_ns
        now_ns = thread.now_ns
        self._heard()
        self.answer = parts
        if self.pool is not None:
            self.pool.promise()
        if self._take_answer(parts, now_ns):
            self._walk()
        else:
            self.leave(RETURNED).between()
        outliers = cluster.outliers
        if outliers is not None and self._leaving is None and self.address is not None:
            outliers.report(self.address, status_of(parts), now_ns)  # else the stream model has done it

    def _take_answer(self, parts: list[Part], now_ns: int) -> bool:
        """Go to the moment behind an answer; False as for :meth:`_follow`."""
        node = self.node
        elapsed_ms = (now_ns - self._asked_ns) // _MS if self.lane.tells_time else 0
        known = node.answers.get((id(parts), elapsed_ms))
        if known is not None and known[0] is parts:
            self.node, self.ids.date = known[1], known[2]
            self.times.append(now_ns)
            return True
        answer = Answer(self.ids.take_date(parts), elapsed_ms)
        if not self._follow(answer, answer):
            return False
        if len(node.answers) == _ANSWERS:
            node.answers.clear()
        node.answers[id(parts), elapsed_ms] = parts, self.node, self.ids.date
        return True

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
        self.leave(RETURNED).between()

    def derail(self) -> None:
        """Leave as soon as possible: what comes to the connection matters from now on."""
        self._derailed = True
        if self.waits:
            self.give_up()

    def _heard(self) -> None:
        self.waits = self._connection.has_passage = False
        if self.cluster is not None and self.address is not None:
            if self.cluster.active is not None:
                self.cluster.active[self.address] -= 1
            if self.cluster.breakers is not None:
                self.cluster.breakers.requests.give()
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
        lane.hops.add_like(over.hop, self.start_ns, end_ns - self.start_ns)
        self.caller.answered(self, over, lane.thread.now_ns)

    def _end_modules(self) -> bool:
        """Let every module log, then end its context; False when the passage has left its lane."""
        foot = self.foot
        if foot is not None:
            foot.gone = 0
        elif self.context is None or self._finish(self.context):
            return True
        else:
            foot = self._get_down()
        return not self.goes_on_elsewhere(RETURNED) and foot.end(RETURNED)

    def _finish(self, context: Context) -> bool:
        """End the only module's context in one crossing; False when that did not go all the way."""
        wasm = context.wasm
        if wasm.fail_state:
            return False
        ran = wasm.quick.finish(context, self)
        if ran is None:
            self.lane.give_back(context)
            return True
        wasm.settle()
        foot = self._get_down()
        foot.seats[0].in_access_log = False
        if self._leaving is None:
            foot.gone = ran.over + ran.trapped
            if foot.gone == len(FINISH.callbacks):
                wasm.contexts.pop(context.id, None)
        return False

    def response(self) -> list[Part]:
        """What the client gets, with the date of its sending."""
        node, lane = self.node, self.lane
        over = node.moment
        assert isinstance(over, Over)
        sent_ns = self._head_ns()
        second = (lane.epoch_ns + sent_ns) // _S
        written = node.written
        if written is not None and written.second == second and written.date == self.ids.date:
            return written.parts
        parts = self.ids.put_into_parts(over.parts, lane.envoy.date(sent_ns))
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
        self.leave(None).within()

    def leave(self, action: Action | None) -> Leaving:
        """Leave behind a callback that has returned ``action``, or in the middle of one that has not."""
        self.lane.strayed += 1
        self._get_down()
        self._leaving = Leaving(self, deeds_of(self, action))
        return self._leaving

    def goes_on_elsewhere(self, action: Action) -> bool:
        """Whether the passage has left in the middle of a callback, which has now returned ``action``."""
        if self._leaving is None:
            return False
        self._leaving.returned(action)
        return True
