"""The numbers of the Proxy-Wasm ABI: statuses, levels, kinds of maps, buffers, metrics and streams.

Values are those of the specification's ABI 0.2.1; where Envoy's host knows more than the specification, its
numbers are here too, and say so.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class AbiVersion(StrEnum):
    """The ABI versions that Envoy 1.40 takes; the value is the end of the marker export's name."""

    V0_1_0 = "0_1_0"
    V0_2_0 = "0_2_0"
    V0_2_1 = "0_2_1"


class Status(IntEnum):
    """What a host function answers. 5, 9 and 11 exist in Envoy's host only."""

    OK = 0
    NOT_FOUND = 1
    BAD_ARGUMENT = 2
    SERIALIZATION_FAILURE = 3
    PARSE_FAILURE = 4
    BAD_EXPRESSION = 5
    INVALID_MEMORY_ACCESS = 6
    EMPTY = 7
    CAS_MISMATCH = 8
    RESULT_MISMATCH = 9
    INTERNAL_FAILURE = 10
    BROKEN_CONNECTION = 11
    UNIMPLEMENTED = 12


class LogLevel(IntEnum):
    """Levels of ``proxy_log``; :attr:`envoy_name` is how Envoy's log prints them."""

    TRACE = 0
    DEBUG = 1
    INFO = 2
    WARN = 3
    ERROR = 4
    CRITICAL = 5

    @property
    def envoy_name(self) -> str:
        """The level as Envoy's logger writes it (``warning``, not ``warn``)."""
        return "warning" if self is LogLevel.WARN else self.name.lower()


class HeaderMapType(IntEnum):
    """Which header map; 4 to 7 can only be read."""

    REQUEST_HEADERS = 0
    REQUEST_TRAILERS = 1
    RESPONSE_HEADERS = 2
    RESPONSE_TRAILERS = 3
    GRPC_INITIAL_METADATA = 4
    GRPC_TRAILING_METADATA = 5
    HTTP_CALL_RESPONSE_HEADERS = 6
    HTTP_CALL_RESPONSE_TRAILERS = 7


class BufferType(IntEnum):
    """Which buffer; 4 to 8 can only be read."""

    REQUEST_BODY = 0
    RESPONSE_BODY = 1
    DOWNSTREAM_DATA = 2
    UPSTREAM_DATA = 3
    HTTP_CALL_RESPONSE_BODY = 4
    GRPC_CALL_MESSAGE = 5
    VM_CONFIGURATION = 6
    PLUGIN_CONFIGURATION = 7
    CALL_DATA = 8


class StreamType(IntEnum):
    """Which half of a stream ``proxy_continue_stream`` and ``proxy_close_stream`` mean."""

    REQUEST = 0
    RESPONSE = 1
    DOWNSTREAM = 2
    UPSTREAM = 3


class CloseType(IntEnum):
    """Who has closed a connection."""

    UNKNOWN = 0
    LOCAL = 1
    REMOTE = 2


class MetricType(IntEnum):
    """Kinds of metrics; an id's two low bits carry the kind."""

    COUNTER = 0
    GAUGE = 1
    HISTOGRAM = 2


class HeadersAction(IntEnum):
    """What a headers callback asks of the filter chain, after conversion (see :mod:`meshsim.abi.callbacks`)."""

    CONTINUE = 0
    STOP_ITERATION = 1
    CONTINUE_AND_END_STREAM = 2
    STOP_ALL_AND_BUFFER = 3
    STOP_ALL_AND_WATERMARK = 4


class DataAction(IntEnum):
    """What a body callback asks of the filter chain."""

    CONTINUE = 0
    STOP_AND_BUFFER = 1
    STOP_AND_WATERMARK = 2
    STOP_NO_BUFFER = 3


class TrailersAction(IntEnum):
    """What a trailers callback asks of the filter chain."""

    CONTINUE = 0
    STOP_ITERATION = 1


class FailState(IntEnum):
    """Why a VM can no longer be called."""

    OK = 0
    UNABLE_TO_CREATE_VM = 1
    UNABLE_TO_CLONE_VM = 2
    MISSING_FUNCTION = 3
    UNABLE_TO_INITIALIZE_CODE = 4
    START_FAILED = 5
    CONFIGURE_FAILED = 6
    RUNTIME_ERROR = 7
