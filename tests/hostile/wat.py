"""Guests in WAT, written in a few words: callbacks by their name, host calls with text for pointers."""

from __future__ import annotations

import re
from collections.abc import Iterable

import wasmtime

from meshsim.abi.constants import AbiVersion
from meshsim.abi.signatures import WASI_MODULES, callbacks, offered

_FUNCTIONS = {
    function.name: function
    for version in (AbiVersion.V0_1_0, AbiVersion.V0_2_1)
    for function in offered(version).values()
    if function.module != WASI_MODULES[1]
}
_CALLBACKS = callbacks(AbiVersion.V0_2_1)
_WORDS = {"i": "i32", "I": "i64"}
#: Callbacks that say yes with a 1; the others go on with a 0.
_AGREEING = frozenset({"proxy_on_vm_start", "proxy_on_configure", "proxy_on_done"})

#: Where text lies, what host calls may write to, and what the allocator gives.
TEXT, OUT, BLOCK = 1024, 512, 32768

Argument = int | str | bytes

MALLOC = f'(func $malloc (export "malloc") (param i32) (result i32) (i32.const {BLOCK}))'


def call(name: str, *arguments: Argument) -> str:
    """A host call whose result is dropped; bytes stand for two arguments, pointer and length, text for code.

    >>> call("proxy_log", 2, "(local.get 0)", 3)
    '(drop (call $proxy_log (i32.const 2) (local.get 0) (i32.const 3)))'
    """
    type_ = _FUNCTIONS[name].type
    parts: list[str] = []
    letters = iter(type_.params)
    for argument in arguments:
        letter = next(letters)
        if isinstance(argument, bytes):
            next(letters)
            parts.append(f"@{argument.hex()}@")
        elif isinstance(argument, str):
            parts.append(argument)
        else:
            parts.append(f"({_WORDS[letter]}.const {argument})")
    assert next(letters, None) is None, f"{name} wants {type_}"
    code = " ".join([f"call ${name}", *parts])
    return f"(drop ({code}))" if type_.results else f"({code})"


def on(callback: str, code: str) -> str:
    """A callback with two counters, ``$i`` and ``$j``, that ends as most do."""
    name = callback if callback.startswith("envoy_") else f"proxy_on_{callback}"
    type_ = _CALLBACKS[name].type
    params = f"(param {' '.join(_WORDS[letter] for letter in type_.params)})"
    result = f"(i32.const {int(name in _AGREEING)})" if type_.results else ""
    results = "(result i32)" if type_.results else ""
    return f'(func ${name} (export "{name}") {params} {results} (local $i i32) (local $j i32) {code} {result})'


def forever(code: str = "") -> str:
    """Do something without end."""
    return f"(loop $again {code} (br $again))"


def times(count: int, code: str) -> str:
    """Do something so many times; ``$i`` counts from 0."""
    step = "(local.set $i (i32.add (local.get $i) (i32.const 1)))"
    again = f"(br_if $again (i32.lt_u (local.get $i) (i32.const {count})))"
    return f"(local.set $i (i32.const 0)) (loop $again {code} {step} {again})"


def text(*parts: str, memory: str = '(memory $memory (export "memory") 2)', malloc: str = MALLOC) -> str:
    """A module: imports of what is called, a memory with the texts, marker, allocator, and the parts."""
    body = " ".join(parts)
    used = dict.fromkeys(re.findall(r"\(call \$([a-z_0-9]+)", f"{body} {malloc}"))
    imports = [_import(name) for name in used if name in _FUNCTIONS]
    place, data = TEXT, []
    places: dict[bytes, int] = {}

    def put(match: re.Match[str]) -> str:
        nonlocal place
        content = bytes.fromhex(match[1])
        if content in places:
            return f"(i32.const {places[content]}) (i32.const {len(content)})"
        places[content] = place
        escaped = "".join(f"\\{byte:02x}" for byte in content)
        data.append(f'(data (i32.const {place}) "{escaped}")')
        place += len(content)
        return f"(i32.const {place - len(content)}) (i32.const {len(content)})"

    body = re.sub("@([0-9a-f]*)@", put, f"{malloc} {body}")
    marker = '(func (export "proxy_abi_version_0_2_1"))'
    return f"(module {' '.join(imports)} {memory} {marker} {body} {' '.join(data)})"


def module(source: str) -> bytes:
    """Assemble a module; nobody validates it."""
    return bytes(wasmtime.wat2wasm(source))


def _import(name: str) -> str:
    function = _FUNCTIONS[name]
    params = f"(param {' '.join(_WORDS[letter] for letter in function.type.params)})"
    results = "(result i32)" if function.type.results else ""
    return f'(import "{function.module}" "{name}" (func ${name} {params} {results}))'


def pairs(entries: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A block of pairs as guests pass it."""
    from meshsim.abi.codec import encode_pairs

    return encode_pairs(list(entries))
