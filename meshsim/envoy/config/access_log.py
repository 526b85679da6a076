"""Access loggers: ``envoy.config.accesslog.v3`` and the loggers that write to files and standard streams."""

from __future__ import annotations

from meshsim.envoy.config.base import Message, Struct
from meshsim.envoy.config.core import SubstitutionFormatString


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
    typed_config: FileAccessLog | StdoutAccessLog | StderrAccessLog | None = None
