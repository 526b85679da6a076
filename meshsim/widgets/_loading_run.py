"""Start an Envoy and keep how it loaded its plugins: the steps of each thread, and the VMs as they come and go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from meshsim.abi.constants import AbiVersion
from meshsim.abi.dialect import VERSIONS
from meshsim.abi.events import LogLine
from meshsim.abi.signatures import callbacks, offered
from meshsim.cost import CostModel
from meshsim.envoy.config.refusal import ConfigRefused
from meshsim.envoy.plugin_spec import PluginSpec
from meshsim.envoy.proxy import Envoy
from meshsim.errors import ModuleError
from meshsim.export.loading import Phase, Step, loading_steps
from meshsim.export.spans import CREATE, spans
from meshsim.sim import Entry
from meshsim.wasm import FuncType, ModuleFacts, parse_module
from meshsim.widgets._setup import Setup, plugin_configs


@dataclass(frozen=True, slots=True)
class Link:
    """An import, and whether the host has it: ``problem`` is empty when it has, and of the right type."""

    name: str
    type: str
    meaning: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class LookUp:
    """A callback that the host looks for: ``state`` is ``found``, ``absent`` or ``wrong``."""

    name: str
    state: str
    type: str
    meaning: str
    exported: str = ""


@dataclass(frozen=True)
class BaseVm:
    """A base VM: the module that it is made of, and which plugins share it."""

    vm_id: str
    code: bytes = field(repr=False)
    plugins: tuple[str, ...]
    setup: Setup = field(repr=False)

    @cached_property
    def facts(self) -> ModuleFacts | None:
        """What is in the module; None when it is none."""
        try:
            return parse_module(self.code)
        except ModuleError:
            return None

    @cached_property
    def version(self) -> AbiVersion | None:
        """The ABI version that the module names; None without one that Envoy knows."""
        known = VERSIONS[self.setup.dialect]
        markers = self.facts.abi_markers if self.facts else ()
        return next((known[v] for m in markers if (v := m.removeprefix("proxy_abi_version_")) in known), None)

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """Each import that the host is asked for."""
        if self.facts is None or self.version is None:
            return ()
        available = offered(self.version)
        links = []
        for wanted in self.facts.imports:
            function = available.get((wanted.module, wanted.name))
            if wanted.type is None:
                links.append(Link(str(wanted), wanted.kind, "made by the VM"))
            elif function is None:
                links.append(Link(str(wanted), str(wanted.type), "", "missing: this host has no such function"))
            else:
                problem = "" if function.type == wanted.type else f"type mismatch: the host has {function.type}"
                links.append(Link(str(wanted), str(wanted.type), function.meaning, problem))
        return tuple(links)

    @cached_property
    def look_ups(self) -> tuple[LookUp, ...]:
        """Each callback that the host looks for, in its order."""
        if self.facts is None or self.version is None:
            return ()
        exported = {each.name: each.type for each in self.facts.exports if each.kind == "func" and each.type}
        return tuple(
            LookUp(each.name, _state(exported.get(each.name), each.type), str(each.type), each.meaning,
                   str(exported.get(each.name, "")))
            for each in callbacks(self.version).values()
        )  # fmt: skip


def _state(exported: FuncType | None, wanted: FuncType) -> str:
    return "absent" if exported is None else "found" if exported == wanted else "wrong"


@dataclass(frozen=True, slots=True)
class Part:
    """One step of one thread, with the number of the base VM and the name of the plugin that it is about."""

    step: Step
    vm: int
    plugin: str = ""

    @property
    def roots(self) -> int:
        """How many root contexts are made in it."""
        return sum(1 for call in self.step.calls if call.function == CREATE)


@dataclass(frozen=True, slots=True)
class Loaded:
    """How an Envoy loaded its plugins.

    Attributes
    ----------
    vms : tuple of BaseVm
        In the order in which they were made.
    plugins : tuple of str
        Distinct plugins that were loaded, in order.
    parts : tuple of Part
        In the order of time.
    problems : tuple of str
        What Envoy said that is an error, in order.
    refused : str
        Why Envoy does not start; empty when it does.
    """

    setup: Setup
    vms: tuple[BaseVm, ...]
    plugins: tuple[str, ...]
    parts: tuple[Part, ...]
    problems: tuple[str, ...]
    refused: str
    costs: CostModel = field(repr=False)


def load(setup: Setup) -> Loaded:
    """Start an Envoy as set up.

    Raises
    ------
    MeshsimError
        The bootstrap cannot be used. Where Envoy refuses a plugin, that is a result.
    """
    costs = CostModel()
    envoy = Envoy(setup.changed, concurrency=setup.workers, costs=costs, abi=setup.dialect)
    refused = ""
    try:
        envoy.start()
    except ConfigRefused as error:
        refused = error.envoy_says
    specs = _specs(envoy, refused)
    vms = _base_vms(specs, setup)
    events = tuple(envoy.recorder.events)
    steps = _split(loading_steps(spans(events)), vms, costs)
    return Loaded(
        setup,
        vms,
        tuple(spec.plugin.name for spec in envoy.process.plugins.loaded),
        tuple(_assigned(steps, specs)),
        tuple(_problems(events)),
        refused,
        costs,
    )


def _specs(envoy: Envoy, refused: str) -> list[PluginSpec]:
    """Every plugin in the order of loading; the one that was refused is the last."""
    specs = list(envoy.process.plugins.loaded)
    sources = envoy.bootstrap.sources
    for config in plugin_configs(envoy.bootstrap) if refused else ():
        vm = config.vm_config
        if refused.endswith(f" {config.name}"):
            code = sources.bytes_of(vm.code.local) if vm and vm.code and vm.code.local else b""
            return [*specs, PluginSpec.of(config, code, vm.environment(sources.environment) if vm else {})]
    return specs


def _base_vms(specs: Sequence[PluginSpec], setup: Setup) -> tuple[BaseVm, ...]:
    by_key: dict[str, list[PluginSpec]] = {}
    for spec in specs:
        by_key.setdefault(spec.vm_key, []).append(spec)
    return tuple(
        BaseVm(group[0].vm_id, group[0].code, tuple(spec.plugin.name for spec in group), setup)
        for group in by_key.values()
    )


def _split(steps: Sequence[Step], vms: Sequence[BaseVm], costs: CostModel) -> Iterator[Step]:
    """Say of each base VM how much of its time is compiling (its module tells), and of a start whose it is."""
    made = iter(vms)
    begun_ns = 0
    for step in steps:
        if step.phase is Phase.ISOLATE:
            begun_ns = step.start_ns
        elif step.phase is Phase.COMPILE:
            vm = next(made)
            branches = vm.facts.branches if vm.facts else None
            compiling_ns = max(begun_ns, step.end_ns - costs.compile_ns(len(vm.code), branches))
            yield Step(step.track, Phase.ISOLATE, begun_ns, compiling_ns)
            yield replace(step, start_ns=compiling_ns)
        elif step.phase is Phase.START:
            yield from _by_plugin(step)
        else:
            yield step


def _by_plugin(step: Step) -> Iterator[Step]:
    """Cut where another plugin's root context is made."""
    cuts = [i for i, call in enumerate(step.calls) if call.function == CREATE] or [0]
    for first, after in zip(cuts, [*cuts[1:], len(step.calls)], strict=True):
        calls = step.calls[first:after]
        yield Step(step.track, step.phase, calls[0].start_ns, calls[-1].end_ns, calls)


def _assigned(steps: Iterable[Step], specs: Sequence[PluginSpec]) -> Iterator[Part]:
    """Say of each step what it is about, in the order of time.

    Every thread makes the plugins in the order in which they were loaded, and a VM when the first plugin needs it.
    """
    keys = list(dict.fromkeys(spec.vm_key for spec in specs))
    firsts = [next(spec for spec in specs if spec.vm_key == key) for key in keys]
    turn: Counter[tuple[str, Phase]] = Counter()
    for step in sorted(steps, key=lambda each: (each.start_ns, each.end_ns, each.track != "main", each.track)):
        order = specs if step.phase in (Phase.CANARY, Phase.START) else firsts
        spec = order[min(turn[step.track, step.phase], len(order) - 1)]
        turn[step.track, step.phase] += 1
        yield Part(step, keys.index(spec.vm_key), spec.plugin.name if order is specs else "")


def _problems(events: Iterable[Entry]) -> Iterator[str]:
    for entry in events:
        match entry.event:
            case LogLine(level="error" | "critical", text=text):
                yield text
