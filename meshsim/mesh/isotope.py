"""Topologies in the form of isotope, the load tester of Istio: ``defaults`` and ``services`` with scripts.

What isotope reads is read as it is: sizes as ``1 KB`` (of 1024 bytes), ``errorRate`` as ``0.1%`` or a share, script
steps ``call``, ``sleep``, and lists of them, which are done at once. Fields that say where Kubernetes puts things
(``namespace``, ``numRbacPolicies``, ``type``) change nothing here; ``cluster`` is taken for a zone. Beside them a
service may have fields of :class:`meshsim.mesh.Service` in the same style: ``serviceTime``, ``concurrency``, ``queue``,
``discipline``, ``zones``, ``workers``, ``cpuLimit``; and a ``sleep`` may be any text of :mod:`meshsim.mesh.times`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import inf
from typing import Any

from meshsim.errors import ConfigError
from meshsim.mesh.times import Times, times
from meshsim.mesh.topology import Call, Service, Sleep, Step, Together, Topology

_SIZE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([kmgtp]?)i?b?", re.IGNORECASE)
_MOST_BYTES = 1 << 40
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_INERT = frozenset(("type", "namespace", "numRbacPolicies"))
_TOP = frozenset(("apiVersion", "kind", "defaults", "services"))


def size_bytes(given: Any, where: str = "size") -> int:
    """Read a size: bytes, or a text as ``16 KB``.

    Examples
    --------
    >>> size_bytes("1 KB"), size_bytes("2mb"), size_bytes(128)
    (1024, 2097152, 128)
    """
    found = _SIZE.fullmatch(str(given).strip())
    if found is None or isinstance(given, bool):
        raise ConfigError(f"{given!r} is no size", where, "a number of bytes, or as 16 KB")
    size = float(found[1]) * 1024 ** _POWERS[found[2].lower()]
    if size > _MOST_BYTES:
        raise ConfigError(f"{given!r} is more than a message can hold", where, "at most 1 TB")
    return int(size)


def share(given: Any, where: str = "share") -> float:
    """Read a share of 0 to 1: a number, or a text in percent.

    Examples
    --------
    >>> share("0.5%"), share(0.25)
    (0.005, 0.25)
    """
    text = str(given).strip()
    try:
        value = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ConfigError(f"{given!r} is no share", where, "0% to 100%, or 0 to 1")
    return value


def _whole(least: int) -> Callable[[Any, str], int]:
    def read(given: Any, where: str) -> int:
        if isinstance(given, bool) or not isinstance(given, int) or given < least:
            raise ConfigError(f"{given!r} is no whole number from {least} on", where)
        return given

    return read


def _choice(*words: str) -> Callable[[Any, str], str]:
    def read(given: Any, where: str) -> str:
        if given not in words:
            raise ConfigError(f"{given!r} is none of {', '.join(words)}", where)
        return str(given)

    return read


def _flag(given: Any, where: str) -> bool:
    if not isinstance(given, bool):
        raise ConfigError(f"{given!r} is neither true nor false", where)
    return given


def _number(given: Any, where: str) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given < inf:
        raise ConfigError(f"{given!r} is no number from 0 on", where)
    return float(given)


def _words(given: Any, where: str) -> tuple[str, ...]:
    if not isinstance(given, list) or not given:
        raise ConfigError(f"{given!r} is no list of names", where)
    return tuple(map(str, given))


def _times(given: Any, where: str) -> Times:
    try:
        return times(str(given))
    except ConfigError as error:
        raise ConfigError(error.what, where, error.remedy) from None


#: isotope's name of a field, ours, and what reads its value.
_FIELDS: dict[str, tuple[str, Callable[[Any, str], Any]]] = {
    "numReplicas": ("replicas", _whole(1)),
    "errorRate": ("error_rate", share),
    "responseSize": ("response_bytes", size_bytes),
    "isEntrypoint": ("is_entry", _flag),
    "cluster": ("zones", lambda given, _: (str(given),)),
    "zones": ("zones", _words),
    "serviceTime": ("service_time", _times),
    "concurrency": ("concurrency", _whole(0)),
    "queue": ("queue", _whole(0)),
    "discipline": ("discipline", _choice("fifo", "ps")),
    "workers": ("workers", _whole(1)),
    "cpuLimit": ("cpu_limit", _number),
}


def topology_of(document: object, origin: str = "topology") -> Topology:
    """Make a topology of what a YAML file holds.

    Raises
    ------
    ConfigError
        Something in it is wrong; the error says where.
    """
    whole = _mapping(document, origin)
    for name in whole:
        if name not in _TOP:
            raise ConfigError(f"no field {name!r}", origin, f"there are: {', '.join(sorted(_TOP))}")
    defaults = dict(_mapping(whole.get("defaults") or {}, f"{origin}: defaults"))
    request_bytes = size_bytes(defaults.pop("requestSize", 0), f"{origin}: defaults.requestSize")
    services = whole.get("services")
    if not isinstance(services, list) or not services:
        raise ConfigError("no services", origin, "services: is a list")
    made = [
        _service(
            _mapping(each, f"{origin}: services[{place}]"), defaults, request_bytes, f"{origin}: services[{place}]"
        )
        for place, each in enumerate(services)
    ]
    return Topology(made, request_bytes)


def _service(given: Mapping[str, Any], defaults: Mapping[str, Any], request_bytes: int, where: str) -> Service:
    fields: dict[str, Any] = {}
    merged = {**defaults, **given}
    name = merged.pop("name", None)
    if not isinstance(name, str) or not name:
        raise ConfigError("a service without a name", where)
    script = merged.pop("script", None) or []
    for field, value in merged.items():
        if field in _INERT:
            continue
        if field not in _FIELDS:
            raise ConfigError(f"no field {field!r}", where, f"there are: name, script, {', '.join(_FIELDS)}")
        ours, read = _FIELDS[field]
        fields[ours] = read(value, f"{where}.{field}")
    if not isinstance(script, list):
        raise ConfigError("a script is a list of steps", f"{where}.script")
    steps = tuple(_step(step, request_bytes, f"{where}.script[{place}]") for place, step in enumerate(script))
    return Service(name, script=steps, **fields)


def _step(given: object, request_bytes: int, where: str) -> Step:
    if isinstance(given, list):
        inner = [_step(step, request_bytes, f"{where}[{place}]") for place, step in enumerate(given)]
        flat = [step for step in inner if not isinstance(step, Together)]
        if len(flat) < len(inner):
            raise ConfigError("steps that are done at once cannot be nested again", where)
        return Together(tuple(flat))
    step = _mapping(given, where)
    match list(step.items()):
        case [("sleep", time)]:
            return Sleep(_times(time, f"{where}.sleep"))
        case [("call", str(service))]:
            return Call(service, request_bytes)
        case [("call", Mapping() as call)]:
            return _call(call, request_bytes, where)
    raise ConfigError(f"{given!r} is no step", where, "call: SERVICE, sleep: 10ms, or a list of these")


def _call(call: Mapping[str, Any], request_bytes: int, where: str) -> Call:
    unknown = set(call) - {"service", "size", "probability", "hostname"}
    if unknown or "service" not in call:
        raise ConfigError(f"{dict(call)!r} is no call", where, "service, size and probability")
    size = size_bytes(call.get("size", request_bytes), f"{where}.size")
    percent = call.get("probability", 100)
    return Call(str(call["service"]), size, share(f"{percent}%", f"{where}.probability"))


def _mapping(given: object, where: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise ConfigError("not a mapping of names to values", where)
    return given
