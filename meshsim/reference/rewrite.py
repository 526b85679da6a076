"""A bootstrap moved to free loopback ports, by edits in its text.

The text, not a parsed model, goes to the real Envoy: every character that need not change stays as its author
wrote it, so Envoy's own parser decides what `yes`, `0x10` or a repeated key mean, and a mistake in meshsim's
reading of a configuration cannot blind both sides of a comparison. PyYAML only says *where* a value stands.

What changes
    - each listener's ``port_value`` (and an address that is not loopback, to 127.0.0.1);
    - each cluster endpoint that pointed to a listener of the same bootstrap follows it;
    - the ``path`` of a ``path_config_source`` that changes while requests are sent, to that of a copy;
    - a ``filename`` that exists relative to the current folder only, to its absolute path (Envoy runs in the
      bootstrap's folder, where the others resolve by themselves).

The admin server is not edited: its address is given by ``--config-yaml``, which Envoy merges over the file.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from meshsim.errors import ConfigError
from meshsim.reference.tree import compose, items, look, walk

LOOPBACK = "127.0.0.1"
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")  # the anchor and the tag in front of a YAML value
_NUMBER = re.compile(r"0[xX](?P<hex>[0-9a-fA-F]+)|0(?P<octal>[0-7]+)|(?P<decimal>\d+)")
_BASES = {"hex": 16, "octal": 8, "decimal": 10}
_WILDCARDS = frozenset({"0.0.0.0", "::"})


@dataclass(frozen=True, slots=True)
class Listener:
    """A static listener: its name (None without one) and the loopback port it listens on now (None: no TCP port)."""

    name: str | None
    port: int | None


@dataclass(frozen=True, slots=True)
class Moved:
    """A bootstrap on its new ports.

    ``paths`` maps each absolute path that was written in to the text that stood there.
    """

    text: str
    listeners: tuple[Listener, ...]
    paths: dict[str, str]

    def port(self, listener: str | None, where: str) -> int:
        """The port of the named listener, of the first one for None.

        Raises
        ------
        ConfigError
            When there is no such listener, or it has no TCP port.
        """
        names = ", ".join(entry.name for entry in self.listeners if entry.name) or "none has a name"
        for entry in self.listeners:
            if listener is None or entry.name == listener:
                if entry.port is None:
                    raise ConfigError("the listener has no TCP port to send to", where)
                return entry.port
        wanted = "no static listener" if listener is None else f"no static listener is called `{listener}`"
        raise ConfigError(wanted, where, f"listeners: {names}")


@dataclass(frozen=True, slots=True)
class _Socket:
    """A ``socket_address`` as it stands in the text."""

    address: yaml.ScalarNode | None
    port: yaml.ScalarNode | None

    @property
    def host(self) -> str:
        return str(self.address.value) if self.address is not None else ""

    @property
    def number(self) -> int | None:
        text = str(self.port.value) if self.port is not None else ""
        match = _NUMBER.fullmatch(text)
        if match is None:
            return None
        number = int(match["hex"] or match["octal"] or match["decimal"], _BASES[match.lastgroup or "decimal"])
        return number if number <= 65535 else None


def move(
    text: str, folder: Path, where: str, free_port: Callable[[], int], copies: Mapping[str, Path] | None = None
) -> Moved:
    """Give every listener a free port.

    Parameters
    ----------
    text : str
        The bootstrap, YAML or JSON.
    folder : Path
        Where the bootstrap lies: its relative file names start here.
    where : str
        The bootstrap's name in errors.
    free_port : callable
        Gives another free port on each call.
    copies : mapping of str to Path, optional
        Files that extensions are discovered in and that change, by name, and what stands for each.

    Raises
    ------
    ConfigError
        When the text is not YAML.
    """
    root = compose(text, where)
    edits = _Edits(text)
    moved: dict[tuple[str, int], int] = {}
    listeners = []
    for listener in items(look(root, "static_resources", "listeners")):
        socket = _socket(look(listener, "address"))
        port = None
        if socket is not None and socket.number is not None:
            old = (socket.host, socket.number)
            port = moved.get(old) if socket.number else None
            port = port or free_port()
            moved[old] = port
            _redirect(edits, socket, port)
        name = look(listener, "name")
        listeners.append(Listener(name.value if isinstance(name, yaml.ScalarNode) else None, port))
    for socket in _sockets(look(root, "static_resources", "clusters")):
        target = _target(socket, moved)
        if target is not None:
            _redirect(edits, socket, target)
    paths = _absolute_filenames(edits, root, folder) | _copied(edits, root, copies or {})
    return Moved(edits.apply(), tuple(listeners), paths)


def _redirect(edits: _Edits, socket: _Socket, port: int) -> None:
    assert socket.port is not None
    edits.replace(socket.port, str(port))
    if socket.address is not None and _is_foreign(socket.host):
        edits.replace(socket.address, LOOPBACK)


def _target(socket: _Socket, moved: dict[tuple[str, int], int]) -> int | None:
    """The new port of the listener that this endpoint pointed to."""
    if socket.number is None:
        return None
    for (host, number), port in moved.items():
        same_host = _canonical(socket.host) == _canonical(host) or (host in _WILDCARDS and _is_local(socket.host))
        if number == socket.number and number and same_host:
            return port
    return None


def _canonical(host: str) -> str:
    return LOOPBACK if host == "localhost" else host


def _is_local(host: str) -> bool:
    return host == "localhost" or host in _WILDCARDS or _ip(host, lambda ip: ip.is_loopback)


def _is_foreign(host: str) -> bool:
    """An IP address other than 127.0.0.1. A name stays: whether Envoy takes a name here is Envoy's to say."""
    return host != LOOPBACK and _ip(host, lambda ip: True)


def _ip(host: str, test: Callable[[ipaddress.IPv4Address | ipaddress.IPv6Address], bool]) -> bool:
    try:
        return test(ipaddress.ip_address(host))
    except ValueError:
        return False


def _absolute_filenames(edits: _Edits, root: yaml.Node | None, folder: Path) -> dict[str, str]:
    paths = {}
    for node in _filenames(root):
        name = str(node.value)
        here = Path(name)
        if not here.is_absolute() and not (folder / here).exists() and here.exists():
            absolute = str(here.absolute())
            paths[absolute] = name
            edits.replace(node, json.dumps(absolute))
    return paths


def _copied(edits: _Edits, root: yaml.Node | None, copies: Mapping[str, Path]) -> dict[str, str]:
    paths = {}
    for key, source in walk(root):
        node = look(source, "path") if key == "path_config_source" else None
        if isinstance(node, yaml.ScalarNode) and str(node.value) in copies:
            copy = str(copies[str(node.value)])
            paths[copy] = str(node.value)
            edits.replace(node, json.dumps(copy))
    return paths


class _Edits:
    """Replacements of single values in a text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._spans: dict[tuple[int, int], str] = {}

    def replace(self, node: yaml.ScalarNode, value: str) -> None:
        start, end = node.start_mark.index, node.end_mark.index
        properties = _PROPERTIES.match(self._text, start, end)
        start = properties.end() if properties else start
        newline = "\n" if self._text[start:end].endswith("\n") else ""  # a block scalar ends with its line
        self._spans[start, end] = value + newline

    def apply(self) -> str:
        out, at = [], 0
        for (start, end), value in sorted(self._spans.items()):
            out += [self._text[at:start], value]
            at = end
        return "".join([*out, self._text[at:]])


def _socket(address: yaml.Node | None) -> _Socket | None:
    node = look(address, "socket_address")
    return None if node is None else _as_socket(node)


def _as_socket(node: yaml.Node) -> _Socket:
    host, port = look(node, "address"), look(node, "port_value")
    return _Socket(
        host if isinstance(host, yaml.ScalarNode) else None,
        port if isinstance(port, yaml.ScalarNode) else None,
    )


def _sockets(node: yaml.Node | None) -> list[_Socket]:
    return [_as_socket(value) for key, value in walk(node) if key == "socket_address"]


def _filenames(root: yaml.Node | None) -> list[yaml.ScalarNode]:
    return [value for key, value in walk(root) if key == "filename" and isinstance(value, yaml.ScalarNode)]
