"""From the model of a scenario to a mesh and its load: what does not fit together is found here, all of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from meshsim.errors import ConfigError
from meshsim.mesh import actions
from meshsim.mesh.isotope import topology_of
from meshsim.mesh.load import ClosedLoop, Load, OpenLoop, Phases, Trace
from meshsim.mesh.mesh import GATEWAY, Mesh
from meshsim.mesh.network import Link, Network, Tls
from meshsim.mesh.places import Document, Mistake, Mistakes, Path, dotted, instead, yaml_values
from meshsim.mesh.scenario_model import (
    EventPart,
    LinkPart,
    NetworkPart,
    OpenPart,
    PluginPart,
    ScenarioModel,
    ServicePart,
    TrafficPart,
)
from meshsim.mesh.times import Constant
from meshsim.mesh.topology import Retry, Topology, Traffic

Read = Callable[[str], bytes]
"""Gives the bytes of a file that a scenario names; a ConfigError when it cannot."""

ALL = "*"
_WASM = b"\0asm"


def build(document: Document, model: ScenarioModel, read: Read) -> tuple[Mesh, Load]:
    """Make what a scenario says.

    Raises
    ------
    Mistakes
        With all that does not fit together.
    """
    return _Builder(document, model, read).whole()


class _Builder:
    """Makes the parts of a scenario, and collects what does not fit together."""

    def __init__(self, document: Document, model: ScenarioModel, read: Read) -> None:
        self._document = document
        self._model = model
        self._read = read
        self._mistakes: list[Mistake] = []

    def whole(self) -> tuple[Mesh, Load]:
        """Make mesh and load; raise Mistakes when there are any."""
        topology = self._topology()
        load = self._try(("load",), self._load)
        if self._model.warmup >= self._model.duration:
            self._wrong(("warmup",), "leaves nothing of the duration", "make it shorter")
        mesh = None if topology is None else self._mesh(topology)
        if self._mistakes or mesh is None or load is None:
            raise Mistakes(self._document.origin, self._mistakes)
        return mesh, load

    # --- mistakes ---

    def _wrong(self, path: Path, what: str, remedy: str = "") -> None:
        self._mistakes.append(Mistake(self._document.line(path), dotted(path), what, remedy))

    def _try(self, path: Path, make: Callable[[], Any]) -> Any:
        """Make something; what it is refused for is a mistake at ``path``."""
        try:
            return make()
        except ConfigError as error:
            place = f"{error.where}: " if error.where else ""
            self._wrong(path, f"{place}{error.what}", error.remedy)
            return None

    def _service(self, path: Path, name: str, topology: Topology, *, besides: Sequence[str] = ()) -> bool:
        if name in topology or name in besides:
            return True
        known = [*besides, *(service.name for service in topology)]
        self._wrong(path, f"no service {name!r}", instead(name, known))
        return False

    # --- parts ---

    def _topology(self) -> Topology | None:
        topology: Topology | None = self._try(("topology",), self._plain_topology)
        for name, part in sorted(self._model.services.items(), key=lambda item: item[0] != ALL):
            if topology is None or not self._service(("services", name), name, topology, besides=(ALL,)):
                continue
            for service in topology if name == ALL else (topology[name],):
                topology = topology.with_service(service.name, **_changes(part, service.traffic))
        return topology

    def _plain_topology(self) -> Topology:
        given = self._model.topology
        return topology_of(given if isinstance(given, dict) else yaml_values(self._utf8(given), given))

    def _utf8(self, name: str) -> str:
        try:
            return self._read(name).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ConfigError(f"not UTF-8 at byte {error.start}", name, "save it as UTF-8") from None

    def _mesh(self, topology: Topology) -> Mesh:
        model = self._model
        options = model.model_dump(include={"proxies", "gateway", "nodes", "envoy_headers", "deal"})
        mesh = Mesh(topology, network=_network(model.network), **options)
        for place, plugin in enumerate(model.plugins):
            mesh = self._with_plugin(mesh, ("plugins", place), plugin)
        for place, event in enumerate(model.timeline):
            mesh = self._with_event(mesh, ("timeline", place), event)
        return mesh

    def _with_plugin(self, mesh: Mesh, path: Path, plugin: PluginPart) -> Mesh:
        besides = (GATEWAY,) if self._model.gateway else ()
        known = [
            self._service((*path, "services", place), name, mesh.topology, besides=besides)
            for place, name in enumerate(plugin.services)
        ]
        if self._model.proxies == "none":
            self._wrong(path, "there are no proxies that could hold a plugin", "leave out proxies: none")
        module = self._module((*path, "module"), plugin.module)
        if module is None or not all(known):
            return mesh
        options = plugin.model_dump(include={"direction", "fail_policy", "root_id", "vm_id"})
        return mesh.with_filter(
            *plugin.services,
            module=module,
            name=_plugin_name(plugin),
            configuration=_text(plugin.configuration),
            **options,
        )

    def _module(self, path: Path, name: str) -> bytes | None:
        module: bytes | None = self._try(path, lambda: self._read(name))
        if module is not None and not module.startswith(_WASM):
            self._wrong(path, f"{name}: no Wasm module", "name a .wasm file")
            return None
        return module

    def _load(self) -> Load:
        part = self._model.load
        if part.open is not None:
            return _open_loop(part.open)
        if part.closed is not None:
            return ClosedLoop(part.closed.users, part.closed.think or Constant(0))
        if part.phases is not None:
            return Phases(tuple((phase.lasts / 1e9, _open_loop(phase)) for phase in part.phases))
        assert part.trace is not None  # the model holds exactly one
        lines = self._read(part.trace.file).decode("utf-8", "replace").splitlines()
        return Trace.from_csv(lines, part.trace.column, connections=part.trace.connections)

    # --- timeline ---

    def _with_event(self, mesh: Mesh, path: Path, event: EventPart) -> Mesh:
        if event.at >= self._model.duration:
            self._wrong((*path, "at"), "the load has ended by then", "make the duration longer, or this earlier")
        kind = next(name for name in _EVENTS if getattr(event, name) is not None)
        action = _EVENTS[kind](self, (*path, kind), getattr(event, kind), mesh)
        return mesh if action is None else mesh.at(event.at, action)

    def _roll_out(self, path: Path, part: Any, mesh: Mesh) -> actions.Action | None:
        module = self._module((*path, "module"), part.module)
        if not self._service((*path, "service"), part.service, mesh.topology) or module is None:
            return None
        names = [found.name for found in mesh.filters.get(part.service, ())]
        if part.plugin not in names:
            self._wrong(
                (*path, "plugin"), f"{part.service!r} has no plugin {part.plugin!r}", instead(part.plugin, names)
            )
            return None
        configuration = None if part.configuration is None else _text(part.configuration)
        return actions.RollOut(part.service, part.plugin, module, configuration, part.pause)

    def _crash(self, path: Path, part: Any, mesh: Mesh) -> actions.Action | None:
        service, _, number = part.pod.rpartition("-")
        if not number.isdecimal() or service not in mesh.topology:
            pods = [f"{one.name}-{k}" for one in mesh.topology for k in range(one.replicas)]
            self._wrong((*path, "pod"), f"no pod {part.pod!r}", instead(part.pod, pods[:12]))
            return None
        return actions.CrashWorker(part.pod, part.worker, part.down)

    def _latency(self, path: Path, part: Any, mesh: Mesh) -> actions.Action | None:
        zones = _zones(mesh.topology)
        if part.where not in zones and part.where not in mesh.topology:
            known = [*zones, *(service.name for service in mesh.topology)]
            self._wrong((*path, "where"), f"{part.where!r} is no zone and no service", instead(part.where, known))
            return None
        return actions.AddLatency(part.where, part.by)

    def _fault(self, path: Path, part: Any, mesh: Mesh) -> actions.Action | None:
        if not self._service((*path, "service"), part.service, mesh.topology):
            return None
        return actions.SetFault(part.service, part.error_rate, part.delay)

    def _scale(self, path: Path, part: Any, mesh: Mesh) -> actions.Action | None:
        if not self._service((*path, "service"), part.service, mesh.topology):
            return None
        return actions.Scale(part.service, part.replicas)

    def _partition(self, path: Path, part: Any, mesh: Mesh) -> actions.Action | None:
        zones = _zones(mesh.topology)
        for place, zone in enumerate(part.between):
            if zone not in zones:
                self._wrong((*path, "between", place), f"no zone {zone!r}", instead(zone, zones))
        zone, other = part.between
        return actions.Partition(zone, other, part.lasts)


_EVENTS: Mapping[str, Callable[[_Builder, Path, Any, Mesh], actions.Action | None]] = {
    "roll_out": _Builder._roll_out,
    "crash_worker": _Builder._crash,
    "add_latency": _Builder._latency,
    "set_fault": _Builder._fault,
    "scale": _Builder._scale,
    "partition": _Builder._partition,
}


def _zones(topology: Topology) -> list[str]:
    return list(dict.fromkeys(zone for service in topology for zone in service.zones if zone))


def _plugin_name(plugin: PluginPart) -> str:
    return plugin.name or plugin.module.replace("\\", "/").rpartition("/")[2].partition(".")[0]


def _text(configuration: str | Mapping[str, Any]) -> str:
    return configuration if isinstance(configuration, str) else json.dumps(configuration)


def _open_loop(part: OpenPart) -> OpenLoop:
    return OpenLoop(part.rate, part.arrivals, part.burst, part.connections)


def _changes(part: ServicePart, before: Traffic) -> dict[str, Any]:
    """Return what a part of a scenario changes of a service; only what was given."""
    given = {name: getattr(part, name) for name in part.model_fields_set}
    if part.traffic is not None:
        given["traffic"] = _traffic(part.traffic, before)
    return {name: value for name, value in given.items() if value is not None or name == "queue"}


def _traffic(part: TrafficPart, before: Traffic) -> Traffic:
    names = {"timeout": "timeout_ns"}
    given = {names.get(name, name): getattr(part, name) for name in part.model_fields_set}
    if part.retry is not None:
        given["retry"] = Retry(part.retry.retry_on, part.retry.num_retries, part.retry.per_try_timeout)
    return replace(before, **given)


def _network(part: NetworkPart) -> Network:
    zones = {link.between: _link(link) for link in part.zones}
    return Network(_link(part), zones, Tls() if part.tls else None)


def _link(part: LinkPart) -> Link:
    plain = Link()
    return Link(part.latency or plain.latency, part.bandwidth, part.loss)
