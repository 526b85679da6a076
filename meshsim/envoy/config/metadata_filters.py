"""Filters that leave metadata on a stream: ``set_metadata`` and ``header_to_metadata``."""

from __future__ import annotations

from typing import Literal

from meshsim.envoy.config.base import Message, Struct
from meshsim.envoy.config.matcher import RegexMatchAndSubstitute

_SET = "envoy.extensions.filters.http.set_metadata.v3"
_FROM_HEADER = "envoy.extensions.filters.http.header_to_metadata.v3"


class SetMetadataEntry(Message):
    """What is left in a namespace; what is there already stays, unless it may be overwritten."""

    proto = f"{_SET}.Metadata"
    metadata_namespace: str = ""
    allow_overwrite: bool = False
    value: Struct | None = None


class SetMetadata(Message):
    """The filter ``set_metadata``; namespace and value of its own are an older way to write an entry.

    A route may have one as well, which has no effect.
    """

    proto = f"{_SET}.Config"
    metadata_namespace: str = ""
    value: Struct | None = None
    metadata: tuple[SetMetadataEntry, ...] = ()


class KeyValuePair(Message):
    """Where a value goes, and what becomes of it on the way."""

    proto = f"{_FROM_HEADER}.Config.KeyValuePair"
    metadata_namespace: str = ""
    key: str = ""
    value: str = ""
    regex_value_rewrite: RegexMatchAndSubstitute | None = None
    type: Literal["STRING", "NUMBER", "PROTOBUF_VALUE"] = "STRING"
    encode: Literal["NONE", "BASE64"] = "NONE"


class HeaderRule(Message):
    """What a header or a cookie becomes, and what its absence becomes."""

    proto = f"{_FROM_HEADER}.Config.Rule"
    header: str = ""
    cookie: str = ""
    on_header_present: KeyValuePair | None = None
    on_header_missing: KeyValuePair | None = None
    remove: bool = False


class HeaderToMetadata(Message):
    """The filter ``header_to_metadata``; a route may have another one of its own."""

    proto = f"{_FROM_HEADER}.Config"
    request_rules: tuple[HeaderRule, ...] = ()
    response_rules: tuple[HeaderRule, ...] = ()
