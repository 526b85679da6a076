"""What a module is made of, for reading: its sections, and the code of a function."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from meshsim.errors import ConfigError
from meshsim.wasm import ModuleFacts, parse_module
from meshsim.wasm.disasm import disassemble
from meshsim.wasm.sections import SECTIONS

_MEANING = {
    "type": "the types of all functions",
    "import": "what the module asks of its host",
    "function": "which type each function has",
    "table": "lists of functions, for calls through pointers",
    "memory": "how large the linear memory is",
    "global": "global variables",
    "export": "what the module offers to its host",
    "start": "the function that runs first",
    "element": "what is in the tables at the beginning",
    "code": "the instructions of all functions",
    "data": "what is in the memory at the beginning",
    "data count": "how many pieces the data section has",
    "tag": "kinds of exceptions",
}


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a module: where its content begins, and how many bytes it has."""

    name: str
    offset: int
    size: int
    meaning: str


def sections(module: object) -> list[Section]:
    """Return the sections of a module, in its order.

    Parameters
    ----------
    module : bytes or ModuleFacts, or anything with those bytes as ``wasm``
        The module.

    Examples
    --------
    >>> from meshsim.lab import compile_wat
    >>> [(section.name, section.size) for section in sections(compile_wat("(module (memory 1))"))]
    [('memory', 3)]
    """
    return sorted(_sections(facts_of(module)), key=lambda section: section.offset)


def _sections(facts: ModuleFacts) -> Iterator[Section]:
    for number, (start, end) in facts.sections.contents.items():
        yield Section(SECTIONS[number], start, end - start, _MEANING[SECTIONS[number]])
    for custom in facts.custom_sections:
        yield Section(f"custom: {custom.name}", custom.offset, custom.size, "for tools; engines may ignore it")


def show_sections(module: object) -> None:
    """Print the sections of a module."""
    print(f"{'section':<16}{'at byte':>8}{'bytes':>8}   what is in it")
    for section in sections(module):
        print(f"{section.name:<16}{section.offset:>8,}{section.size:>8,}   {section.meaning}")


def show_code(module: object, function: str | int) -> None:
    """Print the instructions of a function, with the byte of the module at which each begins."""
    print(disassemble(facts_of(module), function))


def facts_of(module: object) -> ModuleFacts:
    """Return the facts of a module in any form.

    Raises
    ------
    ConfigError
        It is none.
    """
    if isinstance(module, ModuleFacts):
        return module
    data = module if isinstance(module, bytes | bytearray) else getattr(module, "wasm", None)
    if not isinstance(data, bytes | bytearray):
        raise ConfigError(f"a module is wanted, not a {type(module).__name__}")
    return parse_module(bytes(data))
