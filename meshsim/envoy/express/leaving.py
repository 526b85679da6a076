"""Back to the stream model, from anywhere on a lane.

The model runs again over what the passage has been through. It finds the same modules, but what these have done
already is told, not done again: a *told context* answers for the module until the telling is over, and from then on
lets it speak for itself. So the model arrives at the very point where the passage is, with all that it knows of a
stream there, and goes on as if it had been there all the time.

A module can ask for the stream in the middle of a callback. Then the model runs on a strand of its own up to that
callback, and waits there until the callback has returned.

A passage that has had its answer from upstream did the first part in an earlier turn of the worker's loop, and what
that part has counted and written is out. It is done again with the clock of that turn, uncounted and unwritten; then
the answer comes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from meshsim.abi.constants import BufferType, DataAction, HeaderMapType, HeadersAction, TrailersAction
from meshsim.abi.context import Context
from meshsim.envoy.express.course import Content
from meshsim.envoy.express.deeds import Deed
from meshsim.envoy.filters.base import HttpFilter
from meshsim.envoy.filters.wasm import WasmFilter
from meshsim.envoy.plugin_use import PluginUse
from meshsim.envoy.routing import Match
from meshsim.envoy.thread_host import ThreadHost
from meshsim.envoy.threads import Thread
from meshsim.sim.strands import Strand

if TYPE_CHECKING:
    from meshsim.envoy.express.passage import Passage
    from meshsim.envoy.express.seat import Action, Seat

_MAPS = {
    "proxy_on_request_headers": HeaderMapType.REQUEST_HEADERS,
    "proxy_on_request_trailers": HeaderMapType.REQUEST_TRAILERS,
    "proxy_on_response_headers": HeaderMapType.RESPONSE_HEADERS,
    "proxy_on_response_trailers": HeaderMapType.RESPONSE_TRAILERS,
}
_BODIES = {"proxy_on_request_body": BufferType.REQUEST_BODY, "proxy_on_response_body": BufferType.RESPONSE_BODY}


class ToldContext:
    """A stream context whose first callbacks are over; ``creating`` says that the very first one is not."""

    def __init__(self, context: Context, deeds: Sequence[Deed], thread: Thread, *, creating: bool) -> None:
        self._context = context
        self._creating = creating
        self._deeds = deque(deeds)
        self._loop = thread
        #: The filter that the model has made for this context.
        self.filter: WasmFilter | None = None

    @property
    def created(self) -> bool:
        """Whether the module knows of the stream."""
        return self._context.created

    @property
    def root(self) -> Context:
        """The root context."""
        return self._context.root

    def create(self) -> None:
        """Tell the module of the stream, once."""
        if self._creating:
            self._creating = False
            self._loop.rewind(self._deeds.popleft().time_ns)
            Strand.wait()
        else:
            self._context.create()

    def headers(self, callback: str, count: int, end_of_stream: bool) -> HeadersAction:
        """Tell what the module has done with headers, or let it do something."""
        if self._deeds:
            return cast(HeadersAction, self._tell(callback))
        return self._context.headers(callback, count, end_of_stream)

    def body(self, callback: str, size: int, end_of_stream: bool) -> DataAction:
        """Tell what the module has done with data, or let it do something."""
        if self._deeds:
            return cast(DataAction, self._tell(callback))
        return self._context.body(callback, size, end_of_stream)

    def trailers(self, callback: str, count: int) -> TrailersAction:
        """Tell what the module has done with trailers, or let it do something."""
        if self._deeds:
            return cast(TrailersAction, self._tell(callback))
        return self._context.trailers(callback, count)

    def log(self) -> None:
        """Tell that the module has logged, or let it log."""
        if self._deeds:
            self._tell("proxy_on_log")
        else:
            self._context.log()

    def done(self) -> bool:
        """Tell that the module was asked whether it is done, or ask."""
        if self._deeds:
            self._tell("proxy_on_done")
            return True
        return self._context.done()

    def delete(self) -> None:
        """Tell that the context is gone, or end it."""
        if self._deeds:
            self._tell("proxy_on_delete")
        else:
            self._context.delete()

    def _tell(self, callback: str) -> Action | None:
        deed = self._deeds.popleft()
        self._leave_behind(callback, deed.content)
        self._loop.rewind(deed.time_ns)
        return cast("Action | None", Strand.wait()) if deed.action is None else deed.action

    def _leave_behind(self, callback: str, content: Content | None) -> None:
        assert self.filter
        if isinstance(content, bytes):
            body = self.filter.buffer(_BODIES[callback])
            assert body is not None
            body.splice(0, body.size(), content)
        elif content is not None:
            headers = self.filter.mutable_header_map(_MAPS[callback])
            assert headers is not None
            headers.assign(content)
            self.filter.headers_changed(_MAPS[callback])


class Leaving:
    """A passage that leaves its lane.

    Parameters
    ----------
    passage : Passage
        Which one.
    deeds : mapping of Seat to sequence of Deed
        What each of its modules has done, in the order of the chain.
    """

    def __init__(self, passage: Passage, deeds: Mapping[Seat, Sequence[Deed]]) -> None:
        self._passage = passage
        self._filters = iter([self._filter(seat, done) for seat, done in deeds.items()])
        self._strand: Strand | None = None

    def between(self) -> None:
        """Leave between two callbacks."""
        self._run(None)

    def within(self) -> None:
        """Leave in the middle of a callback: the model comes to that callback, and waits."""
        self._strand = Strand(self._run)
        self._strand.resume()

    def returned(self, action: Action | None) -> None:
        """Go on behind the callback in the middle of which the passage has left."""
        assert self._strand
        self._strand.resume(action)
        self._strand.close()

    def _filter(self, seat: Seat, deeds: Sequence[Deed]) -> WasmFilter:
        told = ToldContext(seat.context, deeds, self._passage.lane.thread, creating=seat.creating)
        told.filter = seat.passed = WasmFilter(seat.plugin, cast(Any, told))
        seat.context.host = seat.passed
        return seat.passed

    def _run(self, _: object) -> None:
        passage = self._passage
        passage.caller.left()
        if passage.pool is None or passage.socket is None:
            self._do_again()
            return
        with passage.lane.envoy.process.stats.muted():
            passage.pool.release(passage.socket)  # who comes next gets it, and that is this very request
            if passage.cluster is not None:
                passage.cluster.pinned = passage.address
            self._do_again()
            passage.socket.recall()
        passage.lane.thread.rewind(passage.lane.thread.begun_ns)
        if passage.answer is not None and passage.socket.reader is not None:
            passage.socket.reader.on_read(passage.answer)

    def _do_again(self) -> None:
        passage = self._passage
        passage.lane.thread.rewind(passage.start_ns)
        passage.caller.connection.on_read_told(passage.request(), self._chain, lambda: passage.ids.own)

    def _chain(self, match: Match | None) -> Sequence[HttpFilter]:
        lane = self._passage.lane
        return lane.manager.filters(lane.worker, match, self._next_filter)

    def _next_filter(self, _use: PluginUse, host: ThreadHost) -> HttpFilter:
        host.thread.spend(host.process.costs.filter_ns)
        return next(self._filters)
