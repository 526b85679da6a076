"""Scripts in their sandbox: none reaches the machine, none goes on for ever, none takes the host with it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from meshsim.envoy.lua.state import Outcome, ScriptError, State
from meshsim.errors import DeadlineExceeded, MeshsimError
from meshsim.wasm import Limits

FUEL = Limits(fuel_per_call=200_000)


class World:
    """A script with a host that only logs, and sorts."""

    def __init__(self, code: str, limits: Limits = FUEL) -> None:
        self.logs: list[bytes] = []
        functions = {"log": lambda level, text: self.logs.append(text), "sorted": self.sorted}
        self.state = State(code.encode(), functions, limits)

    def sorted(self, keys: Any) -> Any:
        return self.state.table(sorted(keys.values(), key=repr))

    def run(self) -> Outcome:
        return self.state.start(1, "envoy_on_request")


def run(body: str, limits: Limits = FUEL) -> Outcome:
    return World(f"function envoy_on_request(handle) {body} end", limits).run()


def said(expression: str) -> bytes:
    world = World(f"function envoy_on_request(handle) handle:logInfo(tostring({expression})) end")
    assert world.run().kind == "done"
    return world.logs[0]


LOOPS = [
    "while true do end",
    "while true do pcall(function() while true do end end) end",
    "local function f() pcall(f) while true do end end f()",
    "local co = coroutine.wrap(function() while true do end end) while true do pcall(co) end",
    "while true do xpcall(function() while true do end end, function() while true do end end) end",
    "while true do pcall(function() return ('x'):rep(1e9) end) end",
    "local t = setmetatable({}, {__index = function() while true do end end}) while true do pcall(rawequal, t.x) end",
    "table.sort({3, 2, 1}, function() while true do end end)",
    "('x'):gsub('x', function() while true do end end)",
    "jit.on() while true do end",
]


@pytest.mark.parametrize("body", LOOPS)
def test_a_script_that_does_not_return_is_ended(body: str) -> None:
    assert run(body) == Outcome("failed", b"out of fuel")


def test_a_script_that_does_not_return_ends_the_run_where_nothing_limits_its_instructions() -> None:
    with pytest.raises(DeadlineExceeded, match="too long"):
        run("while true do end", Limits(deadline_s=0.2))


@pytest.mark.parametrize(
    "body",
    [
        "local s = ('x'):rep(1e9)",
        "local t = {} while true do t[#t + 1] = ('x'):rep(1e6) .. #t end",
        "local t = {} while true do pcall(function() while true do t[#t + 1] = ('x'):rep(1e5) .. #t end end) end",
    ],
)
def test_memory_is_limited(body: str) -> None:
    assert run(body, Limits(fuel_per_call=50_000_000)) == Outcome("failed", b"not enough memory")


@pytest.mark.parametrize(
    "body",
    [
        "local function f() coroutine.wrap(f)() end f()",
        "local function f() ('x'):gsub('x', f) end f()",
        "local function f() ('x'):gsub('x', setmetatable({}, {__index = f})) end f()",
        "local function f() table.sort({2, 1}, f) end f()",
        "local m = {} m.__lt = function() table.sort({setmetatable({}, m), setmetatable({}, m)}) end m.__lt()",
        "local function f() return f() + 1 end f()",
        "local t = setmetatable({}, {}) getmetatable(t).__tostring = tostring tostring(t)",
    ],
)
def test_depth_is_limited(body: str) -> None:
    outcome = run(body)
    assert outcome.kind == "failed"
    assert b"overflow" in outcome.problem or outcome.problem == b"out of fuel"


def test_a_pattern_that_nothing_interrupts_is_not_begun() -> None:
    with pytest.raises(DeadlineExceeded, match="pattern"):
        run("('a'):rep(5000):find(('.-'):rep(10) .. 'b')")
    assert said("(('a'):rep(500) .. 'b'):find('(.-)b')") == b"1"


@pytest.mark.parametrize(
    "name",
    ["io", "ffi", "python", "newproxy", "dofile", "loadfile", "os.execute", "os.remove", "os.exit", "debug.getupvalue"],
)
def test_nothing_leads_out(name: str) -> None:
    assert said(name) == b"nil"


@pytest.mark.parametrize("body", ["require('ffi')", "require('io')", "load('\\27LJ')()", "package.loadlib('x', 'y')"])
def test_no_library_and_no_compiled_code_comes_in(body: str) -> None:
    assert run(body).kind == "failed"


def test_a_script_cannot_turn_its_own_tools_against_the_host() -> None:
    body = "pairs, next, tostring, error, select, type = nil handle:logInfo('still here')"
    world = World(f"function envoy_on_request(handle) {body} end")
    assert world.run().kind == "done"
    assert world.logs == [b"still here"]


def test_what_the_host_raises_ends_the_step_whatever_the_script_catches() -> None:
    def log(level: bytes, text: bytes) -> None:
        raise MeshsimError("no more")

    code = b"function envoy_on_request(h) while true do pcall(h.logInfo, h, 'x') end end"
    with pytest.raises(MeshsimError, match="no more"):
        State(code, {"log": log}, Limits()).start(1, "envoy_on_request")


def test_a_script_that_cannot_be_loaded_says_why_in_the_words_of_luajit() -> None:
    with pytest.raises(ScriptError, match=r'^\[string "x ="\]:1: unexpected symbol near \'<eof>\'$'):
        World("x =")
    with pytest.raises(ScriptError, match="at load"):
        World("error('at load')")


def test_instructions_are_counted_the_same_in_every_run() -> None:
    code = "function envoy_on_request() for i = 1, 100000 do local x = i % 7 end end"
    counts = set()
    for _ in range(3):
        world = World(code, Limits())
        world.run()
        counts.add(world.state.strides())
    assert len(counts) == 1
    assert counts.pop() > 100


_ORDER = """
from tests.envoy.lua.test_state import World
world = World('''function envoy_on_request(handle)
  local seen = {}
  for key in pairs({alpha = 1, beta = 2, gamma = 3, delta = 4, [7] = 5, [true] = 6}) do
    seen[#seen + 1] = tostring(key)
  end
  handle:logInfo(table.concat(seen, " ") .. tostring({}) .. tostring(handle) .. math.random(100))
end''')
world.run()
print(world.logs)
"""


def test_order_and_names_are_the_same_in_every_process() -> None:
    runs = {
        subprocess.run([sys.executable, "-c", _ORDER], capture_output=True, text=True, check=True).stdout
        for _ in range(3)
    }
    assert len(runs) == 1
    assert "0x" in runs.pop()
