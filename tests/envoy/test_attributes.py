"""Attributes of streams that have next to nothing, or nonsense. What each says in which phase the cases show."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.abi.codec import Unserialisable, encode_value
from meshsim.abi.constants import HeaderMapType, Status
from meshsim.abi.foreign.declared import Declaration, StateObject
from meshsim.abi.foreign.declared import Kind as StateKind
from meshsim.abi.ports import PropertyUnavailable
from meshsim.envoy.attributes import TABLES, plugin_attribute, stream_attribute
from meshsim.envoy.config.core import Node
from meshsim.envoy.config.listener import Listener
from meshsim.envoy.filters.base import HttpFilter
from meshsim.envoy.headers import HeaderMap, Kind
from meshsim.envoy.routing import Routed
from meshsim.envoy.stream import Stream
from meshsim.envoy.stream_info import StreamInfo
from meshsim.errors import NotModelled


@dataclass(frozen=True)
class Names:
    name: str = "p"
    root_id: str = "r"
    vm_id: str = "vm"
    node: Node = field(default_factory=lambda: Node(id="n", cluster="c", metadata={"k": "v", "n": 1, "l": [True]}))
    epoch_ns: int = 0
    cluster_hosts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Maps:
    maps: dict[HeaderMapType, HeaderMap] = field(default_factory=dict)

    def header_map(self, kind: HeaderMapType) -> HeaderMap | None:
        return self.maps.get(kind)


def make_stream() -> Stream:
    info = StreamInfo(5, ("127.0.0.1", 40001), ("127.0.0.1", 80), 7, Listener())
    return Stream(None, info, [HttpFilter()], 100, Routed())  # type: ignore[arg-type]


def read(path: str, stream: Stream | None = None, maps: Maps | None = None) -> bytes | Status:
    """Read an attribute as the guest does: its bytes, or a status."""
    segments = [segment.encode("utf-8", "surrogateescape") for segment in path.split(".")]
    try:
        return encode_value(stream_attribute(segments, Names(), stream or make_stream(), maps or Maps()))
    except PropertyUnavailable as unavailable:
        return unavailable.status
    except Unserialisable:
        return Status.SERIALIZATION_FAILURE


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("plugin_name", b"p"),
        ("plugin_root_id", b"r"),
        ("plugin_vm_id", b"vm"),
        ("plugin_name.x", Status.NOT_FOUND),
        ("xds", Status.SERIALIZATION_FAILURE),
        ("xds.node.id", b"n"),
        ("xds.node.metadata.k", b"v"),
        ("xds.node.metadata.l.0", b"\1"),
        ("xds.node.metadata.l.9", Status.NOT_FOUND),
        ("xds.node.metadata.nope", Status.NOT_FOUND),
        ("node.id", Status.NOT_FOUND),
        ("request", Status.SERIALIZATION_FAILURE),
        ("request.nope", Status.NOT_FOUND),
        ("request.path", Status.NOT_FOUND),
        ("request.headers", bytes(4)),
        ("request.protocol", b"HTTP/1.1"),
        ("response.code", Status.NOT_FOUND),
        ("response.flags", bytes(8)),
        ("source.address", b"127.0.0.1:40001"),
        ("connection.id", b"\7" + bytes(7)),
        ("connection_id", b"\7" + bytes(7)),
        ("connection.mtls", b"\0"),
        ("connection.tls_version", Status.NOT_FOUND),
        ("upstream.address", Status.NOT_FOUND),
        ("xds.route_name", Status.NOT_FOUND),
        ("filter_state.wasm.k", Status.NOT_FOUND),
    ],
)
def test_a_stream_that_has_just_begun(path: str, value: bytes | Status) -> None:
    assert read(path) == value


def test_a_null_in_the_nodes_metadata_is_only_itself_without_a_form() -> None:
    names = Names(node=Node(id="n", metadata={"empty": None, "k": "v"}))
    assert plugin_attribute([b"xds", b"node", b"id"], names) == b"n"
    assert plugin_attribute([b"xds", b"node", b"metadata", b"k"], names) == b"v"


def test_a_value_that_a_module_left_is_found_by_its_name_and_hides_nothing() -> None:
    stream = make_stream()
    stream.info.filter_state.update({b"wasm.k": b"v", b"wasm.request": b"mine", b"wasm.plugin_name": b"mine"})
    assert read("k", stream) == b"v"
    assert read("k.x", stream) == Status.NOT_FOUND
    assert read("plugin_name", stream) == b"p"
    assert read("request", stream) == Status.SERIALIZATION_FAILURE


def test_parts_of_the_target() -> None:
    request = HeaderMap([(b":path", b"/a/\xff?q=1&r#f"), (b"x", b"1"), (b"x", b"2")], Kind.REQUEST)
    maps = Maps({HeaderMapType.REQUEST_HEADERS: request})
    assert [read(f"request.{part}", None, maps) for part in ("path", "url_path", "query")] == [
        *(b"/a/\xff?q=1&r#f", b"/a/\xff", b"q=1&r")
    ]
    assert read("request.headers.X", None, maps) == b"1,2"


def test_a_root_knows_its_plugin_only() -> None:
    assert plugin_attribute([b"plugin_name"], Names()) == b"p"
    for top in (*TABLES, "connection_id", "metadata", "filter_state"):
        if top != "xds":
            with pytest.raises(PropertyUnavailable):
                plugin_attribute([top.encode()], Names())


def test_what_tells_of_envoys_build_is_not_made_up() -> None:
    with pytest.raises(NotModelled, match=r"the attribute xds\.node\.extensions"):
        plugin_attribute([b"xds", b"node", b"extensions"], Names())
    with pytest.raises(NotModelled, match="the attribute as a whole"):
        encode_value(plugin_attribute([b"xds", b"node"], Names()))


def test_what_a_module_left_has_fields_when_it_is_flat_buffers() -> None:
    stream = make_stream()
    stream.info.filter_state[b"wasm.flat"] = StateObject(b"bytes", Declaration(StateKind.FLAT_BUFFERS))
    stream.info.filter_state[b"wasm.text"] = StateObject(b"text", Declaration(StateKind.STRING))
    assert [read(path, stream) for path in ("flat", "text", "text.i")] == [b"bytes", b"text", Status.NOT_FOUND]
    for path in ([b"flat", b"i"], [b"filter_state", b"wasm.flat"]):
        with pytest.raises(NotModelled, match="a field of a FlatBuffers value"):
            stream_attribute(path, Names(), stream, Maps())


PATHS = [f"{top}.{name}" for top, table in TABLES.items() for name in table if name != "node"]
VALUES = st.one_of(st.binary(max_size=6), st.sampled_from([b"-1", b"1" * 60, b"\xb2", b"1.5", b" 7", b"+7", b"1_0"]))


@pytest.mark.parametrize("path", PATHS)
@given(value=VALUES)
def test_no_header_breaks_an_attribute(path: str, value: bytes) -> None:
    stream = make_stream()
    names = (b":path", b":authority", b"content-length", b"grpc-status", b"x-request-id")
    request = HeaderMap([(name, value) for name in names], Kind.REQUEST)
    response = HeaderMap([(b":status", b"200"), *((name, value) for name in names[2:])], Kind.RESPONSE)
    stream.request_headers, stream.response_headers = request, response
    kinds = HeaderMapType.REQUEST_HEADERS, HeaderMapType.RESPONSE_HEADERS
    assert isinstance(read(path, stream, Maps(dict(zip(kinds, (request, response), strict=True)))), bytes | Status)


@given(st.lists(st.text(max_size=5).filter(lambda text: "." not in text), min_size=1, max_size=4))
def test_no_path_breaks_the_reading(segments: list[str]) -> None:
    assert isinstance(
        read(".".join(segment.encode("utf-8", "replace").decode() for segment in segments)), bytes | Status
    )
