"""Notes beside the trace: what filters were given and what they left, what went upstream, who answered."""

from __future__ import annotations

from pathlib import Path

import pytest

import meshsim as ms
from meshsim.abi.constants import HeadersAction
from meshsim.envoy.witness import SHOWN_BYTES, Answered, Forwarded, Given, Left, Opened, Replied, Returned, Sent

FOLDER = Path(ms.__file__).parent / "scenarios" / "one_request"
REFUSED, FORBIDDEN, ALLOWED = ms.load_requests(FOLDER / "requests.json")


def envoy(level: ms.Level = ms.Level.ABI) -> ms.Envoy:
    return ms.Envoy.from_yaml(FOLDER / "envoy.yaml", level=level)


def notes(of: ms.Envoy, *kinds: type) -> list[object]:
    return [note.what for note in of.recorder.notes if isinstance(note.what, kinds)]


def test_below_level_abi_nothing_is_noted() -> None:
    quiet = envoy(ms.Level.REQUESTS)
    assert quiet.send(ALLOWED).status == 200
    assert quiet.recorder.notes == []


def test_requests_are_counted_with_their_answers() -> None:
    seen = envoy()
    seen.send(REFUSED)
    seen.send(ALLOWED)
    assert [(n.number, n.request) for n in notes(seen, Sent)] == [(0, REFUSED), (1, ALLOWED)]  # type: ignore[attr-defined]
    assert [(n.number, n.response.status) for n in notes(seen, Answered)] == [(0, 401), (1, 200)]  # type: ignore[attr-defined]


def test_each_filter_s_share_is_noted_in_the_order_of_the_way() -> None:
    seen = envoy()
    seen.send(ALLOWED)
    main = next(n for n in notes(seen, Opened) if isinstance(n, Opened))
    assert (main.filters, main.plugins) == (("authorise", "hello", "router"), ("authorise", "hello"))
    given = [n for n in notes(seen, Given) if isinstance(n, Given) and n.stream == main.stream]
    order = [(n.filter, n.piece) for n in given if n.piece.endswith("headers")]
    assert order == [
        ("authorise", "request headers"),
        ("hello", "request headers"),
        ("router", "request headers"),
        ("hello", "response headers"),
        ("authorise", "response headers"),
    ]
    left = [n for n in notes(seen, Left) if isinstance(n, Left) and n.stream == main.stream]
    assert left[0].action is HeadersAction.STOP_ALL_AND_WATERMARK
    before, after = (dict(n.message.headers) for n in (given[1], left[1]))
    assert after.keys() - before.keys() == {b"x-wasm"}
    assert before[b"x-user"] == b"alice"


def test_bodies_are_there_as_they_stand_and_cut() -> None:
    seen = envoy()
    seen.send(ms.Request(method="POST", headers=ALLOWED.headers, body="b" * 5000))
    body = next(n for n in notes(seen, Given) if isinstance(n, Given) and n.piece == "request body")
    assert (len(body.message.body), body.message.size) == (SHOWN_BYTES, 5000)


def test_what_goes_upstream_and_comes_back() -> None:
    seen = envoy()
    seen.send(ALLOWED)
    ways = [(type(n).__name__, n.cluster) for n in notes(seen, Forwarded, Returned)]  # type: ignore[attr-defined]
    assert ways == [
        ("Forwarded", "auth"),
        ("Returned", "auth"),
        ("Forwarded", "application"),
        ("Returned", "application"),
    ]
    assert dict(notes(seen, Forwarded)[0].message.headers)[b":path"] == b"/check"  # type: ignore[attr-defined]


def test_an_upstream_that_is_not_there_is_noted() -> None:
    text = (FOLDER / "envoy.yaml").read_text().replace("filename: ", f"filename: {FOLDER}/")
    listeners, clusters = text.split("  clusters:")
    seen = ms.Envoy.from_yaml(f"{listeners}  clusters:{clusters.replace('port_value: 10001', 'port_value: 1')}")
    assert seen.send(ALLOWED).status == 403
    [back] = (n for n in notes(seen, Returned) if isinstance(n, Returned))
    assert (back.status, "connection_failure" in back.failure) == (0, True)


@pytest.mark.parametrize(
    ("request_", "status", "details"), [(REFUSED, 401, "no_authorization"), (FORBIDDEN, 403, "not_authorised")]
)
def test_local_replies_are_noted_with_their_stream(request_: ms.Request, status: int, details: str) -> None:
    seen = envoy()
    seen.send(request_)
    main = next(n for n in notes(seen, Opened) if isinstance(n, Opened))
    replies = [n for n in notes(seen, Replied) if isinstance(n, Replied) and n.stream == main.stream]
    assert replies == [Replied(main.stream, status, details)]


def test_watching_changes_nothing() -> None:
    watched, quiet = envoy(), envoy(ms.Level.OFF)
    for request in (REFUSED, FORBIDDEN, ALLOWED):
        assert watched.send(request) == quiet.send(request)
    assert watched.stats() == quiet.stats()
