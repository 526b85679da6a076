"""Every host function with every kind of bad argument: a status, and no byte of the guest's changed but the outputs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshsim.abi.allowance import AllowanceExceeded
from meshsim.abi.codec import encode_pairs
from meshsim.abi.constants import AbiVersion, BufferType, HeaderMapType, Status
from meshsim.abi.hostcalls import HostCalls
from meshsim.abi.proxy_wasm import ProxyWasm
from meshsim.abi.signatures import WASI_MODULES, HostFunction, func_type, offered
from meshsim.errors import NotModelled
from meshsim.wasm import Limits
from tests.abi.conftest import PLUGIN, Body, FakeHost, FakeStream, MakeWasm, Pairs
from tests.hostile.edges import ROLES

SIZE = 65536
BLOCK = range(0x8000, 0xA000)
PATTERN = bytes(random.Random(7).getrandbits(8) for _ in range(SIZE))
POINTERS = (0, 1, 61, 0x4000, 0x7FFF, SIZE - 24, SIZE - 8, SIZE - 7, SIZE - 4, SIZE - 3, SIZE - 1, SIZE, SIZE + 1)
FAR = (2**31 - 1, 2**31, 2**32 - SIZE, 2**32 - 4, 2**32 - 1)
LENGTHS = (0, 1, 3, 8, 200, SIZE - 0x4000, SIZE, SIZE + 1, *FAR)
VALUES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17, 403, 65536, 2**31 - 1, 2**31, 2**32 - 1)
WIDE = (0, 1, 2**63 - 1, 2**63, 2**64 - 1)

#: What may be written for a role, in bytes.
WRITTEN = {"o": 4, "O": 8, "s": 24}

FUNCTIONS = [
    f
    for f in {**offered(AbiVersion.V0_1_0), **offered(AbiVersion.V0_2_1)}.values()
    if f.module != WASI_MODULES[1] and f.name != "environ_get"
]


def _text(version: AbiVersion) -> str:
    """A guest that passes calls on: for each host function an export of its name with ``call_`` before it."""
    lines = ['(memory (export "memory") 1)', f'(func (export "proxy_abi_version_{version}"))']
    lines.append('(func (export "malloc") (param i32) (result i32) (i32.const 0x8000))')
    imports = []
    for function in offered(version).values():
        if function.module == WASI_MODULES[1]:
            continue
        letters = ["i64" if letter == "I" else "i32" for letter in function.type.params]
        types = f"(param {' '.join(letters)})" + (" (result i32)" if function.type.results else "")
        imports.append(f'(import "{function.module}" "{function.name}" (func ${function.name} {types}))')
        passed = " ".join(f"(local.get {i})" for i in range(len(letters)))
        lines.append(f'(func (export "call_{function.name}") {types} (call ${function.name} {passed}))')
    return f"(module {' '.join(imports)} {' '.join(lines)})"


@pytest.fixture(scope="module")
def guests(make_wasm: MakeWasm) -> dict[AbiVersion, ProxyWasm]:
    return {version: make_wasm(_text(version), FakeHost()) for version in (AbiVersion.V0_1_0, AbiVersion.V0_2_1)}


def _prepare(wasm: ProxyWasm) -> FakeStream:
    """Put the guest, its memory and a stream with everything into the state that each call starts from."""
    pairs = [(b":path", b"/"), (b"a", b"1"), (PATTERN[:3], PATTERN[3:6])]
    stream = FakeStream(
        {kind: Pairs(list(pairs)) for kind in HeaderMapType if kind != HeaderMapType.REQUEST_TRAILERS},
        {kind: Body(b"body of the message") for kind in BufferType if kind != BufferType.RESPONSE_BODY},
        {PATTERN[:1]: b"property", PATTERN[1:2]: None, PATTERN[61:62]: {b"k": 7}},
    )
    wasm.contexts.clear()
    wasm.current = wasm.acting = wasm.add_context(PLUGIN, stream)
    assert wasm.vm.memory.write(0, PATTERN)
    block = encode_pairs([(b"x", b"y")])
    assert wasm.vm.memory.write(0x4000, block)
    return stream


def _allowed(roles: str, arguments: tuple[int, ...]) -> Iterator[range]:
    yield BLOCK
    for place, (role, argument) in enumerate(zip(roles, arguments, strict=True)):
        if role in WRITTEN:
            yield range(argument, argument + WRITTEN[role])
        elif role == "w":
            yield range(argument, argument + arguments[place + 1])


def _check(wasm: ProxyWasm, function: HostFunction, arguments: tuple[int, ...]) -> Any:
    _prepare(wasm)
    before = bytearray(wasm.vm.memory.read(0, SIZE) or b"")
    call = wasm.vm.function(f"call_{function.name}", function.type)
    assert call is not None
    try:
        answer = call(*arguments)
    except NotModelled as ends:
        # A service message without a target, such as an empty one, ends the real Envoy's process.
        if "gRPC service" not in str(ends):
            raise
        return None
    after = bytearray(wasm.vm.memory.read(0, SIZE) or b"")
    for place in _allowed(ROLES.get(function.name, "v" * len(arguments)), arguments):
        for memory in (before, after):
            memory[place.start : place.stop] = bytes(len(memory[place.start : place.stop]))
    assert before == after, "bytes changed that are no output"
    assert not wasm.failed
    if function.name.startswith("proxy_"):
        assert answer in set(Status)
    elif function.module != "env" and function.type.results:
        assert answer in (0, 8, 20, 21, 28, 44, 52, 58, 76)
    return answer


def _choices(role: str) -> tuple[int, ...]:
    match role:
        case "v":
            return VALUES
        case "V" | "I":
            return WIDE
        case "n" | "m":
            return LENGTHS
    return (*POINTERS, *FAR)


def _roles(function: HostFunction) -> str:
    return ROLES.get(function.name) or function.type.params.replace("i", "v")


def _of_version(function: HostFunction) -> AbiVersion:
    return AbiVersion.V0_2_1 if AbiVersion.V0_2_1 in function.versions else AbiVersion.V0_1_0


def _modelled(function: HostFunction) -> bool:
    return hasattr(HostCalls, function.name) or function.module != "env"


@pytest.mark.parametrize("function", [f for f in FUNCTIONS if _modelled(f)], ids=lambda f: f.name)
def test_each_argument_at_each_edge(guests: dict[AbiVersion, ProxyWasm], function: HostFunction) -> None:
    wasm, roles = guests[_of_version(function)], _roles(function)
    assert len(roles) == len(function.type.params)
    good = {"v": 0, "V": 1, "I": 1, "p": 0x4000, "n": 8, "o": 61, "O": 100, "s": 128, "w": 256, "m": 16}
    for place, role in enumerate(roles):
        for choice in _choices(role):
            arguments = [good[each] for each in roles]
            arguments[place] = choice
            _check(wasm, function, tuple(arguments))
    if roles and max(map(len, map(_choices, roles))) ** len(roles) < 400:
        for combination in product(*map(_choices, roles)):
            _check(wasm, function, combination)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_all_arguments_at_once(guests: dict[AbiVersion, ProxyWasm], data: st.DataObject) -> None:
    function = data.draw(st.sampled_from([f for f in FUNCTIONS if _modelled(f)]))
    arguments = tuple(data.draw(st.sampled_from(_choices(role))) for role in _roles(function))
    _check(guests[_of_version(function)], function, arguments)


def test_every_import_is_modelled() -> None:
    assert [function.name for function in FUNCTIONS if not _modelled(function)] == []


@pytest.mark.parametrize(
    ("function", "roles"),
    [(f, ROLES[f.name]) for f in FUNCTIONS if "p" in ROLES.get(f.name, "") and _modelled(f)],
    ids=lambda v: v,
)
def test_a_range_outside_the_memory_is_refused(
    guests: dict[AbiVersion, ProxyWasm], function: HostFunction, roles: str
) -> None:
    if function.name in ("fd_readdir", "poll_oneoff"):
        pytest.skip("Envoy does not look at these ranges")
    good = {"v": 0, "V": 1, "p": 0x4000, "n": 8, "o": 61, "O": 100}
    for place, role in enumerate(roles):
        if role != "p":
            continue
        for pointer, size in ((SIZE, 1), (SIZE - 7, 8), (2**32 - 1, 8), (0, SIZE + 1), (8, 2**32 - 8), (SIZE + 1, 0)):
            arguments = [good[each] for each in roles]
            arguments[place : place + 2] = pointer, size
            if function.name in ("fd_write", "fd_pwrite"):
                arguments[0] = 1
            answer = _check(guests[_of_version(function)], function, tuple(arguments))
            if function.module == "env":
                assert answer == Status.INVALID_MEMORY_ACCESS, (place, pointer, size)
            else:  # a write of no vectors does not look where they would be
                assert answer == (21 if size else 0), (place, pointer, size)


@pytest.mark.parametrize("pointer", [0, 1, SIZE - 1, SIZE, SIZE - 2])
def test_nothing_can_be_read_at_the_end_of_the_memory_and_behind(
    guests: dict[AbiVersion, ProxyWasm], pointer: int
) -> None:
    wasm = guests[AbiVersion.V0_2_1]
    log = offered(AbiVersion.V0_2_1)["env", "proxy_log"]
    assert _check(wasm, log, (2, pointer, 0)) == Status.OK
    assert _check(wasm, log, (2, pointer, SIZE - pointer)) == Status.OK
    assert _check(wasm, log, (2, pointer, SIZE - pointer + 1)) == Status.INVALID_MEMORY_ACCESS


@pytest.mark.parametrize("address", [0, SIZE - 4, SIZE, 2**31, 2**32 - 1, 2**32 - 4])
@pytest.mark.parametrize("outputs", [(16, 20), (2**32 - 1, 20), (16, SIZE - 3)])
def test_an_allocator_that_lies(make_wasm: MakeWasm, address: int, outputs: tuple[int, int]) -> None:
    text = _text(AbiVersion.V0_2_1).replace("(i32.const 0x8000)", f"(i32.const {address})")
    wasm = make_wasm(text)
    _prepare(wasm)
    call = wasm.vm.function("call_proxy_get_buffer_bytes", func_type("iiiii>i"))
    assert call is not None
    assert call(0, 0, 100, *outputs) == Status.INVALID_MEMORY_ACCESS
    assert not wasm.failed


def test_pieces_of_a_write_are_not_gathered_beyond_what_is_there(guests: dict[AbiVersion, ProxyWasm]) -> None:
    """A table of many vectors that all name the same bytes must not make the host hold their sum."""
    wasm = guests[AbiVersion.V0_2_1]
    stream = _prepare(wasm)
    count = 200
    assert wasm.vm.memory.write(0x1000, (bytes(4) + SIZE.to_bytes(4, "little")) * count)
    call = wasm.vm.function("call_fd_write", func_type("iiii>i"))
    assert call is not None
    assert call(1, 0x1000, count, 61) == 0
    assert wasm.vm.memory.read_u32(61) == SIZE * count
    assert stream.asked == []


def test_the_sum_of_a_write_has_an_end(make_wasm: MakeWasm) -> None:
    wasm = make_wasm(_text(AbiVersion.V0_2_1), limits=Limits(kept_bytes_per_call=1 << 20))
    _prepare(wasm)
    assert wasm.vm.memory.write(0x1000, (bytes(4) + SIZE.to_bytes(4, "little")) * 20)
    call = wasm.vm.function("call_fd_write", func_type("iiii>i"))
    assert call is not None
    assert call(1, 0x1000, 4, 61) == 0
    with pytest.raises(AllowanceExceeded, match="fd_write"):
        call(1, 0x1000, 20, 61)


def test_what_is_read_has_an_end_behind_the_checks(make_wasm: MakeWasm) -> None:
    wasm = make_wasm(_text(AbiVersion.V0_2_1), limits=Limits(kept_bytes_per_call=SIZE // 2))
    _prepare(wasm)
    call = wasm.vm.function("call_proxy_set_shared_data", func_type("iiiii>i"))
    assert call is not None
    assert call(0, 8, 0, SIZE + 1, 0) == Status.INVALID_MEMORY_ACCESS
    with pytest.raises(AllowanceExceeded, match="proxy_set_shared_data"):
        call(0, 8, 0, SIZE, 0)
