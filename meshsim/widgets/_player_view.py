"""The view model of the player: one request as plain values, for the browser and for the still."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from meshsim.envoy.witness import Message
from meshsim.figures.provenance import Origin
from meshsim.widgets._base import origins
from meshsim.widgets._player_journey import Journey, Step, Visit
from meshsim.widgets._player_picture import CALLS, picture_of
from meshsim.widgets._player_real import Real
from meshsim.widgets._player_text import Fields, meaning, text_of
from meshsim.widgets._still import Still

View = dict[str, Any]

#: Steps that the still leaves out when there are many: memory, and calls that say nothing on the message.
MINOR = frozenset({"proxy_on_context_create", "proxy_on_done", "proxy_on_delete"})
STILL_STEPS = 44


def view_of(
    journey: Journey, real: Real | None, about_real: str, choices: Sequence[tuple[int, str]], profile: str, date: str
) -> View:
    """Return all that the player draws.

    Parameters
    ----------
    real : Real, optional
        What the real Envoy did, once that is known.
    about_real : str
        Why it is not, or what can be done.
    choices : sequence of (int, str)
        The requests there are to choose from: number and words.
    profile, date : str
        What virtual times are charged by, and when that was measured.
    """
    used = [Origin.COUNTED, Origin.PROFILE]
    places = {name: i for i, name in enumerate(journey.lifelines)}
    return {
        "title": journey.title,
        "subtitle": summary(journey),
        "lifelines": [{"name": name, "role": _role(name, journey)} for name in journey.lifelines],
        "filters": list(journey.filters),
        "steps": [_step(step, places, real) for step in journey.steps],
        "trace": journey.trace,
        "messages": [_message(message) for message in journey.messages],
        "visits": [
            {"filter": v.filter, "piece": v.piece, "before": v.before, "after": v.after, "action": v.action}
            for v in journey.visits
        ],
        "meanings": {name: meaning(name) for name in {s.text for s in journey.steps if s.kind in CALLS}},
        "real": _real(real, about_real),
        "choices": [list(choice) for choice in choices],
        "origins": origins(*used, profile=profile, date=date) + ([_real_origin(real)] if real else []),
    }


def summary(journey: Journey) -> str:
    """Return what became of a request, in a line."""
    outcome = journey.error or str(journey.status or "no answer yet")
    where = f" on {journey.worker}" if journey.worker else ""
    return f"{outcome} after {journey.took_ns / 1000:,.1f} µs of virtual time, {len(journey.steps)} steps{where}"


def _role(name: str, journey: Journey) -> str:
    if name in journey.plugins:
        return "module"
    if name in journey.clusters:
        return "upstream"
    return "client" if name == journey.lifelines[0] else "host"


def _step(step: Step, places: dict[str, int], real: Real | None) -> View:
    """Return a step without what is empty: there can be ten thousand."""
    row: View = {
        "at": step.time_ns,
        "kind": step.kind,
        "from": places[step.source],
        "to": places[step.target],
        "text": step.text,
    }
    more = {
        "fields": step.fields,
        "answer": step.answer,
        "gave": step.gave,
        "paused": step.paused,
        "about": step.about,
        "host": places.get(step.host, 0) if step.paused else 0,
    }
    row |= {name: value for name, value in more.items() if value}
    numbers = {"request": step.request, "response": step.response, "visit": step.visit}
    row |= {name: value for name, value in numbers.items() if value >= 0}
    if step.lines:
        row["lines"] = list(step.lines)
        if real is not None:
            row["same"] = all(real.same[line] for line in step.lines)
    return row


def _message(message: Message) -> View:
    return {"headers": pairs_of(message), "body": text_of(message.body), "size": message.size}


def pairs_of(message: Message) -> Fields:
    """Return a message's headers as texts."""
    return [[text_of(name), text_of(value)] for name, value in message.headers]


def _real(real: Real | None, about: str) -> View:
    if real is None:
        return {"known": False, "words": about}
    return {
        "known": True,
        "live": real.live,
        "words": real.origin,
        "verdict": real.verdict,
        "identical": real.identical,
        "only": list(real.only[:20]),
    }


def _real_origin(real: Real) -> dict[str, str]:
    return {"name": Origin.ENVOY.value, "mark": Origin.ENVOY.mark, "words": real.origin}


def changes(before: Message, after: Message) -> Fields:
    r"""Return what has become of headers and body: ``[mark, name, words]`` for each change.

    Examples
    --------
    >>> changes(Message(((b"a", b"1"),)), Message(((b"a", b"3"), (b"c", b"4")), b"xy", 2))
    [['~', 'a', '1 → 3'], ['+', 'c', '4'], ['~', 'body', '0 B → 2 B']]
    """
    old, new = pairs_of(before), pairs_of(after)
    left = list(new)
    found: Fields = []
    for name, value in old:
        if [name, value] in left:
            left.remove([name, value])
            continue
        twin = next((pair for pair in left if pair[0] == name), None)
        if twin:
            left.remove(twin)
            found.append(["~", name, f"{value} \N{RIGHTWARDS ARROW} {twin[1]}"])
        else:
            found.append(["\N{MINUS SIGN}", name, value])
    found += [["+", name, value] for name, value in left]
    if before.body != after.body:
        found.append(["~", "body", f"{before.size} B \N{RIGHTWARDS ARROW} {after.size} B"])
    return found


# -- the still ---


def still_of(journey: Journey, real: Real | None, notes: Sequence[str]) -> Still:
    """Return the whole request as a picture, and what each filter did to headers and body as a table."""
    steps, left_out = shown_steps(journey.steps)
    rows = [
        (visit.filter, visit.piece, visit.action, _changes(journey, visit))
        for visit in journey.visits
        if visit.filter in _heard(journey) or visit.before != visit.after
    ]
    more = [f"{left_out} minor steps are left out of the picture."] if left_out else []
    if real is not None:
        more.append(f"{Origin.ENVOY.mark} The real Envoy ({real.origin}): {real.verdict}.")
    title = f"{journey.title}: {summary(journey)}"
    return Still(title, picture_of(journey, steps), ("filter", "got", "answered", "changed"), rows, (*more, *notes))


def _heard(journey: Journey) -> set[str]:
    """Filters that were called for the request at all."""
    return {step.target for step in journey.steps if step.kind == "callback"} | {
        step.text for step in journey.steps if step.kind == "filter"
    }


def _changes(journey: Journey, visit: Visit) -> str:
    if visit.after < 0:
        return ""
    before, after = journey.messages[visit.before], journey.messages[visit.after]
    return ", ".join(f"{mark} {name}: {words}" for mark, name, words in changes(before, after))


def shown_steps(steps: Sequence[Step]) -> tuple[list[Step], int]:
    """Choose what a still shows, and say how many steps it leaves out."""
    kept = list(steps)
    if len(kept) > STILL_STEPS:
        kept = [s for s in steps if s.kind != "memory" and s.text not in MINOR and (s.kind != "return" or s.answer)]
    return kept[:STILL_STEPS], len(steps) - len(kept[:STILL_STEPS])
