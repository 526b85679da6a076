"""Files of resources, which an extension's configuration is discovered in.

Seen in Envoy 1.40: whatever is wrong with such a file, Envoy starts, and the extension is missing.
"""

from __future__ import annotations

from collections.abc import Iterator

from meshsim.envoy.config.constraints import violations
from meshsim.envoy.config.document import Node, read
from meshsim.envoy.config.parsed import ParsedMessage, Place
from meshsim.envoy.config.protojson import Reader
from meshsim.envoy.config.schema import Schema
from meshsim.errors import ConfigError

_RESOURCE = "envoy.config.core.v3.TypedExtensionConfig"


def resources(content: bytes, path: str, schema: Schema) -> dict[str, ParsedMessage]:
    """Return the extensions in a file that Envoy can read, by name."""
    try:
        root = read(content.decode("utf-8"), path)
    except (ConfigError, UnicodeDecodeError):
        return {}
    return {message.get("name", ""): message for message in _readable(root, path, schema)}


def _readable(root: Node, path: str, schema: Schema) -> Iterator[ParsedMessage]:
    listed = root.value.get("resources") if isinstance(root.value, dict) else None
    for node in listed.value if listed is not None and isinstance(listed.value, list) else ():
        fields = dict(node.value) if isinstance(node.value, dict) else {}
        type_url = fields.pop("@type", Node("", 0)).value
        if not isinstance(type_url, str) or type_url.rpartition("/")[2] != _RESOURCE:
            continue
        reader = Reader(schema, _RESOURCE)
        message = reader.read(Node(fields, node.line), Place(path, "", node.line))
        inner = message.packed("typed_config")
        if reader.problems or inner.problems or next(violations(message, schema), None):
            continue
        if isinstance(inner.value, ParsedMessage) and not next(violations(inner.value, schema), None):
            yield message
