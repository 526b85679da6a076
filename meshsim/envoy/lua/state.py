"""A LuaJIT state: one script on one thread, in a sandbox, with limits.

LuaJIT is Envoy's own engine for Lua; here it comes with ``lupa``, the extra ``lua``. Scripts reach nothing of the
machine (``sandbox.lua``), and nothing of Python: what they hold are objects (``objects.lua``), whose methods hold the
host's functions where no script sees them. The methods are in a file for each kind of object; the files run in a row,
before the script does, and each takes what those before it have made.

Scripts are interpreted, never compiled by LuaJIT, because only the interpreter asks the hook that ends a script which
does not return. So the number of instructions is the same in every run; it is counted in strides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from meshsim.errors import DeadlineExceeded, MeshsimError
from meshsim.wasm import Limits

STRIDE = 1000
"""Instructions of LuaJIT between two questions whether a script has gone too far."""

_SOFT_BYTES, _SLACK_BYTES = 64 << 20, 64 << 20
_SECONDS = 30.0


class Outcome(NamedTuple):
    """How a script stopped: ``done``, ``waits`` (it yielded) or ``failed``, and then why."""

    kind: str
    problem: bytes


class ScriptError(Exception):
    """A script that cannot be loaded: the words of LuaJIT."""


def _no_attributes(_: object, name: object, setting: bool) -> object:
    """Keep scripts off the attributes of the host's functions, should they ever get hold of one."""
    raise AttributeError(name)


@cache
def _source(name: str) -> bytes:
    """Read a file of this package; every state runs the same."""
    return files(__package__).joinpath(name).read_bytes()


def _runtime() -> Any:
    try:
        from lupa import luajit21
    except ImportError as error:
        raise MeshsimError("the Lua filter needs LuaJIT", remedy="pip install 'meshsim[lua]'") from error
    return luajit21.LuaRuntime(
        encoding=None,
        register_eval=False,
        register_builtins=False,
        unpack_returned_tuples=True,
        attribute_filter=_no_attributes,
        max_memory=_SOFT_BYTES + _SLACK_BYTES,
    )


class State:
    """A script's state.

    Parameters
    ----------
    code : bytes
        The script.
    functions : mapping of str to callable
        What the methods of the objects call.
    limits : Limits
        Of these, ``fuel_per_call`` bounds the instructions of one step, and ``deadline_s`` its seconds.

    Raises
    ------
    ScriptError
        The script is no Lua, or fails while it is loaded.
    MeshsimError
        There is no LuaJIT.

    Examples
    --------
    >>> State(b"function envoy_on_request(handle) end", {}, Limits()).has("envoy_on_request")
    True
    """

    def __init__(self, code: bytes, functions: Mapping[str, Callable[..., Any]], limits: Limits) -> None:
        self._runtime = _runtime()
        self._trouble: BaseException | None = None
        self._limits = limits
        self._kept = 0
        table = self._runtime.table_from({name.encode(): self._guarded(made) for name, made in functions.items()})
        fuel, seconds = limits.fuel_per_call, limits.deadline_s or _SECONDS
        self._sandbox = self._execute("sandbox.lua", table, STRIDE, fuel, seconds, _SOFT_BYTES >> 10)
        objects = self._execute("objects.lua", table, self._sandbox)
        for name in ("messages.lua", "facts.lua", "statistics.lua"):
            self._execute(name, table, self._sandbox, objects)
        answer = self._execute("handle.lua", table, self._sandbox, objects)
        self._driver = self._execute("runs.lua", self._sandbox, objects, answer)
        self._load(code)

    def _execute(self, name: str, *given: Any) -> Any:
        return self._runtime.execute(_source(name), *given, name=b"=" + name.encode())

    def _guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Let what a host's function raises end the step, whatever the script does about errors."""

        def call(*given: Any) -> Any:
            try:
                return function(*given)
            except Exception as error:
                self._trouble = self._trouble or error
                self._sandbox[b"stop"](b"host")
                return None

        return call

    def _load(self, code: bytes) -> None:
        outcome = self._judge(self._sandbox[b"load"](code))
        if outcome.kind == "failed":
            raise ScriptError(outcome.problem.decode("utf-8", "surrogateescape"))

    # -- running ---

    def has(self, function: str) -> bool:
        """Whether the script has a global function of this name."""
        return bool(self._driver[b"has"](function.encode()))

    def start(self, run: int, function: str) -> Outcome:
        """Run a function until it waits or ends, with a handle of its own."""
        self._kept = 0
        return self._judge(self._driver[b"start"](run, function.encode()))

    def resume(self, run: int, given: str = "") -> Outcome:
        """Go on with what a run waited for: ``body``, ``chunk``, ``trailers``, ``answer``, or nothing."""
        self._kept = 0
        return self._judge(self._driver[b"resume"](run, given.encode()))

    def keep(self, size: int) -> None:
        """Take note that the host keeps so many bytes for the script.

        Raises
        ------
        MeshsimError
            It is more than ``kept_bytes_per_call`` since the script went on.
        """
        self._kept += size
        if self._kept > self._limits.kept_bytes_per_call:
            limit = self._limits.kept_bytes_per_call
            raise MeshsimError(f"a Lua script logs more than {limit} bytes at once", remedy="change the script")

    def forget(self, run: int) -> None:
        """Let go of a run that is over."""
        self._driver[b"forget"](run)

    def strides(self) -> int:
        """Return how many strides of instructions were made since this was asked last."""
        return int(self._sandbox[b"strides"]())

    def _judge(self, told: Any) -> Outcome:
        kind, problem = told if isinstance(told, tuple) else (told, None)
        trouble, self._trouble = self._trouble, None
        if trouble is not None:
            raise trouble
        if kind == b"stopped":
            return self._stopped(problem)
        return Outcome(kind.decode(), problem or b"")

    def _stopped(self, why: bytes) -> Outcome:
        if why == b"instructions":
            return Outcome("failed", b"out of fuel")
        if why == b"memory":
            return Outcome("failed", b"not enough memory")
        raise DeadlineExceeded(
            "a Lua script went on for too long" if why == b"seconds" else "a Lua pattern may take too long to match",
            remedy="a simulation has to end: change the script, or limit its instructions (fuel_per_call)",
        )

    # -- values ---

    def table(self, items: Iterable[Any]) -> Any:
        """Make a Lua table of a sequence."""
        return self._runtime.table_from(list(items))
