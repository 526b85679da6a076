from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.cli.console import amount, console, printable, read_text, table, write_text
from meshsim.errors import ConfigError, MeshsimError


@given(st.text())
def test_no_text_can_steer_the_terminal(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    shown.encode("utf-8")


@given(st.integers(0, 1 << 50))
def test_an_amount_is_short_and_near(size: int) -> None:
    number, unit = amount(size).split()
    factor = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}[unit]
    assert abs(float(number) * factor - size) <= 0.051 * factor
    assert float(number) < 1024.05 or unit == "GiB"


def test_markup_in_a_cell_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    made = table("name")
    made.add_row("[red]env[/red].x")
    console().print(made)
    assert "[red]env[/red].x" in capsys.readouterr().out


def test_a_table_in_a_pipe_is_wide(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    made = table("text")
    made.add_row("x" * 120)
    console().print(made)
    assert "x" * 120 in capsys.readouterr().out


def test_text_without_its_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1")
    assert read_text(file) == "a: 1"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file") as missing:
        read_text(tmp_path / "none.yaml")
    assert missing.value.where == str(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_bytes(b"a: \xff")
    with pytest.raises(ConfigError, match="not UTF-8 at byte 3"):
        read_text(tmp_path / "bad.yaml")


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(MeshsimError, match="cannot write") as failed:
        write_text("{}", tmp_path / "no-folder" / "out.json")
    assert failed.value.where.endswith("out.json")
