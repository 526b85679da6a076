"""The sections of a module (core specification, 5.5): declarations are decoded, code and data only measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from meshsim.wasm.reader import Reader
from meshsim.wasm.types import VALUE_FEATURES, CustomSection, Export, FuncType, Import, MemoryLimits

SECTIONS = (
    "custom", "type", "import", "function", "table", "memory", "global", "export", "start", "element", "code", "data",
    "data count", "tag",
)  # fmt: skip
"""Names of the sections by their id."""

KINDS = ("func", "table", "memory", "global", "tag")
"""Kinds of imports and exports by their byte."""

VALUE_LETTERS = {0x7F: "i", 0x7E: "I", 0x7D: "f", 0x7C: "F", 0x7B: "v", 0x70: "r", 0x6F: "x"}


class Sections:
    """What the sections of a module tell, collected one by one.

    Attributes
    ----------
    types : list of FuncType or None
        By type index; None for a struct or an array.
    functions : list of int
        Index space of functions, imported ones first -> index of the type.
    code : list of (int, int)
        Where the body of each defined function starts, with its locals, and ends.
    global_section : (int, int)
        Where the content of the global section starts and ends.
    contents : dict of int to (int, int)
        Id of a section that is no custom one -> where its content starts and ends.
    exported_functions : dict of str to int
        Name -> index.
    features : set of str
        Features that the declarations show, without the code.
    """

    def __init__(self) -> None:
        self.types: list[FuncType | None] = []
        self.imports: list[Import] = []
        self.exports: list[Export] = []
        self.functions: list[int] = []
        self.imported_functions = 0
        self.tables = 0
        self.memories: list[MemoryLimits] = []
        self.custom: list[CustomSection] = []
        self.start: int | None = None
        self.code_bytes = self.data_bytes = 0
        self.code: list[tuple[int, int]] = []
        self.global_section = (0, 0)
        self.contents: dict[int, tuple[int, int]] = {}
        self.exported_functions: dict[str, int] = {}
        self.features: set[str] = set()
        self.readers: Mapping[int, Callable[[Reader], None]] = {
            0: self.read_custom, 1: self.read_types, 2: self.read_imports, 3: self.read_functions,
            4: self.read_tables, 5: self.read_memories, 6: self.read_globals, 7: self.read_exports, 8: self.read_start,
            10: self.read_code, 11: self.read_data, 12: self.read_data_count, 13: self.read_tags,
        }  # fmt: skip

    def read(self, reader: Reader) -> None:
        """Take the next section; what is left of it after reading is an error."""
        at = reader.pos
        section_id, size = reader.byte(), reader.u32()
        if section_id >= len(SECTIONS):
            raise reader.fail(f"unknown section {section_id}", at)
        part, start = f"the {SECTIONS[section_id]} section", reader.pos
        if size > reader.end - start:
            raise reader.fail(f"truncated: {part} wants {size} bytes, {reader.end - start} are left,", at)
        reader.skip(size)
        if section_id:
            self.contents[section_id] = (start, start + size)
        read = self.readers.get(section_id)
        if read is not None:
            content = Reader(reader.data, start, start + size, part)
            read(content)
            if content.pos != content.end:
                raise content.fail(f"{content.end - content.pos} bytes too many")

    # --- sections ----------------------------------------------------------------------------------------------------

    def read_custom(self, reader: Reader) -> None:
        name = reader.name()
        self.custom.append(CustomSection(name, reader.pos, reader.end - reader.pos))
        reader.pos = reader.end

    def read_types(self, reader: Reader) -> None:
        for _ in range(reader.u32()):
            form = reader.byte()
            if form == 0x4E:  # a group of types that may refer to each other
                self.features.add("gc")
                for _ in range(reader.u32()):
                    self.types.append(self.read_subtype(reader, reader.byte()))
            else:
                self.types.append(self.read_subtype(reader, form))

    def read_subtype(self, reader: Reader, form: int) -> FuncType | None:
        if form in (0x50, 0x4F):  # not final, final: with supertypes before the type itself
            self.features.add("gc")
            for _ in range(reader.u32()):
                reader.u32()
            form = reader.byte()
        if form == 0x60:
            params = self.read_values(reader)
            results = self.read_values(reader)
            if len(results) > 1:
                self.features.add("multi-value")
            return FuncType(params, results)
        if form == 0x5D:  # a continuation of functions of a type
            self.features.add("stack-switching")
            reader.s33()
            return None
        if form not in (0x5F, 0x5E):
            raise reader.fail(f"unknown form of type 0x{form:02x}", reader.pos - 1)
        self.features.add("gc")
        for _ in range(reader.u32() if form == 0x5F else 1):  # fields of a struct, element of an array
            if reader.pos < reader.end and reader.data[reader.pos] in (0x78, 0x77):  # packed: i8, i16
                reader.byte()
            else:
                self.read_value(reader)
            reader.byte()  # mutability
        return None

    def read_imports(self, reader: Reader) -> None:
        for _ in range(reader.u32()):
            module, name = reader.name(), reader.name()
            kind = self.read_kind(reader)
            type_ = element = None
            if kind == "func":
                self.functions.append(reader.u32())
                self.imported_functions += 1
                type_ = self.type_of(self.functions[-1], reader)
            elif kind == "table":
                element = self.read_table_type(reader)
            elif kind == "memory":
                self.memories.append(self.read_limits(reader))
            elif kind == "global":
                self.read_global_type(reader)
            else:
                self.read_tag(reader)
            self.imports.append(Import(module, name, kind, type_, element))

    def read_functions(self, reader: Reader) -> None:
        self.functions.extend(reader.u32() for _ in range(reader.u32()))

    def read_tables(self, reader: Reader) -> None:
        for _ in range(reader.u32()):
            if reader.pos < reader.end and reader.data[reader.pos] == 0x40:  # with an expression, which nobody needs
                self.features.add("function-references")
                break
            self.read_table_type(reader)
        reader.pos = reader.end

    def read_memories(self, reader: Reader) -> None:
        self.memories.extend(self.read_limits(reader) for _ in range(reader.u32()))

    def read_globals(self, reader: Reader) -> None:
        self.global_section = (reader.pos, reader.end)
        reader.pos = reader.end

    def read_exports(self, reader: Reader) -> None:
        for _ in range(reader.u32()):
            name = reader.name()
            kind, index = self.read_kind(reader), reader.u32()
            type_ = None
            if kind == "func":
                if index >= len(self.functions):
                    raise reader.fail(f"export {name!r} of function {index}, there are {len(self.functions)},")
                type_ = self.type_of(self.functions[index], reader)
                self.exported_functions[name] = index
            self.exports.append(Export(name, kind, type_))

    def read_start(self, reader: Reader) -> None:
        self.start = reader.u32()

    def read_code(self, reader: Reader) -> None:
        self.code_bytes = reader.end - reader.pos
        for _ in range(reader.u32()):
            size, start = reader.u32(), reader.pos
            reader.skip(size)
            self.code.append((start, start + size))

    def read_data(self, reader: Reader) -> None:
        self.data_bytes = reader.end - reader.pos
        reader.pos = reader.end

    def read_data_count(self, reader: Reader) -> None:
        self.features.add("bulk-memory")
        reader.u32()

    def read_tags(self, reader: Reader) -> None:
        for _ in range(reader.u32()):
            self.read_tag(reader)

    # --- parts of sections -------------------------------------------------------------------------------------------

    def read_kind(self, reader: Reader) -> str:
        kind = reader.byte()
        if kind >= len(KINDS):
            raise reader.fail(f"unknown kind of import or export 0x{kind:02x}", reader.pos - 1)
        return KINDS[kind]

    def read_values(self, reader: Reader) -> str:
        return "".join([self.read_value(reader) for _ in range(reader.u32())])

    def read_value(self, reader: Reader) -> str:
        byte = reader.byte()
        if byte in (0x63, 0x64):  # (ref null ht), (ref ht)
            reader.s33()
        elif not 0x68 <= byte <= 0x7F:
            raise reader.fail(f"unknown type of value 0x{byte:02x}", reader.pos - 1)
        if (feature := VALUE_FEATURES.get(byte)) is not None:
            self.features.add(feature)
        return VALUE_LETTERS.get(byte, "?")

    def read_table_type(self, reader: Reader) -> str:
        """A table's letter of what it holds; only one table of functions is of WebAssembly 1.0."""
        before = set(self.features)
        letter = self.read_value(reader)
        self.tables += 1
        if letter == "r":
            self.features = before
        if letter != "r" or self.tables > 1:
            self.features.add("reference-types")
        if self.read_limits(reader).wide:
            self.features.add("memory64")
        return letter

    def read_limits(self, reader: Reader) -> MemoryLimits:
        flags = reader.byte()
        if flags > 0x0F:
            raise reader.fail(f"unknown flags of limits 0x{flags:02x}", reader.pos - 1)
        number = reader.u64 if flags & 4 else reader.u32
        minimum = number()
        maximum = number() if flags & 1 else None
        own_pages = bool(flags & 8)
        if own_pages:  # size of a page, a power of two
            reader.u32()
        return MemoryLimits(minimum, maximum, bool(flags & 2), bool(flags & 4), own_pages)

    def read_global_type(self, reader: Reader) -> None:
        self.read_value(reader)
        reader.byte()

    def read_tag(self, reader: Reader) -> None:
        self.features.add("exceptions")
        reader.byte()
        self.type_of(reader.u32(), reader)

    def type_of(self, index: int, reader: Reader) -> FuncType | None:
        if index >= len(self.types):
            raise reader.fail(f"type {index}, there are {len(self.types)},")
        return self.types[index]
