from __future__ import annotations

from itertools import product

from meshsim.envoy.stream_states import LOCAL_REPLY, RESPONSE, Event, Response

#: Moves that cannot be asked for, and why.
UNREACHABLE = {
    **{
        (state, Event.HEADERS): "a second answer is not begun: replies look at the state, the router answers once"
        for state in (Response.FILTERING, Response.SENT)
    },
    **{
        (state, Event.SEND): "headers come out of the filters once, after they went in"
        for state in (Response.NONE, Response.SENT)
    },
    **{(state, Event.END): "the end comes behind the headers" for state in (Response.NONE, Response.FILTERING)},
    **{
        (state, event): "nothing moves a stream that is over"
        for state in (Response.COMPLETE, Response.RESET)
        for event in Event
    },
}


def test_every_state_and_event_is_in_the_table_or_known_to_be_impossible() -> None:
    assert RESPONSE.keys() | UNREACHABLE.keys() == set(product(Response, Event))
    assert not RESPONSE.keys() & UNREACHABLE.keys()


def test_a_local_reply_has_a_fate_in_every_state() -> None:
    assert LOCAL_REPLY.keys() == set(Response)


def test_every_state_is_reached_from_the_first() -> None:
    reached = {Response.NONE}
    for _ in Response:
        reached |= {after for (before, _), after in RESPONSE.items() if before in reached}
    assert reached == set(Response)
