"""What is in a module, read from its bytes; the engine is not asked.

A reader of the binary format (core specification, chapter 5) that stops at sections, imports, exports, types and
names. Whether the code is *valid* is the engine's business; here every length is checked, so that any bytes at all
give either facts or a :class:`~meshsim.errors.ModuleError`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from meshsim.errors import ModuleError
from meshsim.wasm import instructions
from meshsim.wasm.reader import Reader
from meshsim.wasm.sections import Sections
from meshsim.wasm.types import CustomSection, Export, Import, MemoryLimits

MAGIC = b"\0asm"
CORE_VERSION = b"\1\0\0\0"
COMPONENT_VERSION = b"\x0d\0\1\0"
ABI_MARKER = "proxy_abi_version_"


@dataclass(frozen=True)
class ModuleFacts:
    """What a module is, asks for and offers.

    Attributes
    ----------
    sha256 : str
        Of the module's bytes, in hex.
    size_bytes, code_bytes, data_bytes : int
        Size of the module, of its code section, of its data section.
    imports, exports : tuple
        In the module's order.
    memories : tuple of MemoryLimits
        Imported ones first.
    custom_sections : tuple of CustomSection
        In the module's order; :meth:`custom_section` gives the content.
    abi_markers : tuple of str
        Exported functions that name a Proxy-Wasm ABI version, in the module's order.
    start_function : int or None
        Index of the function that runs at instantiation.
    function_count : int
        Functions that the module defines; imported ones come before them in the index space.

    Examples
    --------
    >>> parse_module(bytes.fromhex("0061736d01000000")).size_bytes
    8
    """

    sha256: str
    size_bytes: int
    imports: tuple[Import, ...]
    exports: tuple[Export, ...]
    memories: tuple[MemoryLimits, ...]
    custom_sections: tuple[CustomSection, ...]
    start_function: int | None
    code_bytes: int
    data_bytes: int
    function_count: int
    data: bytes = field(repr=False)
    sections: Sections = field(repr=False, compare=False)

    @property
    def memory(self) -> MemoryLimits | None:
        """The module's first memory, or None without one."""
        return self.memories[0] if self.memories else None

    @cached_property
    def abi_markers(self) -> tuple[str, ...]:
        """Exported functions that name a Proxy-Wasm ABI version, in the module's order."""
        return tuple(e.name for e in self.exports if e.kind == "func" and e.name.startswith(ABI_MARKER))

    @cached_property
    def function_names(self) -> Mapping[int, str]:
        """Names of functions by index, from the name section; empty without one, or with a broken one.

        A broken name section does not make a module invalid (core specification, A.5).
        """
        section = next((s for s in self.custom_sections if s.name == "name"), None)
        return MappingProxyType(_function_names(self.data, section) if section else {})

    @cached_property
    def features(self) -> frozenset[str]:
        """What the module uses beyond WebAssembly 1.0: ``bulk-memory``, ``simd``, ``gc``...

        Walks over all code at the first reading; names are the keys of :data:`meshsim.wasm.features.FEATURES`.
        """
        in_code = instructions.used(self.data, self.sections.code, self.sections.global_section)
        declared = self.sections.features
        if "legacy-exceptions" in in_code:
            declared = declared - {"exceptions"}  # the tags belong to the older form
        return in_code | declared | set(_memory_features(self.memories))

    @cached_property
    def branches(self) -> int:
        """Branches in the code: ``block``, ``loop``, ``if``, ``br``, ``br_if``, ``br_table``; of much code an estimate.

        Compilers take most of their time for them.
        """
        return instructions.branches(self.data, self.sections.code)

    def custom_section(self, name: str) -> bytes | None:
        """The content of the first custom section of that name."""
        section = next((s for s in self.custom_sections if s.name == name), None)
        return self.data[section.offset : section.offset + section.size] if section else None


def parse_module(data: bytes) -> ModuleFacts:
    """The facts of a module.

    Raises
    ------
    ModuleError
        The bytes are no core module, or end early, or a length or a number in them cannot be; with the byte offset.

    Examples
    --------
    >>> parse_module(b"<html>")
    Traceback (most recent call last):
    meshsim.errors.ModuleError: not a Wasm module: it starts with 3c 68 74 6d instead of 00 61 73 6d
    """
    data = bytes(data)
    _check_header(data)
    sections = Sections()
    reader = Reader(data, 8)
    while reader.pos < reader.end:
        sections.read(reader)
    return ModuleFacts(
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        imports=tuple(sections.imports),
        exports=tuple(sections.exports),
        memories=tuple(sections.memories),
        custom_sections=tuple(sections.custom),
        start_function=sections.start,
        code_bytes=sections.code_bytes,
        data_bytes=sections.data_bytes,
        function_count=len(sections.functions) - sections.imported_functions,
        data=data,
        sections=sections,
    )


def _check_header(data: bytes) -> None:
    magic = data[:4]
    if magic != MAGIC[: len(magic)] or not magic:
        found = f"it starts with {magic.hex(' ')} instead of {MAGIC.hex(' ')}" if magic else "it is empty"
        raise ModuleError(f"not a Wasm module: {found}")
    if len(data) < 8:
        raise ModuleError(f"truncated module: {len(data)} bytes, the header alone has 8")
    if data[4:8] == COMPONENT_VERSION:
        raise ModuleError("not a Wasm module: it is a component; Proxy-Wasm hosts run core modules")
    if data[4:8] != CORE_VERSION:
        raise ModuleError(f"not a Wasm module: unknown version {data[4:8].hex(' ')} at byte 4")


def _function_names(data: bytes, section: CustomSection) -> dict[int, str]:
    """Subsection 1 of the name section (core specification, A.5.3); what could be read of it."""
    reader = Reader(data, section.offset, section.offset + section.size)
    names: dict[int, str] = {}
    try:
        while reader.pos < reader.end:
            kind, size = reader.byte(), reader.u32()
            if kind == 1:
                for _ in range(reader.u32()):
                    index = reader.u32()
                    names[index] = reader.name()
                break
            reader.skip(size)
    except ModuleError:
        pass
    return names


def _memory_features(memories: Iterable[MemoryLimits]) -> Iterator[str]:
    for number, memory in enumerate(memories):
        if number:
            yield "multi-memory"
        if memory.wide:
            yield "memory64"
        if memory.shared:
            yield "shared-memory"
        if memory.own_pages:
            yield "custom-page-sizes"
