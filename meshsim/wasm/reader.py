"""Reading Wasm's binary format: bytes, LEB128 integers, names, vectors, each with its bounds checked."""

from __future__ import annotations

from meshsim.errors import ModuleError


class Reader:
    """A cursor over a part of a module.

    Parameters
    ----------
    data : bytes
        The whole module, so that positions are offsets in the file.
    pos, end : int
        The part to read; reading past ``end`` is an error even when the module goes on.
    part : str
        What the part is, for error messages.

    Raises
    ------
    ModuleError
        From every method, with the byte offset, when the bytes end early or are not what they should be.

    Examples
    --------
    >>> Reader(bytes([0xE5, 0x8E, 0x26])).u32()
    624485
    """

    __slots__ = ("data", "end", "part", "pos")

    def __init__(self, data: bytes, pos: int = 0, end: int | None = None, part: str = "module") -> None:
        self.data = data
        self.pos = pos
        self.end = len(data) if end is None else end
        self.part = part

    def fail(self, what: str, at: int | None = None) -> ModuleError:
        """The error for ``what``, at byte ``at`` (default: here)."""
        return ModuleError(f"{what} in {self.part} at byte {self.pos if at is None else at}")

    def byte(self) -> int:
        """The next byte."""
        if self.pos >= self.end:
            raise self.fail("truncated: a byte is missing")
        value = self.data[self.pos]
        self.pos += 1
        return value

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        start = self.pos
        self.skip(size)
        return self.data[start : self.pos]

    def skip(self, size: int) -> None:
        """Go over ``size`` bytes, which must be there."""
        if size > self.end - self.pos:
            raise self.fail(f"truncated: {size} bytes wanted, {self.end - self.pos} left,")
        self.pos += size

    def _leb(self, bits: int) -> tuple[int, int]:
        """An unfolded LEB128 integer of at most ``bits`` bits: its value and how many bits its bytes carry."""
        start, value, shift = self.pos, 0, 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value, shift
            if shift >= bits:
                raise self.fail("integer too long", start)

    def u32(self) -> int:
        """An unsigned LEB128 integer of 32 bits."""
        if self.pos < self.end and self.data[self.pos] < 0x80:  # nearly all of them are one byte
            self.pos += 1
            return self.data[self.pos - 1]
        return self._unsigned(32)

    def u64(self) -> int:
        """An unsigned LEB128 integer of 64 bits."""
        return self._unsigned(64)

    def _unsigned(self, bits: int) -> int:
        start = self.pos
        value, _ = self._leb(bits)
        if value >> bits:
            raise self.fail("integer too large", start)
        return value

    def signed(self, bits: int) -> int:
        """A signed LEB128 integer of ``bits`` bits."""
        value, width = self._leb(bits)
        return value - (1 << width) if value >> (width - 1) else value

    def s33(self) -> int:
        """A signed LEB128 integer of 33 bits: a type index (not negative) or a short form (negative)."""
        start = self.pos
        value, width = self._leb(33)
        if value >> (width - 1):
            value -= 1 << width
        if not -(1 << 32) <= value < 1 << 32:
            raise self.fail("integer too large", start)
        return value

    def name(self) -> str:
        """A UTF-8 name with its length before it."""
        size, start = self.u32(), self.pos
        try:
            return self.take(size).decode()
        except UnicodeDecodeError:
            raise self.fail("name that is not UTF-8", start) from None
