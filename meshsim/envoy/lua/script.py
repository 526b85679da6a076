"""A script of the configuration, and its state on each thread."""

from __future__ import annotations

from meshsim.abi.constants import LogLevel
from meshsim.abi.events import LogLine
from meshsim.envoy.lua.host import Functions
from meshsim.envoy.lua.run import Run
from meshsim.envoy.lua.state import STRIDE, State
from meshsim.envoy.thread_host import ThreadHost
from meshsim.sim import Level

_STEP_INSTRUCTIONS = 4
"""Instructions of LuaJIT in one iteration of the loop that ``lua_step_ns`` of a profile was measured with."""


class LoadedScript:
    """A script on one thread: its globals are shared by all streams there.

    Raises
    ------
    ScriptError
        The script cannot be loaded.
    """

    def __init__(self, code: bytes, host: ThreadHost) -> None:
        self._host = host
        self._keeps_logs = host.process.recorder.level >= Level.ABI
        self.runs: dict[int, Run] = {}
        self._numbers = 0
        costs = host.process.costs
        self._call_ns = costs.lua_call_ns
        self._stride_ns = round(costs.lua_step_ns * STRIDE / _STEP_INSTRUCTIONS)
        functions = Functions(
            self.runs, lambda items: self.state.table(items), self._log, host.has_cluster, host.epoch_ns
        )
        self.state = State(code, functions.all(), host.process.limits)

    def number(self) -> int:
        """Number a run."""
        self._numbers += 1
        return self._numbers

    def spend_call(self) -> None:
        """Charge for a call of a method."""
        self._host.thread.spend(self._call_ns)

    def spend_strides(self) -> None:
        """Charge for the instructions that were run; a loop's many count, not a handful."""
        self._host.thread.spend(self.state.strides() * self._stride_ns)

    def _log(self, level: str, text: bytes) -> None:
        self.spend_call()
        self.write(level, text)

    def write(self, level: str, text: bytes) -> None:
        """Write a line to Envoy's log."""
        if self._keeps_logs:
            self.state.keep(len(text))
            self._host.emit(LogLine(level, "script log: " + text.decode("utf-8", "surrogateescape"), True))

    def write_error(self, text: bytes) -> None:
        """Write why the script failed."""
        self.write(LogLevel.ERROR.envoy_name, text)


class Script:
    """A script, wherever it stands in the configuration: each place has states of its own."""

    def __init__(self, code: bytes) -> None:
        self._code = code
        self._loaded: dict[ThreadHost, LoadedScript] = {}

    def on(self, host: ThreadHost) -> LoadedScript:
        """Return the script on a thread, loaded when it is first asked for."""
        if host not in self._loaded:
            self._loaded[host] = LoadedScript(self._code, host)
        return self._loaded[host]
