"""A track: moments in a row that one module goes through in one ride (:mod:`meshsim.abi.shim.ride`)."""

from __future__ import annotations

from dataclasses import dataclass, field

from meshsim.abi.constants import BufferType, HeaderMapType
from meshsim.abi.proxy_wasm import ProxyWasm
from meshsim.abi.shim.blocks import encode_block
from meshsim.abi.shim.instance import Shim
from meshsim.abi.shim.ride import Ride, RideStep
from meshsim.envoy.express.course import CARRIED_DATE, CARRIED_ID, REQUEST_ID, Node, Piece, Shown
from meshsim.envoy.headers import HeaderMap

CALLBACKS = {
    Piece.REQUEST_HEADERS: "proxy_on_request_headers",
    Piece.REQUEST_DATA: "proxy_on_request_body",
    Piece.REQUEST_TRAILERS: "proxy_on_request_trailers",
    Piece.RESPONSE_HEADERS: "proxy_on_response_headers",
    Piece.RESPONSE_DATA: "proxy_on_response_body",
    Piece.RESPONSE_TRAILERS: "proxy_on_response_trailers",
}
MAPS = {
    Piece.REQUEST_HEADERS: HeaderMapType.REQUEST_HEADERS,
    Piece.REQUEST_TRAILERS: HeaderMapType.REQUEST_TRAILERS,
    Piece.RESPONSE_HEADERS: HeaderMapType.RESPONSE_HEADERS,
    Piece.RESPONSE_TRAILERS: HeaderMapType.RESPONSE_TRAILERS,
}
BODIES = {Piece.REQUEST_DATA: BufferType.REQUEST_BODY, Piece.RESPONSE_DATA: BufferType.RESPONSE_BODY}

MARKS = (REQUEST_ID, CARRIED_ID, CARRIED_DATE)

#: A moment is worth a track when it has been shown so often by itself.
FAMILIAR = 3
#: So many rides that did not go as expected are not worth it, unless they are few.
_MISSES, _SHARE = 16, 8


@dataclass(slots=True, eq=False)
class Track:
    """A ride through some moments, in the VM that ``shim`` belongs to.

    ``nodes`` are the moments, and behind them where the ride leads to. Without a ``ride`` it is known to be of no use.
    """

    shim: Shim
    ride: Ride | None
    nodes: list[Node] = field(default_factory=list)
    rides: int = 0
    misses: int = 0

    def missed(self) -> None:
        """A ride has ended early."""
        self.misses += 1
        if self.misses > _MISSES and self.misses * _SHARE > self.rides:
            self.ride = None


def lay_track(wasm: ProxyWasm, node: Node, *, creates: bool) -> Track:
    """Make a track from a moment on, in a VM that has a shim, as far as things usually go.

    It ends where the clock matters: behind request headers an upstream connection may begin, behind response headers
    the response is dated. How long each callback of a ride has taken is not known.
    """
    assert wasm.shim is not None
    nodes = [node]
    steps: list[RideStep] = []
    while isinstance(moment := node.moment, Shown) and node.usual is not None:
        changed = node.usual.doing is not moment.content
        timed = bool(steps) and moment.piece is not Piece.RESPONSE_HEADERS and wasm.exports(CALLBACKS[moment.piece])
        if timed or (changed and isinstance(moment.content, bytes)):
            break
        steps.append(_step(moment, node.usual))
        node = node.usual
        nodes.append(node)
    return Track(wasm.shim, wasm.shim.rides.make(steps, MARKS, creates=creates) if steps else None, nodes)


def _step(moment: Shown, usual: Node) -> RideStep:
    callback, told, content, doing = CALLBACKS[moment.piece], len(moment.content), moment.content, usual.doing
    if isinstance(content, bytes):
        return RideStep(callback, 16 + BODIES[moment.piece], content, told, moment.end, None, None)
    expected = encode_block(doing) if doing is not content and isinstance(doing, tuple) else None
    rules = HeaderMap(kind=moment.piece.kind).rules
    return RideStep(callback, MAPS[moment.piece], encode_block(content), told, moment.end, expected, rules)
