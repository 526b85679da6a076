"""What ``vm-clone`` times is a whole VM."""

from __future__ import annotations

from meshsim.abi.code import Code
from meshsim.wasm import Engine
from tests.bench.vm_clone import MODULES, clone


def test_a_clone_is_ready_for_a_plugin_and_shares_no_memory() -> None:
    code = Code.of(Engine().compile((MODULES / "hello-wat.wasm").read_bytes()))
    first, second = clone(code), clone(code)
    assert first.exports("proxy_on_request_headers")
    assert first.vm.memory.write(2048, b"only here")
    assert second.vm.memory.read(2048, 9) == bytes(9)
