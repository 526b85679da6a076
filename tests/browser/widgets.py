"""The widgets that are tested and pictured: one row each.

To add one: a row in :data:`WIDGETS`; the tests of this folder, ``make screenshots`` and the gallery's test read it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Locator


@dataclass(frozen=True, slots=True)
class Touch:
    """What a hand does, and what the kernel then has.

    Attributes
    ----------
    what : str
        What is done, in words.
    hand : function
        Does it, with the live widget's element.
    asked : str
        A Python expression with ``w``, the widget.
    answer : str
        What it prints afterwards.
    seen : (str, str), optional
        A test id inside the widget, and the text that it has afterwards.
    """

    what: str
    hand: Callable[[Locator], Any] = field(repr=False)
    asked: str
    answer: str
    seen: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A widget: its class in the flat namespace, its test id, the code that makes it as ``w``, and what is done to it.

    ``many`` makes one with ten thousand events, to see how long its first picture takes. ``pose``, by hand, and
    ``posed``, in Python, bring the widget into the state that is pictured.
    """

    name: str
    test_id: str
    code: str
    touches: Sequence[Touch]
    many: str = ""
    pose: Callable[[Locator], Any] | None = None
    posed: str = ""

    def make(self, code: str = "") -> Any:
        """Run the code here and return the widget."""
        names: dict[str, Any] = {}
        exec(code or self.code, names)
        return names["w"]


def _press(widget: Locator, *names: str) -> None:
    widget.get_by_test_id("chart").focus()
    for name in names:
        widget.page.keyboard.press(name)


def _set_slider(widget: Locator, label: str, *names: str) -> None:
    widget.get_by_role("slider", name=label).focus()
    for name in names:
        widget.page.keyboard.press(name)


_LOAD_TIMELINE = Row(
    "LoadTimeline",
    "load_timeline",
    "import meshsim as ms\nw = ms.LoadTimeline(workers=2)",
    (
        Touch("click a bar", lambda w: w.locator("[data-kind=canary]").click(),
              "w.view['bars'][w.selected]['k']", "canary"),
        Touch("arrow keys", lambda w: _press(w, "ArrowRight"), "w.view['bars'][w.selected]['k']", "clone"),
        Touch("scrub to the start", lambda w: (w.get_by_test_id("scrub").focus(), w.page.keyboard.press("Home")),
              "w.step", "0", ("count-active", "0○")),
        Touch("step on", lambda w: w.get_by_test_id("on").click(), "w.step", "1", ("count-active", "1○")),
        Touch("a third worker", lambda w: _set_slider(w, "Workers N", "ArrowRight"), "(w.workers, w.active, w.created)",
              "(3, 5, 6)", ("count-active", "5○")),
        Touch("two plugins, a VM each", lambda w: (_set_slider(w, "Plugins P", "ArrowRight"),
              w.get_by_label("VMs").select_option("own")), "(w.plugins, w.active, w.created)", "(2, 10, 12)",
              ("count-active", "10○")),
        Touch("misspell an import", lambda w: w.get_by_label("Module").select_option("import"),
              "(w.fault, w.active, w.created)", "('import', 0, 1)", ("count-active", "0○")),
    ),
    many="from meshsim import LoadTimeline\nw = LoadTimeline(workers=128)\nw.own_vms = True\nw.plugins = 39",
)  # fmt: skip


def _scrub(widget: Locator, value: int) -> None:
    widget.get_by_label("Step", exact=True).evaluate(
        "(e, v) => { e.value = v; e.dispatchEvent(new Event('input', { bubbles: true })) }", value
    )


def _keys(widget: Locator, *names: str) -> None:
    widget.get_by_role("listbox").focus()
    for name in names:
        widget.page.keyboard.press(name)


_REQUEST_PLAYER = Row(
    "RequestPlayer",
    "request_player",
    "import meshsim as ms\nw = ms.RequestPlayer()",
    (
        Touch("step", lambda w: w.get_by_title("Step (\N{RIGHTWARDS ARROW})", exact=True).click(), "w.step", "1",
              ("counter", "2 / 48")),
        Touch("arrow keys", lambda w: _keys(w, "ArrowDown", "ArrowRight", "ArrowUp"), "w.step", "2"),
        Touch("scrub", lambda w: _scrub(w, 21), "w.step", "21", ("counter", "22 / 48")),
        Touch("click a row", lambda w: w.get_by_role("option", name="add_header_map_value").first.click(),
              "w.view['steps'][w.step]['text']", "env.proxy_add_header_map_value", ("answer", "OK")),
        Touch("play", lambda w: (_keys(w, "Home"), w.get_by_label("Speed").select_option("4"),
              w.get_by_role("button", name="Play").click()), "w.step > 2", "True"),
        Touch("pause", lambda w: w.get_by_role("button", name="Pause").click(), "w.playing", "False"),
        Touch("go to a filter", lambda w: w.get_by_role("button", name="authorise response headers").click(),
              "w.view['visits'][w.view['steps'][w.step]['visit']]['piece']", "response headers"),
        Touch("another request", lambda w: w.get_by_label("Request", exact=True).select_option("0"),
              "(w.request, w.journey.status, w.step)", "(0, 401, 0)", ("counter", "1 / 22")),
        Touch("the real Envoy", lambda w: w.get_by_role("button", name="in the real Envoy").click(),
              "w.real in ('live', 'recorded')", "True"),
    ),
    many=(
        "import meshsim as ms\n"
        "from meshsim.widgets._overhead_run import bootstrap_text, start\n"
        "e = start(bootstrap_text('overhead/inspector.wasm', 1), 1, ms.Level.ABI)\n"
        "w = ms.RequestPlayer(e, request=ms.Request(method='POST', chunks=('x',) * 2500))"
    ),
    posed="w.step = 21",
)  # fmt: skip

_OVERHEAD_LAB = Row(
    "OverheadLab",
    "overhead_lab",
    "import meshsim as ms\nw = ms.OverheadLab(workers=4, plugins=3).refine()",
    (
        Touch("more workers", lambda w: _set_slider(w, "Workers", "ArrowRight"), "(w.workers, w.setup.workers)",
              "(5, 5)"),
        Touch("fewer filters", lambda w: _set_slider(w, "Filters", "ArrowLeft"), "w.plugins", "2"),
        Touch("rest: the curve is simulated anew, and finer", lambda w: None,
              "w.rounds > 1 and w.view['latency']['replications'] > 1", "True"),
        Touch("a body", lambda w: _set_slider(w, "Body", "ArrowRight"), "w.body_bytes", "1000"),
        Touch("a module that reads it", lambda w: w.get_by_label("A filter").select_option("body"),
              "(w.module, w.share.copied_bytes > 1000)", "('body', True)"),
        Touch("another policy", lambda w: w.get_by_label("When it crashes").select_option("open"),
              "[cell['word'] for cell in w.view['crash']['cells']][4]", "passed by"),
        Touch("one VM for all", lambda w: w.get_by_label("a VM for each filter").click(), "w.own_vms", "False"),
    ),
)  # fmt: skip

_COUNTING = """
import meshsim as ms, wasmtime
wasm = wasmtime.wat2wasm('''(module (memory 1)
  (func (export "count") (param $n i32) (result i32) (local $i i32)
    (loop $again
      (i32.store8 offset=64 (local.get $i) (i32.const 65))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $i) (local.get $n))))
    (i32.load offset=64 (i32.const 0))))''')
w = ms.StackMachine(wasm, "count", 4)
"""

_STACK_MACHINE = Row(
    "StackMachine",
    "stack_machine",
    _COUNTING,
    (
        Touch("step", lambda w: w.get_by_role("button", name="step").click(), "w.step", "1"),
        Touch("arrow keys", lambda w: _press(w, "ArrowRight", "ArrowRight"), "w.stack", "[0, 65]"),
        Touch("a byte is written", lambda w: _press(w, "ArrowRight"), "w.machine.memory[64]", "65",
              ("did", "i32.store8 offset=64 takes 65 and the address 0, and writes 1 byte at 64.")),
        Touch("back", lambda w: w.get_by_role("button", name="back").click(), "w.machine.memory[64]", "0"),
        Touch("to the end", lambda w: _press(w, "End"), "w.stack", "[1094795585]"),
        Touch("scrub to the start", lambda w: _set_slider(w, "step", "Home"), "(w.step, w.stack)", "(0, [])"),
    ),
    many=_COUNTING.replace('"count", 4', '"count", 1000'),
    posed="w.step = 16",
)  # fmt: skip

WIDGETS: Sequence[Row] = (_LOAD_TIMELINE, _REQUEST_PLAYER, _OVERHEAD_LAB, _STACK_MACHINE)
