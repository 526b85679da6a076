"""Access loggers and their filters: ``envoy.config.accesslog.v3``, and loggers."""

from __future__ import annotations

from typing import Literal

from meshsim.envoy.config.base import Message, Struct
from meshsim.envoy.config.core import SubstitutionFormatString
from meshsim.envoy.config.matcher import HeaderMatcher
from meshsim.envoy.config.wasm_extensions import WasmAccessLog

_PACKAGE = "envoy.config.accesslog.v3"


class RuntimeUInt32(Message):
    """A number that the runtime could override; without a runtime the default holds."""

    proto = "envoy.config.core.v3.RuntimeUInt32"
    default_value: int = 0


class ComparisonFilter(Message):
    """A comparison with a number."""

    proto = f"{_PACKAGE}.ComparisonFilter"
    op: Literal["EQ", "GE", "LE", "NE"] = "EQ"
    value: RuntimeUInt32 = RuntimeUInt32()


class StatusCodeFilter(Message):
    """A condition on the response's status."""

    proto = f"{_PACKAGE}.StatusCodeFilter"
    comparison: ComparisonFilter = ComparisonFilter()


class HeaderFilter(Message):
    """A condition on a header of the request."""

    proto = f"{_PACKAGE}.HeaderFilter"
    header: HeaderMatcher = HeaderMatcher()


class ResponseFlagFilter(Message):
    """Any of some response flags; without a list, any flag at all."""

    proto = f"{_PACKAGE}.ResponseFlagFilter"
    flags: tuple[str, ...] = ()


class NotHealthCheckFilter(Message):
    """Everything but health checks, which there are none of."""

    proto = f"{_PACKAGE}.NotHealthCheckFilter"


class AndFilter(Message):
    """All of several conditions."""

    proto = f"{_PACKAGE}.AndFilter"
    filters: tuple[AccessLogFilter, ...] = ()


class OrFilter(Message):
    """Any of several conditions."""

    proto = f"{_PACKAGE}.OrFilter"
    filters: tuple[AccessLogFilter, ...] = ()


class AccessLogFilter(Message):
    """A condition on a stream: one of these."""

    proto = f"{_PACKAGE}.AccessLogFilter"
    status_code_filter: StatusCodeFilter | None = None
    header_filter: HeaderFilter | None = None
    response_flag_filter: ResponseFlagFilter | None = None
    not_health_check_filter: NotHealthCheckFilter | None = None
    and_filter: AndFilter | None = None
    or_filter: OrFilter | None = None


class FileAccessLog(Message):
    """A line a request, to a file."""

    proto = "envoy.extensions.access_loggers.file.v3.FileAccessLog"
    path: str = ""
    format: str | None = None
    json_format: Struct | None = None
    typed_json_format: Struct | None = None
    log_format: SubstitutionFormatString | None = None


class StdoutAccessLog(Message):
    """A line a request, to standard output."""

    proto = "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog"
    log_format: SubstitutionFormatString | None = None


class StderrAccessLog(Message):
    """A line a request, to standard error."""

    proto = "envoy.extensions.access_loggers.stream.v3.StderrAccessLog"
    log_format: SubstitutionFormatString | None = None


class AccessLog(Message):
    """One access logger."""

    proto = "envoy.config.accesslog.v3.AccessLog"
    name: str = ""
    filter: AccessLogFilter | None = None
    typed_config: FileAccessLog | StdoutAccessLog | StderrAccessLog | WasmAccessLog | None = None
