"""Being first, and being ordinary again."""

from __future__ import annotations

import os

import pytest

from meshsim.reference.priority import foremost


def test_afterwards_a_program_is_as_ordinary_as_before() -> None:
    before = os.sched_getscheduler(0)
    with foremost() as first:
        assert os.sched_getscheduler(0) == (os.SCHED_FIFO if first else before)
    assert os.sched_getscheduler(0) == before


def test_who_may_not_goes_on_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    with foremost() as first:
        assert not first
