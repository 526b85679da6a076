"""The words of the find box, against the same questions in plain Python."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.errors import ConfigError
from meshsim.mesh.result import Result
from meshsim.mesh.rows import HopRow
from tests.mesh.synthetic import synthetic

RESULT: Result = synthetic(100)


def _rt(row: HopRow) -> float:
    return (row.end_ns - row.start_ns) / 1e6


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("rt > 5 and code >= 500", lambda row: _rt(row) > 5 and row.status >= 500),
        ("error", lambda row: row.status >= 500 or row.status == 0),
        ("not error and root", lambda row: row.status < 500 and row.parent < 0),
        ('"UO" in flags', lambda row: "UO" in row.flags.split(",")),
        ('"U" in flags', lambda row: False),
        ('"rat" in service or service == "front"', lambda row: row.service in ("ratings", "front")),
        ('service in ("ratings", "client")', lambda row: row.service in ("ratings", "client")),
        ('service not in ["ratings"]', lambda row: row.service != "ratings"),
        ('"v2" not in pod', lambda row: True),
        ("tries in (2, 3)", lambda row: row.tries == 2),
        ("1 < app <= 2", lambda row: 1e6 < row.app_ns <= 2e6),
        ("app / rt > 0.5", lambda row: row.app_ns / 1e6 / _rt(row) > 0.5),
        ("-rt + 2 * proxy < -3", lambda row: -_rt(row) + 2 * (row.proxy_ns / 1e6) < -3),
        ("flags", lambda row: bool(row.flags)),
        ("not warm", lambda row: row.warm == 0),
        ("(rt > 5) == error", lambda row: (_rt(row) > 5) == (row.status >= 500)),
        ('worker >= "worker_1"', lambda row: row.worker >= "worker_1"),
        ('"worker_1" <= worker', lambda row: row.worker >= "worker_1"),
        ("app / 0 > 1", lambda row: row.app_ns > 0),
        ("True", lambda row: True),
        ("1 < 2", lambda row: True),
    ],
)
def test_an_expression_finds_what_plain_python_finds(expression: str, wanted: Callable[[HopRow], bool]) -> None:
    assert list(RESULT.find(expression)) == [row for row in RESULT.rows if wanted(row)]


@pytest.mark.parametrize(
    ("expression", "word"),
    [
        ("rtt > 1", "did you mean rt"),
        ("xyzzyx > 1", "there are: rt, code"),
        ("rt >", "not understood"),
        ("rt", "neither true nor false"),
        ("rt > 'a'", "a text and something else"),
        ("service > 3", "a text and something else"),
        ("service + 'a' == 'b'", "no arithmetic"),
        ("-service > 1", "no arithmetic"),
        ("rt in flags", "'in' needs a list"),
        ("tries in ('a',)", "a text and numbers"),
        ("rt is None", "no comparison"),
        ("rt > None", "no number or text"),
        ("__import__('os').system('true')", "not part of this language"),
        ("rt.real > 1", "not part of this language"),
        ("(lambda: 1)() > 1", "not part of this language"),
        ("rt ** 9 ** 9 ** 9 > 1", "not part of this language"),
        ("[x for x in (1,)] == 1", "not part of this language"),
        ("", "not understood"),
        ("a" * 3000, "3000 characters"),
        ("(" * 900 + "rt > 1" + ")" * 900, ""),
        ("not " * 490 + "error", ""),
    ],
)
def test_what_is_no_question_is_refused_with_its_place(expression: str, word: str) -> None:
    if word:
        with pytest.raises(ConfigError, match=word.replace("(", r"\(")):
            RESULT.find(expression)
    else:
        with suppress(ConfigError):
            RESULT.find(expression)


@given(st.text(max_size=60))
def test_no_text_does_anything_but_find_or_refuse(text: str) -> None:
    try:
        found = RESULT.find(text)
    except ConfigError:
        return
    assert 0 <= len(found) <= len(RESULT.rows)


def test_finds_can_be_chained() -> None:
    assert list(RESULT.find("error").find("root")) == list(RESULT.find("error and root"))


def test_an_empty_result_has_an_answer_too() -> None:
    empty = synthetic(0)
    assert len(empty.find('service == "front" and "UO" in flags and rt > 1')) == 0
