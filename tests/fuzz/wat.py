"""A guest under construction: its data segment, its imports and its functions, written as WebAssembly text."""

from __future__ import annotations

from collections.abc import Iterable

ABI_VERSIONS = ("0_2_1", "0_2_0", "0_1_0")

#: Where a host function leaves its results: pointer and size, one more number, the id of a metric.
POINTER, SIZE, NUMBER, METRIC = 16, 20, 24, 32
#: Where a guest notes the stream that waits.
WAITING = 36

_DATA, _HEAP, _HEAP_END = 1024, 16384, 100_000

#: Parameters of the host functions, i for i32 and I for i64; all return a status.
SIGNATURES = {
    "add_header_map_value": "iiiii",
    "close_stream": "i",
    "continue_stream": "i",
    "define_metric": "iiii",
    "get_buffer_bytes": "iiiii",
    "get_buffer_status": "iii",
    "get_header_map_pairs": "iii",
    "get_header_map_size": "ii",
    "get_header_map_value": "iiiii",
    "get_log_level": "i",
    "get_property": "iiii",
    "get_shared_data": "iiiii",
    "get_status": "iii",
    "http_call": "iiiiiiiiii",
    "increment_metric": "iI",
    "log": "iii",
    "record_metric": "iI",
    "remove_header_map_value": "iii",
    "replace_header_map_value": "iiiii",
    "send_local_response": "iiiiiiii",
    "set_buffer_bytes": "iiiii",
    "set_effective_context": "i",
    "set_header_map_pairs": "iii",
    "set_property": "iiii",
    "set_shared_data": "iiiii",
}
_TYPES = {"i": "i32", "I": "i64"}

# Forgets nothing and wraps around: results are read at once, before the next call.
_MEMORY = f"""\
  (global $top (mut i32) (i32.const {_HEAP}))
  (func (export "malloc") (param $size i32) (result i32) (local $start i32)
    (if (i32.gt_u (global.get $top) (i32.const {_HEAP_END})) (then (global.set $top (i32.const {_HEAP}))))
    (local.set $start (global.get $top))
    (global.set $top
      (i32.add (local.get $start) (i32.and (i32.add (local.get $size) (i32.const 15)) (i32.const -8))))
    (local.get $start))"""


def const(value: int) -> str:
    return f"(i32.const {value})"


def load(address: int) -> str:
    return f"(i32.load {const(address)})"


def pairs(headers: Iterable[tuple[str, str]]) -> bytes:
    """Headers as the ABI passes them: their number, the sizes of each, then each with a zero behind it."""
    rows = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    sizes = [size for row in rows for size in map(len, row)]
    words = b"".join(number.to_bytes(4, "little") for number in [len(rows), *sizes])
    return words + b"".join(name + b"\0" + value + b"\0" for name, value in rows)


class Guest:
    """What a guest has so far; its methods return text for the body of a function."""

    def __init__(self, version: str) -> None:
        self.version = version
        self._data = bytearray()
        self._places: dict[bytes, int] = {}
        self._imports: set[str] = set()
        self._functions: list[str] = []

    def data(self, content: str | bytes) -> str:
        """Pointer and size of a constant."""
        raw = content.encode("latin-1") if isinstance(content, str) else content
        if raw not in self._places:
            self._places[raw] = _DATA + len(self._data)
            self._data += raw
        return f"{const(self._places[raw])} {const(len(raw))}"

    def call(self, name: str, *arguments: str | int) -> str:
        """A call of a host function; its status is the value."""
        self._imports.add(name)
        texts = [const(argument) if isinstance(argument, int) else argument for argument in arguments]
        return f"(call {' '.join([f'${name}', *texts])})"

    def drop(self, name: str, *arguments: str | int) -> str:
        return f"(drop {self.call(name, *arguments)})"

    def logged(self, name: str, *arguments: str | int) -> str:
        """A call that leaves bytes at POINTER and SIZE, which are logged when it answers OK."""
        said = self.drop("log", 2, load(POINTER), load(SIZE))
        return f"(if (i32.eqz {self.call(name, *arguments)}) (then {said}))"

    def export(self, name: str, parameters: int, body: str, answer: str | None = None) -> None:
        """Add a callback; ``answer`` is the expression that it returns, if it returns something."""
        result = "" if answer is None else " (result i32)"
        text = f'(func (export "{name}"){" (param i32)" * parameters}{result}'
        self._functions.append("\n    ".join(filter(None, [text, body, answer])) + ")")

    def text(self) -> str:
        """The module."""
        rows = [*map(_import, sorted(self._imports)), '(memory (export "memory") 2)', self._segment()]
        rows += [f'(func (export "proxy_abi_version_{self.version}"))', *self._functions]
        return "\n  ".join(["(module", *rows]) + "\n" + _MEMORY + ")\n"

    def _segment(self) -> str:
        escaped = "".join(f"\\{byte:02x}" for byte in self._data)
        return f'(data {const(_DATA)} "{escaped}")'


def _import(name: str) -> str:
    parameters = " ".join(_TYPES[letter] for letter in SIGNATURES[name])
    return f'(import "env" "proxy_{name}" (func ${name} (param {parameters}) (result i32)))'
