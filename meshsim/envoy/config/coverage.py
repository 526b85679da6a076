"""What becomes of each field that Envoy knows: modelled, inert or not modelled.

A field in the tables of :mod:`~meshsim.envoy.config.inert` is *inert*: accepted, because it changes nothing that a
replay shows, and listed in ``Bootstrap.inert``. Any other field that a model has is *modelled*. Every other field is
*not modelled*: a configuration that sets it to more than its default is refused by meshsim, or, with
``--ignore-unmodelled``, used without it.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

from meshsim.envoy.config.base import Message
from meshsim.envoy.config.bootstrap import Bootstrap
from meshsim.envoy.config.inert import INERT, WITHHELD
from meshsim.envoy.config.schema import known_schema

Status = Literal["modelled", "inert", "not modelled"]


@cache
def models() -> Mapping[str, type[Message]]:
    """Return the models by the full names of their messages."""
    Bootstrap.model_fields  # noqa: B018  its module imports all others
    found: dict[str, type[Message]] = {}
    todo = list(Message.__subclasses__())
    while todo:
        model = todo.pop()
        todo += model.__subclasses__()
        found[model.proto] = model
    return types.MappingProxyType(found)


def status(message: str, field: str) -> Status:
    """Return what becomes of one field.

    Examples
    --------
    >>> status("envoy.config.listener.v3.Listener", "name")
    'modelled'
    >>> status("envoy.config.listener.v3.Listener", "udp_listener_config")
    'not modelled'
    """
    model, inert = models().get(message), INERT.get(message, {})
    if field in WITHHELD.get(message, ()):
        return "not modelled"
    if field in inert:
        return "inert"
    if model is not None and field in model.model_fields:
        return "modelled"
    return "inert" if "*" in inert else "not modelled"


@cache
def accepted(model: type[Message], field: str) -> Mapping[str, type[Message]]:
    """Return the models that a field of type ``Any`` can hold, by message."""
    found: dict[str, type[Message]] = {}

    def collect(annotation: Any) -> None:
        if get_origin(annotation) in (None, Union, types.UnionType, dict, tuple):
            for part in get_args(annotation):
                collect(part)
        if isinstance(annotation, type) and issubclass(annotation, Message):
            found[annotation.proto] = annotation

    collect(model.model_fields[field].annotation)
    return types.MappingProxyType(found)


def modelled_fields() -> list[tuple[str, str, Status]]:
    """Return every field of every message that has a model: (message, field, what becomes of it).

    Examples
    --------
    >>> ("envoy.extensions.wasm.v3.PluginConfig", "root_id", "modelled") in modelled_fields()
    True
    """
    return list(_rows())


def _rows() -> Iterator[tuple[str, str, Status]]:
    schema = known_schema()
    for name in sorted(models()):
        if name in schema and name != "google.protobuf.Any":
            for field in schema.message(name).fields:
                yield name, field, status(name, field)
