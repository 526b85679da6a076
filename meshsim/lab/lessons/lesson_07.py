"""Lesson 07: the life of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshsim.envoy.answers import Answer
from meshsim.envoy.config.refusal import ConfigRefused
from meshsim.envoy.requests import Request
from meshsim.lab.lessons.plan import Exercise, Parameter, Plan, Wrong
from meshsim.lab.lessons.runs import calls_of, names, started

if TYPE_CHECKING:
    from meshsim.envoy.load import Driven
    from meshsim.envoy.outcome import Response
    from meshsim.envoy.proxy import Envoy
    from meshsim.lab.lessons.lesson import Lesson

_MS = 1_000_000

#: A request that is let in, and one that is not.
KNOWN = Request(None, "GET", "/orders", "example.com", (("authorization", "Bearer open-sesame"),))
GUEST = Request(None, "GET", "/orders", "example.com", (("authorization", "Basic Z3Vlc3Q="),))

#: What "auth" answers to those.
YES, NO = Answer(headers={"x-user": "alice"}), Answer(status=403)


def apart(at: Lesson, answer: Answer, module: str = "") -> Envoy:
    """Start the Envoy whose "auth" is scripted; ``module`` is the path of another module for ``authorise``."""
    text = (at.folder / "auth_apart.yaml").read_text(encoding="utf-8")
    envoy = started(at, text.replace("authorise.wasm", module or "authorise.wasm"))
    envoy.upstream("auth", answer)
    return envoy


def _statuses(at: Lesson) -> tuple[int, ...]:
    envoy = at.envoy()
    return tuple(envoy.send(request).status for request in at.requests)


def _waits_between(at: Lesson) -> tuple[str, ...]:
    """The callbacks on both sides of the longest silence while the last request is under way."""
    lines = calls_of(at.envoy(), at.requests[-1])
    pause = next(
        i for i, line in enumerate(lines) if line.text.startswith("[host<-vm] proxy_on_request_headers return: 1")
    )
    return tuple(lines[i].event.function.rpartition(".")[2] for i in (pause, pause + 1))


def _together(at: Lesson) -> Driven:
    answer = Answer(headers={"x-user": "alice"}, latency_ms=at.auth_ms)
    return apart(at, answer).drive(KNOWN, count=at.together, connections=at.together)


def _took(at: Lesson) -> int:
    return _together(at).took_ns


def _what_happens(at: Lesson) -> frozenset[str]:
    """Which of four things happen to the request without a header ``authorization``."""
    envoy = at.envoy()
    called = names(calls_of(envoy, at.requests[0]))
    seen = {
        "a": called.count("proxy_on_request_headers") > 1,
        "b": envoy.stats().get("cluster.application.upstream_rq_total", 0) > 0,
        "c": "proxy_on_response_headers" in called,
        "d": "proxy_on_log" in called,
    }
    return frozenset(letter for letter, happens in seen.items() if happens)


def _when_down(at: Lesson) -> int:
    return apart(at, Answer(failure="refused")).send(KNOWN).status


#: What is put in place of the last branch of the filter; ``$down`` is what the learner's code stands behind.
_REFUSAL = "(call $answer (i32.const 403) (i32.const 144) (i32.const 14) (i32.const 112) (i32.const 12))"
_STATUS_IS_5XX = (
    "(call $get_header (i32.const 6) (i32.const 32) (i32.const 7) (i32.const 512) (i32.const 516)) (drop)\n"
    "(i32.eq (i32.load8_u (i32.load (i32.const 512))) (i32.const 53))"
)


def _lenient(at: Lesson, code: Any) -> str | None:
    """Put the learner's code where the filter learns that "auth" is down, and try three requests."""
    from meshsim.lab.wat import compile_wat

    source = (at.folder / "authorise.wat").read_text(encoding="utf-8")
    if source.count(_REFUSAL) != 1:
        return "lesson_07/authorise.wat was changed: lesson.reset() brings it back."
    branch = f"{_STATUS_IS_5XX}\n(if (then {code}\n) (else {_REFUSAL}))"
    module = str(compile_wat(source.replace(_REFUSAL, branch), "lenient").path)
    try:
        down = _sent(at, Answer(failure="refused"), module, KNOWN)
    except ConfigRefused:
        return "with your code the module is not valid. Each host call leaves a status on the stack: is it dropped?"
    if down is None:
        return "with auth down the request waits for ever: nobody lets it go on."
    if down.status != 200:
        return f"with auth down the client gets {down.status}, and should get 200: let the request go on."
    guest, known = _sent(at, NO, module, GUEST), _sent(at, YES, module, KNOWN)
    if guest is None or guest.status != 403:
        return "with auth up, a guest must still get 403."
    if known is None or known.status != 200:
        return "with auth up, alice must still get 200."
    return None


def _sent(at: Lesson, answer: Answer, module: str, request: Request) -> Response | None:
    """Send a request and wait for five seconds of virtual time; None when there is no answer."""
    envoy = apart(at, answer, module)
    got: list[Response] = []
    envoy.begin(request, got.append)
    envoy.run(ms=5_000)
    return got[0] if got else None


PLAN = Plan(
    number="07",
    title="The life of a request: pause, resume, callout, local reply",
    minutes=20,
    parameters=(
        Parameter("auth_ms", 20, (10, 20, 50, 100, 200), "how long the service auth takes, in ms"),
        Parameter("together", 4, range(2, 9), "how many requests come at the same moment"),
    ),
    variants=({"auth_ms": 100, "together": 8}, {"auth_ms": 10, "together": 2}),
    exercises=(
        Exercise(
            "07.1",
            "Which three statuses do the clients get?",
            truth=_statuses,
            wrong=(
                Wrong(
                    lambda at: (401, 401, 200),
                    "the second request has an authorization, so it is not stopped: auth is asked, and says no.",
                ),
                Wrong(
                    lambda at: (403, 403, 200),
                    "without any authorization nobody needs to be asked: the filter answers 401 at once.",
                ),
                Wrong(lambda at: (200, 200, 200), "pausing comes first, but a paused request need not be let go on."),
                Wrong(lambda at: (401, 200, 200), "auth says 200 to a Bearer only; the second request has Basic."),
            ),
            hint="Take each request through the three lines of the list by hand.",
            solution="401 (no authorization), 403 (auth says no), 200 (auth says yes).",
        ),
        Exercise(
            "07.2",
            "Between which two callbacks does the request wait?",
            truth=_waits_between,
            wrong=(
                Wrong(
                    lambda at: ("proxy_http_call", "proxy_on_http_call_response"),
                    "proxy_http_call is a host call, and it returns at once. In which callback was it made?",
                ),
                Wrong(
                    lambda at: ("proxy_on_context_create", "proxy_on_http_call_response"),
                    "the context is made before the filter has seen a header; it cannot have asked anybody yet.",
                ),
                Wrong(
                    lambda at: ("proxy_on_request_headers", "proxy_continue_stream"),
                    "proxy_continue_stream is a host call, made when the waiting is over. In which callback?",
                ),
                Wrong(
                    lambda at: ("proxy_on_request_headers", "proxy_on_request_headers"),
                    "the second one is the next filter's: the waiting is over by then.",
                ),
            ),
            hint="Look for a callback that ends with STOP_ITERATION, and for the callback that is called next.",
            solution="proxy_on_request_headers (it answers STOP_ITERATION), proxy_on_http_call_response",
        ),
        Exercise(
            "07.3",
            "After how many ms have all requests been answered?",
            truth=_took,
            unit="ns",
            tolerance=0.1,
            wrong=(
                Wrong(
                    lambda at: at.together * at.auth_ms * _MS,
                    "that would be so if a paused request held the worker: one after the other. A pause holds one "
                    "request; the worker goes on with the next one, so all {together} wait for auth at the same time.",
                ),
                Wrong(lambda at: 2 * at.auth_ms * _MS, "auth is asked once for each request: there, and back."),
                Wrong(lambda at: at.auth_ms * _MS // at.together, "waiting together makes nobody's waiting shorter."),
            ),
            hint="What does the worker do between the first pause and auth's first answer?",
            solution="about {auth_ms} ms: all of them wait at the same time.",
        ),
        Exercise(
            "07.4",
            "Which of a, b, c, d happen to the request that gets 401?",
            truth=_what_happens,
            wrong=(
                Wrong(
                    lambda at: frozenset("abcd"),
                    "the filter stopped it: what comes behind that filter sees no request.",
                ),
                Wrong(
                    lambda at: frozenset("d"),
                    "nearly. A local reply is a response, and responses pass filters on their way out.",
                ),
                Wrong(lambda at: frozenset("c"), "nearly. Each stream ends in a log, however it ended."),
                Wrong(
                    lambda at: frozenset("acd"),
                    "hello is behind authorise, and authorise did not let the request go on.",
                ),
                Wrong(lambda at: frozenset(), "look at the trace again, behind proxy_send_local_response."),
            ),
            hint="Count the lines proxy_on_request_headers, proxy_on_response_headers and proxy_on_log in the trace.",
            solution="c and d: the response passes authorise, and the stream is logged.",
        ),
        Exercise(
            "07.5",
            "Which status does the client get while auth is down?",
            truth=_when_down,
            wrong=(
                Wrong(
                    lambda at: 503,
                    "503 is what the *filter* gets: it is the callout's answer. What does the filter do with an "
                    "answer that is not 2xx?",
                ),
                Wrong(
                    lambda at: 504,
                    "504 is what the filter gets when auth does not answer in time. What does it do then?",
                ),
                Wrong(lambda at: 200, "this filter lets a request pass only when auth said yes."),
                Wrong(lambda at: 401, "401 is for requests without an authorization; this one has one."),
                Wrong(lambda at: 0, "Envoy itself is well: it answers."),
            ),
            hint="Read the list of part 1 again: any answer that is not 2xx is treated alike.",
            solution="403: the callout ends with a 503 of Envoy's own, and the filter refuses whatever is not 2xx.",
        ),
        Exercise(
            "07.6",
            "Code, as a text of WAT, that lets the request go on when auth is down.",
            test=_lenient,
            hint="The host call proxy_continue_stream is imported as $continue. It takes 0 for the request's side, and "
            "returns a status that must be dropped.",
            solution='code = "(drop (call $continue (i32.const 0)))"',
        ),
    ),
)
