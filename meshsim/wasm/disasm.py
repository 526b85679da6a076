"""One function's code as a list of instructions, in the words of the text format.

Every instruction is found and has its place; those that :mod:`~meshsim.wasm.stepper` executes are decoded, of the
others only the name is known (core specification, 5.4).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from meshsim.errors import ConfigError, MeshsimError
from meshsim.wasm.instructions import skip_instruction
from meshsim.wasm.module import ModuleFacts
from meshsim.wasm.numerics import WIDTHS, signed, to_bits, to_float
from meshsim.wasm.opcodes import ELSE, END, FAMILIES, OPENING, STEPPABLE, name_of
from meshsim.wasm.reader import Reader
from meshsim.wasm.types import VALUE_NAMES, FuncType

VALUE_LETTERS = {0x7F: "i", 0x7E: "I", 0x7D: "f", 0x7C: "F"}


class NotSteppable(MeshsimError):
    """An instruction, or another part of a module, that is not stepped through.

    Examples
    --------
    >>> print(NotSteppable("v128.load"))
    not steppable: v128.load
    """

    def __init__(self, what: str, where: str = "") -> None:
        super().__init__(f"not steppable: {what}", where)


@dataclass(frozen=True, slots=True)
class Instruction:
    """An instruction of a function.

    Attributes
    ----------
    offset : int
        Where it begins in the module (bytes).
    opcode : int
        One byte, or a prefix byte with the number behind it: 0xFCnn.
    immediates : tuple of int
        Indices, an offset in memory, labels of a ``br_table``, the bits of a constant.
    depth : int
        How many blocks it stands in.
    steppable : bool
        Whether it was decoded.
    text : str
        As the text format writes it.
    """

    offset: int
    opcode: int
    name: str
    immediates: tuple[int, ...]
    depth: int
    steppable: bool
    text: str
    block: FuncType | None = None


@dataclass(frozen=True, slots=True)
class Code:
    """A function's code.

    Attributes
    ----------
    index : int
        Of the function, imported ones counted too.
    locals : str
        Letters of the types of its parameters and locals.
    instructions : tuple of Instruction
        The last one is the ``end`` of the function.
    ends, elses : mapping of int to int
        Place of a ``block``, ``loop``, ``if`` or ``else`` -> place of its ``end``; of an ``if`` -> of its ``else``.
    """

    index: int
    name: str
    type: FuncType
    locals: str
    instructions: tuple[Instruction, ...]
    ends: Mapping[int, int]
    elses: Mapping[int, int]

    def __str__(self) -> str:
        lines = (f"{item.offset:#08x}  {'  ' * item.depth}{item.text}" for item in self.instructions)
        return "\n".join([f"{self.name} {self.type}", *lines])


def disassemble(facts: ModuleFacts, function: int | str) -> Code:
    """Return the code of a function, by its index or the name of its export.

    Raises
    ------
    ConfigError
        The module has no such function, or imports it.
    ModuleError
        The bytes are no code.

    Examples
    --------
    >>> import wasmtime
    >>> from meshsim.wasm import parse_module
    >>> wat = '(module (func (export "twice") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2))))'
    >>> print(disassemble(parse_module(wasmtime.wat2wasm(wat)), "twice"))
    twice (i32) -> i32
    0x000024  local.get 0
    0x000026  i32.const 2
    0x000028  i32.mul
    0x000029  end
    """
    index = function_index(facts, function)
    type_ = facts.sections.types[facts.sections.functions[index]]
    if index < facts.sections.imported_functions or type_ is None:
        raise ConfigError(f"{function_name(facts, index)} is the host's: there is no code of it in the module")
    reader = Reader(facts.data, *facts.sections.code[index - facts.sections.imported_functions], "code")
    letters = type_.params
    for _ in range(reader.u32()):
        count, byte = reader.u32(), reader.byte()
        letters += VALUE_LETTERS.get(byte, "?") * count
    instructions, ends, elses = _Decoder(facts, reader).all()
    return Code(index, function_name(facts, index), type_, letters, tuple(instructions), ends, elses)


def function_index(facts: ModuleFacts, function: int | str) -> int:
    """Return a function's index: by itself, by the name of an export, or by its name in the name section."""
    if isinstance(function, int):
        if 0 <= function < len(facts.sections.functions):
            return function
        raise ConfigError(f"no function {function}", remedy=f"there are {len(facts.sections.functions)}")
    exported = facts.sections.exported_functions
    named = exported | {name: index for index, name in facts.function_names.items() if name not in exported}
    if function not in named:
        raise ConfigError(f"no function {function!r}", remedy=f"it exports: {', '.join(exported) or 'none'}")
    return named[function]


def function_name(facts: ModuleFacts, index: int) -> str:
    """Return what a function is called: as an import, an export, in the name section, or by its number."""
    imported = [item for item in facts.imports if item.kind == "func"]
    if index < len(imported):
        return str(imported[index])
    exported = {place: name for name, place in facts.sections.exported_functions.items()}
    return exported.get(index) or facts.function_names.get(index) or f"function {index}"


class _Decoder:
    """Goes over the code of one function."""

    def __init__(self, facts: ModuleFacts, reader: Reader) -> None:
        self._facts = facts
        self._reader = reader
        self._decode: dict[str, Callable[[], tuple[int, ...]]] = {
            "n": lambda: (reader.u32(),),
            "0": lambda: (reader.u32(),),
            "m": self._where,
            "j": lambda: tuple(reader.u32() for _ in range(reader.u32() + 1)),
            "i": lambda: (reader.signed(32) & 0xFFFFFFFF,),
            "I": lambda: (reader.signed(64) & 0xFFFFFFFFFFFFFFFF,),
            "f": lambda: (int.from_bytes(reader.take(4), "little"),),
            "F": lambda: (int.from_bytes(reader.take(8), "little"),),
        }

    def all(self) -> tuple[list[Instruction], dict[int, int], dict[int, int]]:
        found: list[Instruction] = []
        open_: list[int] = []
        ends: dict[int, int] = {}
        elses: dict[int, int] = {}
        while self._reader.pos < self._reader.end:
            place, next_ = len(found), self._reader.data[self._reader.pos]
            item = self._one(len(open_) - (next_ in (ELSE, END) and bool(open_)))
            found.append(item)
            if item.opcode in OPENING:
                open_.append(place)
            elif item.opcode == ELSE:
                elses[open_[-1]] = place
            elif item.opcode == END and open_:
                start = open_.pop()
                ends[start] = place
                if start in elses:
                    ends[elses[start]] = place
        return found, ends, elses

    def _one(self, depth: int) -> Instruction:
        reader, offset = self._reader, self._reader.pos
        opcode = reader.byte()
        if opcode in FAMILIES:
            opcode = opcode << 8 | reader.u32()
        if opcode in STEPPABLE:
            name, form = STEPPABLE[opcode]
            if form == "b":
                block = self._block()
                return Instruction(offset, opcode, name, (), depth, True, _block_text(name, block), block)
            immediates = tuple(value for letter in form for value in self._decode[letter]())
            # Only the first memory is stepped through.
            other = any(immediates) if form.startswith("0") else form == "m" and immediates[2] > 0
            text = self._text(name, form, immediates)
            return Instruction(offset, opcode, name, immediates, depth, not other, text)
        name = name_of(opcode)
        reader.pos = offset
        skip_instruction(reader)
        return Instruction(offset, opcode, name, (), depth, False, name)

    def _where(self) -> tuple[int, ...]:
        align = self._reader.u32()
        memory = self._reader.u32() if align & 0x40 else 0
        return align & 0x3F, self._reader.u64(), memory

    def _block(self) -> FuncType:
        reader, start = self._reader, self._reader.pos
        byte = reader.byte()
        if byte == 0x40:
            return FuncType("", "")
        if byte in VALUE_LETTERS:
            return FuncType("", VALUE_LETTERS[byte])
        reader.pos = start
        index = reader.s33()
        type_ = self._facts.sections.types[index] if 0 <= index < len(self._facts.sections.types) else None
        return type_ or FuncType("", "?")

    def _text(self, name: str, form: str, immediates: tuple[int, ...]) -> str:
        if form == "m":
            _, offset, memory = immediates
            return name + (f" (memory {memory})" if memory else "") + (f" offset={offset}" if offset else "")
        if form in WIDTHS:
            return f"{name} {value_text(form, immediates[0])}"
        if name == "call":
            return f"call {immediates[0]}  ;; {function_name(self._facts, immediates[0])}"
        if name == "call_indirect":
            return f"call_indirect (type {immediates[0]})"
        return " ".join([name, *map(str, immediates)]) if form and form[0] != "0" else name


def _block_text(name: str, block: FuncType) -> str:
    words = [name]
    for word, letters in (("param", block.params), ("result", block.results)):
        if letters:
            words.append(f"({word} {' '.join(VALUE_NAMES[letter] for letter in letters)})")
    return " ".join(words)


def value_text(letter: str, bits: int) -> str:
    """Return a value as people write it: integers signed, floats in the fewest digits that give them back.

    Examples
    --------
    >>> value_text("i", 0xFFFFFFFF), value_text("f", 0x3DCCCCCD)
    ('-1', '0.1')
    """
    if letter in "iI":
        return str(signed(bits, WIDTHS[letter]))
    value = to_float(bits, letter)
    if letter == "F" or value != value:
        return repr(value)
    texts = [f"{value:.{digits}g}" for digits in range(1, 10)]
    return next((text for text in texts if to_bits(float(text), "f") == bits), texts[-1])
