"""What the modules of a passage have done so far: what is told to the stream model when the passage leaves its lane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshsim.abi.constants import DataAction, HeadersAction, TrailersAction
from meshsim.envoy.express.course import Answer, Content, Doing, Over, Piece, Shown

if TYPE_CHECKING:
    from meshsim.envoy.express.foot import Foot
    from meshsim.envoy.express.passage import Passage
    from meshsim.envoy.express.seat import Action, Seat

GO_ON: dict[Piece, Action] = {
    Piece.REQUEST_HEADERS: HeadersAction.CONTINUE,
    Piece.REQUEST_DATA: DataAction.CONTINUE,
    Piece.REQUEST_TRAILERS: TrailersAction.CONTINUE,
    Piece.RESPONSE_HEADERS: HeadersAction.CONTINUE,
    Piece.RESPONSE_DATA: DataAction.CONTINUE,
    Piece.RESPONSE_TRAILERS: TrailersAction.CONTINUE,
}
"""What a module returns that lets a piece pass."""

RETURNED = HeadersAction.CONTINUE
"""Stands for what a callback returned whose result does not matter."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What a module has done in a callback on the lane.

    ``action`` is what it returned, None while it is still running; ``content`` what it left of the piece, None where
    that does not matter; ``time_ns`` what the worker's clock said then.
    """

    action: Action | None
    content: Content | None
    time_ns: int


def deeds_of(passage: Passage, action: Action | None) -> dict[Seat, list[Deed]]:
    """Say what each module has done; ``action`` is what the last of them returned, None when it has not."""
    foot = passage.foot
    assert foot is not None
    deeds: dict[Seat, list[Deed]] = {seat: [] for seat in foot.seats}
    for (moment, doing), time_ns in zip(passage.node.way(), passage.times, strict=True):
        if isinstance(moment, Shown):
            order = foot.order(moment.piece)
            content = None if doing is moment.content else _concrete(passage, doing)
            for seat in order:
                deeds[seat].append(Deed(GO_ON[moment.piece], content if seat is order[-1] else None, time_ns))
    now = passage.node.moment
    if isinstance(now, Shown) and foot.seats:
        _add_present(passage, foot, now, action, deeds)
    elif isinstance(now, Over):
        _add_end(passage, foot, deeds)
    return deeds


def _add_present(
    passage: Passage, foot: Foot, moment: Shown, action: Action | None, deeds: dict[Seat, list[Deed]]
) -> None:
    time_ns, order = passage.lane.thread.now_ns, foot.order(moment.piece)
    last = foot.gone if action is None else foot.gone - 1
    for seat in order[:last]:
        deeds[seat].append(Deed(GO_ON[moment.piece], None, time_ns))
    content = _concrete(passage, foot.content_now()) if foot.changed else None
    deeds[order[last]].append(Deed(action, content, time_ns))


def _add_end(passage: Passage, foot: Foot, deeds: dict[Seat, list[Deed]]) -> None:
    """All log, in order; then each ends, in two callbacks."""
    order = [*foot.seats, *(seat for seat in foot.seats for _ in range(2))]
    for place, seat in enumerate(order[: foot.gone + 1]):
        deeds[seat].append(Deed(RETURNED if place < foot.gone else None, None, passage.lane.thread.now_ns))


def _concrete(passage: Passage, doing: Doing) -> Content:
    assert not isinstance(doing, Answer)
    return passage.ids.put_into(doing) if isinstance(doing, tuple) else doing
