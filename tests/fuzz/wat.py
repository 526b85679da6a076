"""A guest under construction: its data segment, its imports and its functions, written as WebAssembly text."""

from __future__ import annotations

from collections.abc import Iterable

from meshsim.abi.constants import AbiVersion
from meshsim.abi.signatures import ENV, HOST_FUNCTIONS, WASI_MODULES
from meshsim.wasm.types import FuncType

#: Where a host function leaves its results: pointer and size, one more number; what no guest reads.
POINTER, SIZE, NUMBER, UNREAD = 16, 20, 24, 64
#: What a guest remembers: a metric, a queue, a gRPC stream to nobody; the stream that waits, whether the next callback
#: is awaited, and for which callout; whether the allocator has run.
METRIC, QUEUE, TOKEN, WAITING, ARMED, CALLED, ALLOCATED = 32, 36, 40, 44, 48, 52, 56

#: End of the memory in bytes. The 64 KiB from SCRATCH on are written and never read.
END = 4 * 65536
SCRATCH = 2 * 65536
#: What stands at the very end of the memory: a name that is right up to the last byte.
TAIL = b"12345x-a"

_DATA, _HEAP, _HEAP_END = 1024, 32768, 120_000
WASI = "wasi"

#: The type of each host function, by the name that is used here: ``env.proxy_log``, ``wasi.fd_write``.
TYPES: dict[str, FuncType] = {
    f"{ENV if f.module == ENV else WASI}.{f.name}": f.type for f in HOST_FUNCTIONS if f.module != WASI_MODULES[1]
}
_WORDS = {"i": "i32", "I": "i64"}


def const(value: int) -> str:
    return f"(i32.const {value})"


def long(value: int) -> str:
    return f"(i64.const {value})"


def load(address: int) -> str:
    return f"(i32.load {const(address)})"


def store(address: int, value: str) -> str:
    return f"(i32.store {const(address)} {value})"


def when(condition: str, body: str) -> str:
    """``body`` if the condition holds; nothing for no body."""
    return f"(if {condition} (then {body}))" if body else ""


def lines(*texts: str) -> str:
    return "\n    ".join(filter(None, texts))


def pairs(headers: Iterable[tuple[str, str]]) -> bytes:
    """Headers as the ABI passes them: their number, the sizes of each, then each with a zero behind it."""
    rows = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    sizes = [size for row in rows for size in map(len, row)]
    words = b"".join(number.to_bytes(4, "little") for number in [len(rows), *sizes])
    return words + b"".join(name + b"\0" + value + b"\0" for name, value in rows)


#: Puts back what stands at the end of the memory, after a host function wrote there.
RESTORE_TAIL = f"(i64.store {const(END - len(TAIL))} {long(int.from_bytes(TAIL, 'little'))})"


class Guest:
    """What a guest has so far; its methods return text for the body of a function."""

    def __init__(self, version: AbiVersion, wasi: str = WASI_MODULES[0]) -> None:
        self.version = version
        self._wasi = wasi
        self._data = bytearray()
        self._places: dict[bytes, int] = {}
        self._imports: set[str] = set()
        self._functions: list[str] = []
        self._in_malloc = ""

    def place(self, content: str | bytes) -> tuple[int, int]:
        """Address and size of a constant."""
        raw = content.encode("latin-1") if isinstance(content, str) else content
        if raw not in self._places:
            self._places[raw] = _DATA + len(self._data)
            self._data += raw
        return self._places[raw], len(raw)

    def data(self, content: str | bytes) -> str:
        """Pointer and size of a constant, as arguments."""
        return " ".join(map(const, self.place(content)))

    def call(self, function: str, *arguments: str | int) -> str:
        """A call of a host function, by its name in :data:`TYPES`."""
        self._imports.add(function)
        texts = [const(argument) if isinstance(argument, int) else argument for argument in arguments]
        return f"(call {' '.join([f'${function}', *texts])})"

    def drop(self, function: str, *arguments: str | int) -> str:
        """A call whose status nobody reads."""
        call = self.call(function, *arguments)
        return f"(drop {call})" if TYPES[function].results else call

    def export(self, name: str, parameters: int, body: str, answer: str | None = None) -> None:
        """Add a callback, with the local ``$answer``; ``answer`` is what it returns, if it returns something."""
        result = "" if answer is None else " (result i32)"
        text = f'(func (export "{name}"){" (param i32)" * parameters}{result} (local $answer i32)'
        self._functions.append(lines(text, body, answer or "") + ")")

    def in_malloc(self, body: str) -> None:
        """What the allocator does before it gives a block."""
        self._in_malloc = body

    def text(self) -> str:
        """The module."""
        assert _DATA + len(self._data) <= _HEAP, "the constants reach into the heap"
        rows = [*map(self._import, sorted(self._imports)), f'(memory (export "memory") {END // 65536})']
        rows += [
            "(global $stream (mut i32) (i32.const 0))",
            _segment(_DATA, self._data),
            _segment(END - len(TAIL), TAIL),
        ]
        rows += [f'(func (export "proxy_abi_version_{self.version}"))', self._malloc(), *self._functions]
        return "\n  ".join(["(module", *rows]) + ")\n"

    def _malloc(self) -> str:
        """Forgets nothing and wraps around: results are read at once, before the next call."""
        return f"""\
(global $top (mut i32) (i32.const {_HEAP}))
  (func (export "malloc") (param $size i32) (result i32) (local $start i32)
    {self._in_malloc}
    (if (i32.gt_u (global.get $top) (i32.const {_HEAP_END})) (then (global.set $top (i32.const {_HEAP}))))
    (local.set $start (global.get $top))
    (global.set $top
      (i32.add (local.get $start) (i32.and (i32.add (local.get $size) (i32.const 15)) (i32.const -8))))
    (local.get $start))"""

    def _import(self, function: str) -> str:
        module, _, name = function.partition(".")
        type_ = TYPES[function]
        parameters = f" (param {' '.join(_WORDS[letter] for letter in type_.params)})" if type_.params else ""
        results = " (result i32)" if type_.results else ""
        where = self._wasi if module == WASI else module
        return f'(import "{where}" "{name}" (func ${function}{parameters}{results}))'


def _segment(address: int, content: bytes | bytearray) -> str:
    escaped = "".join(f"\\{byte:02x}" for byte in content)
    return f'(data {const(address)} "{escaped}")'
