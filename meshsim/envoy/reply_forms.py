"""The form that a connection manager gives to local replies: ``local_reply_config``.

Order of Envoy 1.40: the first mapper whose condition holds replaces the body, adds headers and then changes the
status; its format, else the common one, makes the body that is sent.
"""

from __future__ import annotations

from collections.abc import Callable

from meshsim.envoy.config.core import DataSource
from meshsim.envoy.config.http import LocalReplyConfig, ResponseMapper
from meshsim.envoy.formatter import content_type, format_body, values_of
from meshsim.envoy.headers import HeaderMap, as_number
from meshsim.envoy.log_filter import holds
from meshsim.envoy.routing import edit_headers
from meshsim.envoy.stream import Stream

_PLAIN = b"text/plain"


class ReplyForms:
    """The forms of one connection manager; ``bytes_of`` reads a data source."""

    def __init__(self, config: LocalReplyConfig, bytes_of: Callable[[DataSource], bytes]) -> None:
        self._config = config
        self._bytes_of = bytes_of

    def apply(self, stream: Stream, headers: HeaderMap, body: bytes) -> tuple[bytes, bytes]:
        """Change a reply's headers; give its body, and the type that the body has."""
        stream.info.code = as_number(headers.get(b":status"))
        mapper = next((one for one in self._config.mappers if one.filter and holds(one.filter, stream)), None)
        form = self._config.body_format
        if mapper is not None:
            body = self._map(mapper, stream, headers, body)
            form = mapper.body_format_override or form
        if form is None:
            return body, _PLAIN
        return format_body(form, stream, body), content_type(form)

    def _map(self, mapper: ResponseMapper, stream: Stream, headers: HeaderMap, body: bytes) -> bytes:
        edit_headers(headers, (), mapper.headers_to_add, values_of(stream))
        if mapper.status_code is not None:
            headers.put(b":status", b"%d" % mapper.status_code)
            stream.info.code = mapper.status_code
        return body if mapper.body is None else self._bytes_of(mapper.body)
