from __future__ import annotations

import pytest

from meshsim.errors import LinkError, ModuleError
from tests.abi.conftest import FakeHost, MakeWasm, module


@pytest.mark.parametrize(
    ("imports", "words"),
    [
        ('(import "env" "proxy_nope" (func))', "missing import: env.proxy_nope"),
        ('(import "other" "thing" (func))', "missing import: other.thing"),
        ('(import "env" "g" (global i32))', "missing import: env.g"),
        (
            '(import "env" "proxy_get_configuration" (func (param i32 i32) (result i32)))',
            "missing import: env.proxy_get_c",
        ),
        (
            '(import "env" "proxy_log" (func (param i32 i64) (result i32)))',
            "import type mismatch: env.proxy_log, want: i32 i64 -> i32, but host exports: i32 i32 i32 -> i32",
        ),
    ],
)
def test_an_import_that_is_not_offered_is_told_in_envoys_words(make_wasm: MakeWasm, imports: str, words: str) -> None:
    host = FakeHost()
    assert not make_wasm(module("", imports), host, ready=False).initialize()
    assert words in host.reports[0][1]
    assert issubclass(LinkError, ModuleError)
