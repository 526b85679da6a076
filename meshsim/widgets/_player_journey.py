"""One request, step by step: the rows of a sequence diagram, and how the message stood at each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from meshsim.envoy.requests import Request
from meshsim.envoy.witness import Message
from meshsim.widgets._player_text import Fields

#: Lifelines that are always there.
CLIENT, HOST = "client", "Envoy"
#: The answer of a call that had none.
TRAP = "trap"
#: Envoy's main thread: what it does meanwhile is no part of a request.
MAIN = "main"

Way = Literal["request", "response"]


@dataclass(slots=True)
class Step:
    """A row: a call, an answer, a word.

    Attributes
    ----------
    time_ns : int
        Virtual time since the request was sent.
    kind : str
        ``wire``, ``callback``, ``return``, ``hostcall``, ``memory``, ``log``, ``envoy``, ``pause``, ``resume``,
        ``reply``, ``filter``.
    source, target : str
        Lifelines; equal ones for what happens at one of them.
    text : str
        The function's name, or what is said.
    fields, answer, gave : list, str, list
        Arguments by name; the answer in a word; what the call gave, by name.
    request, response : int
        Which of the journey's messages either was then; -1 for none yet.
    visit : int
        Which visit to a filter the step is part of; -1 for none.
    paused : str
        The filter that holds the request or the response then.
    lines : tuple of int
        Which lines of the request's trace it stands for: the call's, and the return's.
    host : str
        The lifeline of the proxy that has the request then.
    about : list
        Facts of the whole call that the step begins or ends, by name.
    """

    time_ns: int
    kind: str
    source: str
    target: str
    text: str
    fields: Fields = field(default_factory=list)
    answer: str = ""
    gave: Fields = field(default_factory=list)
    request: int = -1
    response: int = -1
    visit: int = -1
    paused: str = ""
    lines: tuple[int, ...] = ()
    host: str = ""
    about: Fields = field(default_factory=list)


@dataclass(slots=True)
class Visit:
    """A message's visit to a filter: how it came and how it left, which of :attr:`Journey.messages`; -1: not yet."""

    filter: str
    piece: str
    before: int
    after: int = -1
    action: str = ""


@dataclass(slots=True)
class Journey:
    """One request, from its client and back.

    ``trace`` is the part of Envoy's own trace that the steps stand for.
    """

    request: Request
    status: int = 0
    error: str = ""
    worker: str = ""
    took_ns: int = 0
    lifelines: list[str] = field(default_factory=list)
    plugins: list[str] = field(default_factory=list)
    clusters: list[str] = field(default_factory=list)
    filters: tuple[str, ...] = ()
    steps: list[Step] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Method and path."""
        return f"{self.request.method} {self.request.path}"


@dataclass(slots=True)
class Stand:
    """How things stand at one proxy.

    Attributes
    ----------
    host : str
        Its lifeline.
    now : dict
        The messages.
    held_by : dict
        The filters that hold one.
    visiting : list of int
        Visits that are under way, one inside the other.
    replying : bool
        Whether a module has answered the request itself: then it does not hold it, whatever it says.
    """

    host: str = HOST
    now: dict[Way, Message | None] = field(default_factory=lambda: {"request": None, "response": None})
    held_by: dict[Way, str] = field(default_factory=dict)
    visiting: list[int] = field(default_factory=list)
    replying: bool = False


class Page:
    """A journey that is being written, and how things stand where it is."""

    def __init__(self, journey: Journey) -> None:
        self.journey = journey
        self.start_ns = 0
        self.stand = Stand()
        #: Where else things stand some way.
        self.stands: list[Stand] = []
        self._numbers: dict[Message, int] = {}

    @property
    def holder(self) -> Stand:
        """Where the request is held; where it is, when it is held nowhere."""
        return next((stand for stand in (self.stand, *self.stands) if stand.held_by), self.stand)

    @property
    def host(self) -> str:
        """The lifeline of the proxy that has the request."""
        return self.stand.host

    @property
    def now(self) -> dict[Way, Message | None]:
        """The messages there."""
        return self.stand.now

    @property
    def held_by(self) -> dict[Way, str]:
        """The filters that hold one."""
        return self.stand.held_by

    @property
    def visiting(self) -> list[int]:
        """Visits that are under way, one inside the other."""
        return self.stand.visiting

    def step(self, time_ns: int, kind: str, source: str, target: str, text: str, **more: Any) -> Step:
        """Write a step."""
        step = Step(
            time_ns - self.start_ns,
            kind,
            source,
            target,
            text,
            request=self.shown("request"),
            response=self.shown("response"),
            visit=self.visiting[-1] if self.visiting else -1,
            paused=" and ".join(dict.fromkeys(self.holder.held_by.values())),
            host=self.holder.host,
            **more,
        )
        self.journey.steps.append(step)
        return step

    def shown(self, way: Way) -> int:
        """Return which of the journey's messages one is now; -1 for none yet."""
        message = self.now[way]
        return -1 if message is None else self.number(message)

    def number(self, message: Message) -> int:
        """Return which of the journey's messages this is; equal ones are kept once."""
        number = self._numbers.get(message)
        if number is None:
            number = self._numbers[message] = len(self.journey.messages)
            self.journey.messages.append(message)
        return number
