from __future__ import annotations

import re
from pathlib import Path

import pytest

from meshsim.cli.wat import disassemble as as_text
from meshsim.cli.wat import wasm_tools
from meshsim.errors import ConfigError
from meshsim.wasm import ModuleFacts, parse_module
from meshsim.wasm.disasm import disassemble, function_name, value_text


def hello(repository: Path, language: str) -> ModuleFacts:
    return parse_module((repository / "modules" / "hello" / f"hello-{language}.wasm").read_bytes())


def words(line: str) -> str:
    """An instruction without comments and types, as both write it."""
    return re.sub(r"\s*(;;|\(;|\().*", "", line).strip()


@pytest.mark.skipif(wasm_tools() is None, reason="wasm-tools is of the extra `tools`")
@pytest.mark.parametrize("language", ["wat", "c", "cpp", "zig", "rust", "assemblyscript"])
def test_it_reads_as_wasm_tools_writes_it(repository: Path, language: str) -> None:
    facts = hello(repository, language)
    theirs = re.split(r"^  \(func ", as_text(facts.data).partition("(import")[2], flags=re.MULTILINE)[1:]
    first = facts.sections.imported_functions
    assert len(theirs) == len(facts.sections.functions) - first
    for index, text in enumerate(theirs, first):
        body = [words(line) for line in text.splitlines()[1:] if line.startswith("    ")]
        expected = [line for line in body if line]  # locals are in parentheses
        ours = [words(item.text) for item in disassemble(facts, index).instructions]
        assert ours[-1] == "end"
        assert [_plain(line) for line in ours[:-1]] == [_plain(line) for line in expected], function_name(facts, index)


def _plain(line: str) -> str:
    """Without what either writes in its own way: names for numbers, alignment, floats, labels."""
    return re.sub(r"^(\S*const|call|br\w*|call_indirect|local\.\w+|global\.\w+)\b.*|\s*align=\d+", r"\1", line).strip()


def test_a_function_is_found_by_name_and_number(repository: Path) -> None:
    facts = hello(repository, "wat")
    by_name = disassemble(facts, "proxy_on_memory_allocate")
    assert disassemble(facts, by_name.index) == by_name
    assert by_name.locals == "ii"
    assert function_name(facts, 0) == "env.proxy_log"


def test_what_has_no_code_is_refused(repository: Path) -> None:
    facts = hello(repository, "wat")
    with pytest.raises(ConfigError, match=r"env\.proxy_log is the host's"):
        disassemble(facts, 0)
    with pytest.raises(ConfigError, match="no function 99"):
        disassemble(facts, 99)


@pytest.mark.parametrize(
    ("letter", "bits", "text"),
    [("i", 0x80000000, "-2147483648"), ("I", 5, "5"), ("f", 0x3F800000, "1"), ("f", 0x7FC00000, "nan"),
     ("F", 0x8000000000000000, "-0.0"), ("f", 0x00000001, "1e-45")],
)  # fmt: skip
def test_values_are_written_as_people_do(letter: str, bits: int, text: str) -> None:
    assert value_text(letter, bits) == text
