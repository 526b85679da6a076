from __future__ import annotations

import pytest

from meshsim.abi.callbacks import data_action, headers_action, trailers_action
from meshsim.abi.constants import DataAction, HeadersAction, TrailersAction

WATERMARK = HeadersAction.STOP_ALL_AND_WATERMARK


@pytest.mark.parametrize(
    ("result", "action", "with_plain_stop"),
    [
        (0, HeadersAction.CONTINUE, HeadersAction.CONTINUE),
        (1, WATERMARK, HeadersAction.STOP_ITERATION),
        (2, HeadersAction.CONTINUE_AND_END_STREAM, HeadersAction.CONTINUE_AND_END_STREAM),
        (3, HeadersAction.STOP_ALL_AND_BUFFER, HeadersAction.STOP_ALL_AND_BUFFER),
        (4, WATERMARK, WATERMARK),
        (5, WATERMARK, WATERMARK),
        (2**32 - 1, WATERMARK, WATERMARK),
    ],
)
def test_headers(result: int, action: HeadersAction, with_plain_stop: HeadersAction) -> None:
    assert headers_action(result, stopped=False, allow_stop_iteration=False) is action
    assert headers_action(result, stopped=False, allow_stop_iteration=True) is with_plain_stop
    assert headers_action(result, stopped=True, allow_stop_iteration=True) is WATERMARK


@pytest.mark.parametrize("result", [0, 1, 2, 3, 4, 2**31, 2**32 - 1])
def test_data_and_trailers(result: int) -> None:
    assert data_action(result, stopped=False) is DataAction(min(result, 3))
    assert data_action(result, stopped=True) is DataAction.STOP_NO_BUFFER
    assert trailers_action(result, stopped=False) is TrailersAction(min(result, 1))
    assert trailers_action(result, stopped=True) is TrailersAction.STOP_ITERATION
