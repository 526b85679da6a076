"""Attributes: what ``proxy_get_property`` can read, and when.

A table for each top-level name; an entry takes the :class:`View` and gives a value, ``None`` for null, or raises
``KeyError`` when there is none. Which attribute is there in which phase was read off Envoy 1.40 one by one: those
made of the request's headers exist while the module may read these headers, response ones from the response on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from meshsim.abi.codec import PropertyValue, Uint
from meshsim.abi.constants import HeaderMapType, Status
from meshsim.abi.foreign.declared import Kind, StateObject
from meshsim.abi.ports import PropertyUnavailable
from meshsim.envoy.attributes.messages import REQUEST, RESPONSE
from meshsim.envoy.attributes.places import CONNECTION, DESTINATION, SOURCE, UPSTREAM
from meshsim.envoy.attributes.view import Getter, Maps, PluginNames, Subject, View
from meshsim.envoy.attributes.xds import XDS, metadata, node
from meshsim.errors import NotModelled

TABLES: dict[str, dict[str, Getter]] = {
    "request": REQUEST,
    "response": RESPONSE,
    "connection": CONNECTION,
    "source": SOURCE,
    "destination": DESTINATION,
    "upstream": UPSTREAM,
    "xds": XDS,
}
"""Attributes by their first two segments."""

_NODE = [b"xds", b"node"]
#: What tells of Envoy's own build.
_FIELDS_OF_BUILD = frozenset((b"user_agent_build_version", b"extensions"))
_FIELDS_OF_FLAT_BUFFERS = "a field of a FlatBuffers value: its schema is not read"


def plugin_attribute(path: Sequence[bytes], plugin: PluginNames) -> PropertyValue | None:
    """Read an attribute that exists without a stream."""
    names = {b"plugin_name": plugin.name, b"plugin_root_id": plugin.root_id, b"plugin_vm_id": plugin.vm_id}
    if path[0] in names:
        if len(path) > 1:
            raise PropertyUnavailable(Status.NOT_FOUND)
        return names[path[0]].encode()
    if path[0] == b"xds" and len(path) == 1:
        return None
    if list(path[:2]) == _NODE:
        return _of_node(plugin, path[2:])
    raise PropertyUnavailable(Status.NOT_FOUND)


def stream_attribute(path: Sequence[bytes], plugin: PluginNames, stream: Subject, maps: Maps) -> PropertyValue | None:
    """Read an attribute of a stream, or a value that a module left on it."""
    view = View(
        plugin,
        stream,
        maps.header_map(HeaderMapType.REQUEST_HEADERS),
        maps.header_map(HeaderMapType.RESPONSE_HEADERS),
        maps.header_map(HeaderMapType.RESPONSE_TRAILERS),
    )
    top = path[0].decode("utf-8", "surrogateescape")
    table = TABLES.get(top)
    if list(path[:2]) == _NODE:
        return _of_node(plugin, path[2:])
    if table is not None:
        return _from_table(table, path[1:], view)
    if top == "connection_id":
        return Uint(stream.info.connection_id)
    if top == "metadata":
        return _walk(metadata(stream.info.dynamic_metadata), path[1:])
    if top == "filter_state":
        return _of_filter_state(path[1:], stream) if len(path) > 1 else None
    if top == "upstream_filter_state":
        if not stream.info.upstream_connected or len(path) > 1:
            raise PropertyUnavailable(Status.NOT_FOUND)
        return None
    try:
        return plugin_attribute(path, plugin)
    except PropertyUnavailable:
        return _left_on_stream(path, stream)


def _of_node(plugin: PluginNames, path: Sequence[bytes]) -> PropertyValue | None:
    """Read from the proxy's identity."""
    if path and path[0] in _FIELDS_OF_BUILD:
        raise NotModelled(f"the attribute xds.node.{path[0].decode()}")
    return _walk(node(plugin.node), path)


def _of_filter_state(path: Sequence[bytes], stream: Subject) -> PropertyValue | None:
    """Read an object; Envoy shows one that was declared as FlatBuffers as a map of its fields."""
    if _has_fields(stream.info.filter_state.get(path[0])):
        raise NotModelled(_FIELDS_OF_FLAT_BUFFERS)
    return _walk(dict(stream.info.filter_state), path)


def _left_on_stream(path: Sequence[bytes], stream: Subject) -> PropertyValue:
    """Read what a module left: all of it is bytes, and only FlatBuffers have fields (seen in Envoy 1.40)."""
    value = stream.info.filter_state.get(b"wasm." + path[0])
    if len(path) > 1 and _has_fields(value):
        raise NotModelled(_FIELDS_OF_FLAT_BUFFERS)
    if value is None or len(path) > 1:
        raise PropertyUnavailable(Status.NOT_FOUND)
    return value


def _has_fields(value: bytes | None) -> bool:
    return isinstance(value, StateObject) and value.declaration.kind == Kind.FLAT_BUFFERS


def _from_table(table: dict[str, Getter], path: Sequence[bytes], view: View) -> PropertyValue | None:
    if not path:
        return None
    getter = table.get(path[0].decode("utf-8", "surrogateescape"))
    try:
        if getter is None:
            raise KeyError(path[0])
        return _walk(getter(view), path[1:])
    except KeyError:
        raise PropertyUnavailable(Status.NOT_FOUND) from None


def _walk(value: PropertyValue | None, path: Sequence[bytes]) -> PropertyValue | None:
    """Go into maps by key and lists by index."""
    for segment in path:
        match value:
            case Mapping():
                if segment in value and value[segment] is None:
                    return None
                found = value.get(segment)
            case list() | tuple():
                found = value[int(segment)] if segment.isdigit() and int(segment) < len(value) else None
            case _:
                found = None
        if found is None:
            raise PropertyUnavailable(Status.NOT_FOUND)
        value = found
    return value
