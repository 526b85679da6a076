"""A passage on foot: its modules are called one by one, and a piece is made of what each of them is shown.

That is how every way is gone for the first times. Later a module rides (:mod:`meshsim.abi.shim.ride`), and gets off
where something comes that was not expected.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.express.course import Content, Piece, Shown
from meshsim.envoy.express.deeds import GO_ON
from meshsim.envoy.express.seat import Action, Seat
from meshsim.envoy.headers import HeaderMap

if TYPE_CHECKING:
    from meshsim.envoy.express.passage import Passage


class Foot:
    """The modules of a passage, in the chain's order, and the piece that they are shown.

    ``gone`` is how many callbacks of the present moment, or of the stream's end, have returned.
    """

    __slots__ = ("_passage", "body", "changed", "gone", "headers", "seats", "shown_to")

    def __init__(self, passage: Passage) -> None:
        self._passage = passage
        self.seats: list[Seat] = []
        self.headers: HeaderMap | None = None
        self.body: BodyBuffer | None = None
        self.changed = False
        #: Whose module is being shown headers or body.
        self.shown_to: Seat | None = None
        self.gone = 0

    def order(self, piece: Piece) -> Sequence[Seat]:
        """In which order modules see a piece."""
        return self.seats if piece.of_request else self.seats[::-1]

    def take_up(self, moment: Shown) -> None:
        """Make of a piece what a module can change."""
        self.changed, self.gone = False, 0
        self.headers = self.body = None
        if isinstance(moment.content, bytes):
            self.body = BodyBuffer(bytearray(moment.content))
        else:
            self.headers = HeaderMap(kind=moment.piece.kind)
            self.headers.assign(self._passage.ids.put_into(moment.content))

    def show(self, moment: Shown) -> bool:
        """Let every module see a piece; False when the passage has left its lane."""
        self.take_up(moment)
        go_on = GO_ON[moment.piece]
        for seat in self.order(moment.piece):
            action = seat.show(moment)
            if not self.returned(action):
                return False
            if action is not go_on:
                self._passage.leave(action).between()
                return False
        return True

    def returned(self, action: Action) -> bool:
        """A callback that was shown a piece has returned; False when the passage has left its lane in it."""
        self.shown_to = None
        if self._passage.goes_on_elsewhere(action):
            return False
        self.gone += 1
        return True

    def left(self, moment: Shown) -> Content:
        """Return what the modules have left of a piece: the very content where that is the same."""
        if not self.changed:
            return moment.content
        after = self.content_now()
        return moment.content if after == moment.content else after

    def content_now(self) -> Content:
        """What the piece has become that is being shown, with marks for ids."""
        if self.headers is not None:
            return self._passage.ids.take_from(self.headers.pairs())
        return bytes(self.body.data) if self.body is not None else b""

    def end(self, action: Action) -> bool:
        """Let every module log, then end its context, as far as that is still to be done; False as in :meth:`show`.

        ``action`` is what the callbacks return as far as anybody cares.
        """
        steps: list[Callable[[], None]] = [seat.log for seat in self.seats]
        for seat in self.seats:
            steps += seat.done, seat.delete
        for step in steps[self.gone :]:
            step()
            if not self.returned(action):
                return False
        for seat in self.seats:
            seat.plugin.release()
        return True
