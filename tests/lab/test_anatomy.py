from __future__ import annotations

from pathlib import Path

import pytest

from meshsim.errors import ConfigError
from meshsim.lab import sections, show_code, show_sections


def test_sections_are_in_order_and_fill_the_module(repository: Path) -> None:
    module = (repository / "modules" / "hello" / "hello-wat.wasm").read_bytes()
    found = sections(module)
    assert [section.offset for section in found] == sorted(section.offset for section in found)
    heads = len(module) - 8 - sum(section.size for section in found)
    assert 2 * len(found) <= heads <= 12 * len(found)  # id and size of each, the name of a custom one
    assert "custom: name" in {section.name for section in found}


def test_they_are_shown(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = (repository / "modules" / "hello" / "hello-wat.wasm").read_bytes()
    show_sections(module)
    show_code(module, "proxy_on_memory_allocate")
    out = capsys.readouterr().out
    assert "what the module asks of its host" in out
    assert "global.get 1" in out


def test_what_is_no_module_is_refused() -> None:
    with pytest.raises(ConfigError, match="a module is wanted, not a str"):
        sections("hello.wasm")
