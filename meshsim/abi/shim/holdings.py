"""Maps and bodies in the shim's memory."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from meshsim.abi.constants import HeaderMapType
from meshsim.abi.shim.blocks import MapRules
from meshsim.abi.shim.layout import LAYOUT, MAX_MAPS, NUMBERS
from meshsim.abi.shim.module import shim_text
from meshsim.abi.shim.words import (
    BLOCK_HEAD,
    BLOCK_MAX,
    BUFFER,
    CONSTANT,
    DESCRIPTOR,
    FOREIGN,
    HEAP,
    HEAP_END,
    MAP_COUNT,
    MAP_SIZE,
    MAPS,
    PRESET,
    W,
)

if TYPE_CHECKING:
    from meshsim.abi.proxy_wasm import ProxyWasm


class Holdings:
    """What lies in one shim's memory of the stream that runs, and how it gets there."""

    def __init__(self, wasm: ProxyWasm) -> None:
        self._wasm = wasm
        self._extension = wasm.vm.extend("shim", shim_text)
        self._bytes = memoryview(self._extension.memory("memory")).cast("B")
        self._words = self._bytes.cast("I")
        self._longs = self._bytes.cast("Q")
        self._maps: list[Any] = []
        self._bodies: dict[int, Any] = {}
        # By identity: to hash a set of names takes longer than all the rest of placing a map.
        self._rules: dict[int, tuple[int, int, MapRules]] = {}
        self._rules_end = LAYOUT["RULES"]
        self._words[HEAP] = LAYOUT["HEAP_START"]

    @property
    def memory(self) -> memoryview:
        """The shim's memory."""
        return self._bytes

    @property
    def words(self) -> memoryview:
        """The same, by words of 32 bits."""
        return self._words

    @property
    def longs(self) -> memoryview:
        """The same, by words of 64 bits."""
        return self._longs

    @property
    def row(self) -> int:
        """The row of a batch that runs."""
        return self._words[W["ROW"]]

    def grow(self, pages: int) -> memoryview:
        """Make the memory longer by pages of 64 KiB, and give all of it."""
        self._extension.grow("memory", pages)
        memory = memoryview(self._extension.memory("memory")).cast("B")
        self._bytes, self._words, self._longs = memory, memory.cast("I"), memory.cast("Q")
        return memory

    def show(self, kind: HeaderMapType, header_map: Any) -> None:
        """Put a map where the next run finds it, for reading and writing, without asking for it."""
        state = self.place(header_map)
        place = PRESET // 4 + kind
        self._words[place] = self._words[place + 8] = state

    def place(self, header_map: Any) -> int:
        """Put a map into the shim's memory, unless it is there; the address of its descriptor, or that it cannot be."""
        for place, known in enumerate(self._maps):
            if known is header_map:
                return MAPS + MAP_SIZE * place
        make_block = getattr(header_map, "block", None)
        block = None if make_block is None or len(self._maps) == MAX_MAPS else make_block()
        words = self._words
        at = words[HEAP]
        if block is None or len(block) > BLOCK_MAX or at + len(block) + 16 > HEAP_END:
            return FOREIGN
        self._maps.append(header_map)
        return self.place_block(block, header_map.rules)

    def place_block(self, block: bytes, rules: MapRules) -> int:
        """Put a map's block into the next descriptor and give its address."""
        words, place = self._words, self._words[MAP_COUNT]
        at = words[HEAP] + 7 & ~7  # strings come to lie anywhere
        end = at + len(block)
        self._bytes[at:end] = block
        words[HEAP] = end + 8
        words[MAP_COUNT] = place + 1
        descriptor = MAPS + MAP_SIZE * place
        count, pseudo, size = BLOCK_HEAD.unpack_from(block)
        known, flags = self.map_rules(rules)
        DESCRIPTOR.pack_into(self._bytes, descriptor, at, at + 16, count, count, pseudo, size, known, flags)
        return descriptor

    def map_rules(self, rules: MapRules) -> tuple[int, int]:
        """Where rules are, and the flags of a map that has them."""
        known = self._rules.get(id(rules))
        return known[:2] if known else self._place_rules(rules)

    def _place_rules(self, rules: MapRules) -> tuple[int, int]:
        names = sorted(rules.once)
        start = self._rules_end
        at = start + 4 + 8 * len(names)
        words = [len(names)]
        for name in names:
            words += (at, len(name))
            at += len(name)
        data = struct.pack(f"<{len(words)}I", *words) + b"".join(names)
        self._bytes[start : start + len(data)] = data
        self._rules_end = start + (len(data) + 15 & ~7)
        assert self._rules_end <= LAYOUT["STRINGS"]
        flags = NUMBERS["HOST_IS_AUTHORITY"] if rules.host_is_authority else 0
        self._rules[id(rules)] = start, flags, rules
        return start, flags

    def place_body(self, kind: int, body: Any) -> int:
        """Put a body into the shim's memory; the address of its descriptor, or that it cannot be there."""
        constant = getattr(body, "constant", None)
        words = self._words
        at = words[HEAP]
        if constant is None or body.size() > BLOCK_MAX or at + body.size() + 8 > NUMBERS["HEAP_END"]:
            return FOREIGN
        descriptor = LAYOUT["BUFFERS"] + LAYOUT["BUFFER_SIZE"] * kind
        size = body.size()
        self._bytes[at : at + size] = body.data
        words[HEAP] = at + size + 8
        BUFFER.pack_into(self._bytes, descriptor, at, size, CONSTANT if constant else 0)
        self._bodies[kind] = body
        return descriptor

    def _rules_at(self, rules: MapRules) -> int:
        return self.map_rules(rules)[0]
