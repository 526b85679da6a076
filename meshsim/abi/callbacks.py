"""From the number that a callback returns to what the filter chain does.

The order is that of Envoy's host (proxy-wasm-cpp-host, ``convertVmCallResultTo...``): a local response during the
callback stops the chain whatever the module says; a number above the largest stops it too; StopIteration from a
headers callback means StopAllIterationAndWatermark unless the plugin's configuration allows the plain one.
"""

from __future__ import annotations

from meshsim.abi.constants import DataAction, HeadersAction, TrailersAction

# Number -> action. Enum(number) and max(Enum) take microseconds, and every callback would pay them.
_HEADERS = tuple(HeadersAction)
_DATA = tuple(DataAction)
_TRAILERS = tuple(TrailersAction)
_STOP_ITERATION = int(HeadersAction.STOP_ITERATION)


def headers_action(result: int, *, stopped: bool, allow_stop_iteration: bool) -> HeadersAction:
    """Convert the result of a headers callback.

    Examples
    --------
    >>> headers_action(1, stopped=False, allow_stop_iteration=False)
    <HeadersAction.STOP_ALL_AND_WATERMARK: 4>
    """
    if stopped or result >= len(_HEADERS):
        return HeadersAction.STOP_ALL_AND_WATERMARK
    if result == _STOP_ITERATION and not allow_stop_iteration:
        return HeadersAction.STOP_ALL_AND_WATERMARK
    return _HEADERS[result]


def data_action(result: int, *, stopped: bool) -> DataAction:
    """Convert the result of a body callback.

    Examples
    --------
    >>> data_action(0, stopped=True)
    <DataAction.STOP_NO_BUFFER: 3>
    """
    if stopped or result >= len(_DATA):
        return DataAction.STOP_NO_BUFFER
    return _DATA[result]


def trailers_action(result: int, *, stopped: bool) -> TrailersAction:
    """Convert the result of a trailers callback.

    Examples
    --------
    >>> trailers_action(7, stopped=False)
    <TrailersAction.STOP_ITERATION: 1>
    """
    if stopped or result >= len(_TRAILERS):
        return TrailersAction.STOP_ITERATION
    return _TRAILERS[result]
