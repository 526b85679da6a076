"""From the number that a callback returns to what the filter chain does.

The order is that of Envoy's host (proxy-wasm-cpp-host, ``convertVmCallResultTo...``): a local response during the
callback stops the chain whatever the module says; a number above the largest stops it too; StopIteration from a
headers callback means StopAllIterationAndWatermark unless the plugin's configuration allows the plain one.
"""

from __future__ import annotations

from meshsim.abi.constants import DataAction, HeadersAction, TrailersAction


def headers_action(result: int, *, stopped: bool, allow_stop_iteration: bool) -> HeadersAction:
    """Convert the result of a headers callback.

    Examples
    --------
    >>> headers_action(1, stopped=False, allow_stop_iteration=False)
    <HeadersAction.STOP_ALL_AND_WATERMARK: 4>
    """
    if stopped or result > max(HeadersAction):
        return HeadersAction.STOP_ALL_AND_WATERMARK
    action = HeadersAction(result)
    if action is HeadersAction.STOP_ITERATION and not allow_stop_iteration:
        return HeadersAction.STOP_ALL_AND_WATERMARK
    return action


def data_action(result: int, *, stopped: bool) -> DataAction:
    """Convert the result of a body callback.

    Examples
    --------
    >>> data_action(0, stopped=True)
    <DataAction.STOP_NO_BUFFER: 3>
    """
    if stopped or result > max(DataAction):
        return DataAction.STOP_NO_BUFFER
    return DataAction(result)


def trailers_action(result: int, *, stopped: bool) -> TrailersAction:
    """Convert the result of a trailers callback.

    Examples
    --------
    >>> trailers_action(7, stopped=False)
    <TrailersAction.STOP_ITERATION: 1>
    """
    if stopped or result > max(TrailersAction):
        return TrailersAction.STOP_ITERATION
    return TrailersAction(result)
