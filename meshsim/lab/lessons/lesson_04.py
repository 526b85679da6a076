"""Lesson 04: loading."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from meshsim.lab.lessons.answers import Unreadable
from meshsim.lab.lessons.plan import Exercise, Parameter, Plan, Wrong
from meshsim.lab.lessons.runs import names, started

if TYPE_CHECKING:
    from meshsim.envoy.proxy import Envoy
    from meshsim.lab.lessons.lesson import Lesson

ACTIVE = "wasm.envoy.wasm.runtime.v8.active"
CREATED = "wasm.envoy.wasm.runtime.v8.created"

#: The steps of loading, as the notebook numbers them, by the kinds of the timeline's bars.
_STEPS = {"isolate": 1, "compile": 2, "abi": 3, "instance": 4, "callbacks": 5, "init": 6, "canary": 7, "clone": 8}


class Counts(NamedTuple):
    """What an Envoy counts when it is ready."""

    active: int
    created: int
    roots: int


class Case(NamedTuple):
    """What the formulas are about: N, V and P."""

    workers: int
    vms: int
    plugins: int


def counts_of(envoy: Envoy) -> Counts:
    """Count VMs and root contexts; a root context is one whose parent is 0."""
    stats = envoy.stats()
    made = (line.event for line in envoy.abi_trace() if line.text.startswith("[host->vm] proxy_on_context_create("))
    return Counts(stats[ACTIVE], stats[CREATED], sum(1 for event in made if event.values[1] == 0))


def counted(at: Lesson, case: Case) -> Counts:
    """Start an Envoy with the lesson's filter, repeated, and count."""
    from meshsim.widgets.load_timeline import LoadTimeline

    timeline = LoadTimeline(at.bootstrap, workers=case.workers)
    timeline.own_vms = case.vms > 1
    timeline.plugins = case.plugins
    return Counts(timeline.active, timeline.created, timeline.root_contexts)


def _active(at: Lesson) -> int:
    return counts_of(at.envoy()).active


def _created(at: Lesson) -> int:
    return counts_of(at.envoy()).created


def _start_order(at: Lesson) -> tuple[str, ...]:
    """The three callbacks that a plugin's first root context, the canary's, begins with."""
    return tuple(islice((name for name in names(at.envoy().abi_trace()) if name.startswith("proxy_on_")), 3))


def _compiling(at: Lesson) -> int:
    """Virtual time of compiling a module of the parameter's size, once; without making the isolate."""
    from meshsim.cost import CostModel

    return CostModel().compile_ns(at.module_kb * 1000)


def _stopped_at(at: Lesson) -> int:
    """At which of the notebook's steps loading ends when an import is missing."""
    from meshsim.widgets.load_timeline import LoadTimeline

    timeline = LoadTimeline(at.bootstrap, workers=at.workers)
    timeline.fault = "import"
    return next(_STEPS[bar["k"]] for bar in timeline.view["bars"] if bar["bad"])


# --- the formulas: a function of the learner's, held against simulated Envoys ----------------------------------------


#: A wrong formula for each count, what it gives, and what is forgotten in it. Looked for in this order.
_ACTIVE_SLIPS: Sequence[tuple[Callable[[Case], int], str]] = (
    (lambda at: at.vms * at.workers, "the base VM and the main thread's clone are missing"),
    (lambda at: at.vms * (at.workers + 1), "one VM of each key is missing: the base, or the main thread's clone"),
    (lambda at: at.vms * (at.workers + 3), "the canary is gone when Envoy is ready: it is created, but not active"),
    (lambda at: at.plugins * (at.workers + 2), "plugins of one key live in the same VM: count VMs, not plugins"),
    (lambda at: at.workers + 2, "that is right for one VM key; each further key has a base and clones of its own"),
)
_CREATED_SLIPS: Sequence[tuple[Callable[[Case], int], str]] = (
    (lambda at: at.vms * (at.workers + 2), "canaries are created too"),
    (
        lambda at: at.vms * (at.workers + 3),
        "each plugin is tried in a canary of its own, also where plugins share a VM",
    ),
    (lambda at: at.vms * (at.workers + 2) + 1, "each plugin is tried in a canary of its own"),
)
_ROOT_SLIPS: Sequence[tuple[Callable[[Case], int], str]] = (
    (
        lambda at: at.vms * (at.workers + 2),
        "a root context belongs to a plugin, not to a VM: plugins that share a VM have one each",
    ),
    (lambda at: at.plugins * (at.workers + 1), "the canary has one too, and the base VM has none"),
    (lambda at: at.plugins * (at.workers + 3), "the base VM has none: it never starts a plugin"),
    (lambda at: at.plugins * at.workers, "the canary and the main thread have one too"),
)
_SLIPS = {"active": _ACTIVE_SLIPS, "created": _CREATED_SLIPS, "roots": _ROOT_SLIPS}


def _formulas(at: Lesson, counts: Callable[[int, int, int], Any]) -> str | None:
    """Hold ``counts(workers, vms, plugins)`` against Envoys that are started for it."""
    cases = [Case(1, 1, 1), Case(3, 1, 1), Case(2, 1, 3), Case(4, 2, 2), Case(at.workers, at.plugins, at.plugins)]
    for case in cases:
        told = counts(*case)
        if isinstance(told, tuple | list) and ... in told:
            raise Unreadable("your function has an open place yet")
        if not isinstance(told, tuple | list) or len(told) != len(Counts._fields):
            return f"your function gave {told!r}; three numbers are asked for: active, created, roots."
        real = counted(at, case)
        for name, mine, theirs in zip(Counts._fields, told, real, strict=True):
            if mine != theirs:
                return _explained(case, name, mine, theirs)
    return None


def _explained(case: Case, name: str, mine: Any, theirs: int) -> str:
    slip = next((words for formula, words in _SLIPS[name] if formula(case) == mine), "")
    setting = f"workers={case.workers}, vms={case.vms}, plugins={case.plugins}"
    return f"for {setting} your function says {name} = {mine}, and Envoy counts {theirs}" + (
        f": {slip}." if slip else "."
    )


def _one_vm(at: Lesson, bootstrap: str | Path) -> str | None:
    """Whether a bootstrap, a text or a file, has two plugins in one VM."""
    text = bootstrap.read_text(encoding="utf-8") if isinstance(bootstrap, Path) else bootstrap
    seen = counts_of(started(at, text))
    plugins = seen.roots // (at.workers + 2)
    if plugins != 2:
        return f"there should still be two plugins, and Envoy loaded {plugins}: their names or root_ids must differ."
    if seen.active != at.workers + 2:
        return f"Envoy has {seen.active} VMs: two for each thread. The VM keys still differ."
    return None


PLAN = Plan(
    number="04",
    title="Loading: main thread, base VM, canary, clones",
    minutes=20,
    parameters=(
        Parameter("workers", 2, range(1, 9), "worker threads: N"),
        Parameter("plugins", 3, range(2, 5), "plugins, where there are several: P"),
        Parameter("module_kb", 2000, (50, 500, 1000, 2000, 4000), "size of a module, in kB"),
    ),
    variants=({"workers": 4, "plugins": 2, "module_kb": 500}, {"workers": 1, "plugins": 4, "module_kb": 4000}),
    exercises=(
        Exercise(
            "04.1",
            "How many VMs are active when Envoy is ready?",
            truth=_active,
            wrong=(
                Wrong(lambda at: at.workers + 3, "the canary is thrown away before Envoy is ready."),
                Wrong(
                    lambda at: at.workers + 1,
                    "one is missing. The main thread has a clone too, and the base that all were cloned from stays.",
                ),
                Wrong(lambda at: at.workers, "that is one for each worker. Which two others are there?"),
                Wrong(lambda at: 1, "the code is shared, but a VM belongs to one thread."),
            ),
            hint="Write the threads in a column, main too, one VM beside each. Then add what all were cloned from.",
            solution="the base + the main thread's clone + {workers} workers' clones: N + 2.",
        ),
        Exercise(
            "04.2",
            "How many VMs were created in all?",
            truth=_created,
            wrong=(
                Wrong(lambda at: at.workers + 2, "that is how many are left. One was made, used, and thrown away."),
                Wrong(lambda at: at.workers + 4, "only one is thrown away: there is one canary for each plugin."),
                Wrong(
                    lambda at: 2 * at.workers + 3,
                    "workers have no canaries: the plugin is tried once, on the main thread.",
                ),
            ),
            hint="Look for the bar on the main thread that is neither the base nor the thread's own clone.",
            solution="the {workers} + 2 that are active, and the canary: N + 3.",
        ),
        Exercise(
            "04.3",
            "Which three callbacks start a plugin, in order?",
            truth=_start_order,
            wrong=(
                Wrong(
                    lambda at: ("proxy_on_vm_start", "proxy_on_context_create", "proxy_on_configure"),
                    "even the start of the VM is told to a root context, so that must be there first.",
                ),
                Wrong(
                    lambda at: ("proxy_on_context_create", "proxy_on_configure", "proxy_on_vm_start"),
                    "the VM starts before the plugin in it gets its configuration.",
                ),
                Wrong(
                    lambda at: ("_initialize", "proxy_on_context_create", "proxy_on_vm_start"),
                    "_initialize is the module's own start: the base VM has it too, and knows no plugin.",
                ),
            ),
            hint="They are the first three lines after _initialize() that begin with proxy_on_.",
            solution="proxy_on_context_create, proxy_on_vm_start, proxy_on_configure",
        ),
        Exercise(
            "04.4",
            "For how long does the main thread compile?",
            truth=_compiling,
            unit="ns",
            tolerance=0.15,
            wrong=(
                Wrong(
                    lambda at: _compiling(at) * (at.workers + 2),
                    "that is once for each VM. Code is compiled once: clones share it.",
                ),
                Wrong(
                    lambda at: _compiling(at) * (at.workers + 3),
                    "that is once for each VM that is created. Code is compiled once: clones share it.",
                ),
                Wrong(
                    lambda at: _compiling(at) * at.workers,
                    "workers do not compile: clones share the code of the base VM.",
                ),
            ),
            hint="Bytes times nanoseconds a byte; then mind the unit. 1 ms is 1,000,000 ns.",
            solution="{module_kb} kB x 1000 bytes a kB x the printed ns a byte; once, however many VMs.",
        ),
        Exercise(
            "04.5",
            "counts(workers, vms, plugins) -> active, created, roots",
            test=_formulas,
            hint="Each VM key has workers + 2 VMs. Each plugin makes one canary more. A root context is a plugin's: "
            "there is one in every VM that starts it, canary included; the base starts none.",
            solution="def counts(workers, vms, plugins):\n"
            "    active = vms * (workers + 2)\n"
            "    return active, active + plugins, plugins * (workers + 2)",
        ),
        Exercise(
            "04.6",
            "At which step does a module with a missing import fail? 1 to 8.",
            truth=_stopped_at,
            wrong=(
                Wrong(lambda at: 1, "an isolate is an empty VM; no module is looked at yet."),
                Wrong(lambda at: 2, "the module is valid: it compiles. What it asks for is not there."),
                Wrong(lambda at: 4, "before an instance can be made, each import must have a function."),
                Wrong(lambda at: 5, "callbacks are exports. A missing one is no error, and imports come before."),
                Wrong(lambda at: 6, "nothing of the module can run before each import has a function."),
                Wrong(lambda at: 7, "the canary is a clone of a base VM that is whole. It does not come so far."),
                Wrong(lambda at: 8, "no worker ever hears of it."),
            ),
            hint="Look for the red bar: what does it say, and which line of the list says the same?",
            solution="3: link the imports. The host has no function of that name.",
        ),
        Exercise(
            "04.7",
            "Two plugins in one VM.",
            test=_one_vm,
            hint="The VM key is made of vm_id, code and VM configuration. The last two are the same already.",
            solution='shared = text.replace("vm_id: two", "vm_id: one")',
        ),
    ),
)
