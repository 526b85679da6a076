"""Filters that leave metadata on a stream, for the filters behind them, for formats and for Wasm modules."""

from __future__ import annotations

import base64
import binascii
import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from meshsim.abi.constants import HeadersAction
from meshsim.envoy.config.metadata_filters import HeaderRule, HeaderToMetadata, KeyValuePair, SetMetadata
from meshsim.envoy.filters.base import HttpFilter
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.stats import Counters
from meshsim.envoy.thread_host import ThreadHost

_DEFAULT_NAMESPACE = "envoy.filters.http.header_to_metadata"
_MAX_VALUE_BYTES = 8 * 1024
_HEXADECIMAL = re.compile(r"[+-]?0x", re.IGNORECASE)


@dataclass(frozen=True, eq=False, slots=True)
class SetMetadataUse:
    """A filter ``set_metadata`` in a chain."""

    config: SetMetadata
    stats: Counters

    def on_stream(self, host: ThreadHost) -> HttpFilter:
        """Make the filter for a stream on a worker."""
        host.thread.spend(host.process.costs.native_filter_ns)
        return SetMetadataFilter(self)


class SetMetadataFilter(HttpFilter):
    """The filter on one stream."""

    def __init__(self, use: SetMetadataUse) -> None:
        self._use = use

    def decode_headers(self, headers: HeaderMap, end: bool) -> HeadersAction:
        """Leave what the configuration lists; seen in Envoy 1.40: what a route says is taken, and has no effect."""
        config, spaces = self._use.config, self.stream.info.dynamic_metadata
        if config.value is not None and config.metadata_namespace:
            update(spaces.setdefault(config.metadata_namespace, {}), config.value)
        for entry in config.metadata:
            if entry.value is None:
                continue
            if entry.metadata_namespace not in spaces:
                spaces[entry.metadata_namespace] = copy.deepcopy(entry.value)
            elif entry.allow_overwrite:
                update(spaces[entry.metadata_namespace], entry.value)
            else:
                self._use.stats.add("overwrite_denied")
        return HeadersAction.CONTINUE


def update(known: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Bring a structure up to date: lists grow, structures are brought up to date, all else is replaced.

    Examples
    --------
    >>> known = {"a": [1], "b": {"c": 1}, "d": 1}
    >>> update(known, {"a": [2], "b": {"e": 2}, "d": "x"})
    >>> known
    {'a': [1, 2], 'b': {'c': 1, 'e': 2}, 'd': 'x'}
    """
    for key, value in more.items():
        match known.get(key), value:
            case dict() as inner, dict():
                update(inner, value)
            case list() as items, list():
                items.extend(copy.deepcopy(value))
            case _:
                known[key] = copy.deepcopy(value)


@dataclass(frozen=True, eq=False, slots=True)
class HeaderToMetadataUse:
    """A filter ``header_to_metadata`` in a chain, by its name in the configuration."""

    name: str
    config: HeaderToMetadata

    def on_stream(self, host: ThreadHost) -> HttpFilter:
        """Make the filter for a stream on a worker."""
        host.thread.spend(host.process.costs.native_filter_ns)
        return HeaderToMetadataFilter(self)


class HeaderToMetadataFilter(HttpFilter):
    """The filter on one stream."""

    def __init__(self, use: HeaderToMetadataUse) -> None:
        self._use = use

    def decode_headers(self, headers: HeaderMap, end: bool) -> HeadersAction:
        """Turn the request's headers into metadata."""
        self._apply(headers, self._config().request_rules)
        return HeadersAction.CONTINUE

    def encode_headers(self, headers: HeaderMap, end: bool) -> HeadersAction:
        """Turn the response's headers into metadata."""
        self._apply(headers, self._config().response_rules)
        return HeadersAction.CONTINUE

    def _config(self) -> HeaderToMetadata:
        match = self.stream.take_route()
        own = match.own_config(self._use.name) if match else None
        return own if isinstance(own, HeaderToMetadata) else self._use.config

    def _apply(self, headers: HeaderMap, rules: Sequence[HeaderRule]) -> None:
        spaces = self.stream.info.dynamic_metadata
        for rule in rules:
            given = _taken(headers, rule)
            pair = rule.on_header_missing if given is None else rule.on_header_present
            value = _value(pair, given or "") if pair else None
            if pair and value is not None:
                spaces.setdefault(pair.metadata_namespace or _DEFAULT_NAMESPACE, {})[pair.key] = value


def _taken(headers: HeaderMap, rule: HeaderRule) -> str | None:
    """Return a header's or a cookie's value, and take the header away where the rule says so."""
    if rule.cookie:
        return _cookie(headers, rule.cookie)
    name = rule.header.lower().encode()
    values = [value for key, value in headers.pairs() if key == name]
    if not values:
        return None
    if rule.remove:
        headers.remove(name)
    return b",".join(values).decode("utf-8", "surrogateescape")


def _cookie(headers: HeaderMap, name: str) -> str | None:
    """Return the value of the first cookie of a name; an empty one counts as none."""
    for key, line in headers.pairs():
        if key == b"cookie":
            for part in line.decode("utf-8", "surrogateescape").split(";"):
                known, _, value = part.strip().partition("=")
                if known == name:
                    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value or None
    return None


def _value(pair: KeyValuePair, given: str) -> str | float | None:
    """Return what is left, None for nothing: for an empty value, a long one, and one of the wrong kind."""
    value = given
    if pair.value:
        value = pair.value
    elif pair.regex_value_rewrite is not None:
        value = pair.regex_value_rewrite.apply(value)
    if not value or len(value.encode("utf-8", "surrogateescape")) >= _MAX_VALUE_BYTES:
        return None
    if pair.encode == "BASE64":
        value = _from_base64(value)
    if pair.type == "NUMBER":
        return _number(value)
    return value or None


def _from_base64(text: str) -> str:
    """Return what is encoded, with or without padding; the empty text for what is not, or not to the last bit."""
    bare = text.rstrip("=")
    try:
        data = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        return ""
    return data.decode("utf-8", "surrogateescape") if base64.b64encode(data).rstrip(b"=") == bare.encode() else ""


def _number(text: str) -> float | None:
    """Return a number as C reads it; None for what is none.

    Examples
    --------
    >>> _number(" 4.5"), _number("0x10"), _number("1_0"), _number("four")
    (4.5, 16.0, None, None)
    """
    try:
        plain = text.strip(" \t")
        return None if "_" in plain else float.fromhex(plain) if _HEXADECIMAL.match(plain) else float(plain)
    except (ValueError, OverflowError):
        return None
