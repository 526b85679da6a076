"""What ``meshsim replay`` says to input that cannot be used: status, one clear error, and always a result to read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from meshsim.cli.app import main
from meshsim.envoy.outcome import ReplayResult
from tests.envoy.conftest import HELLO, Guest, Wat, WriteBootstrap, listener, plugin


@dataclass(frozen=True)
class Ended:
    """How a replay ended: ``result`` is what it wrote, None when it wrote nothing."""

    status: int
    error: str
    result: ReplayResult | None

    def words(self) -> list[str]:
        """Envoy's errors, in order."""
        assert self.result
        return [text for _, level, text in self.result.other if level in ("error", "critical")]


ReplayIt = Callable[..., Ended]


@pytest.fixture
def replay_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> ReplayIt:
    def replay_it(bootstrap: Path, requests: str | None = "[{}]", *options: str) -> Ended:
        sent, out = tmp_path / "requests.json", tmp_path / "out.json"
        if requests is not None:
            sent.write_text(requests)
        with pytest.raises(SystemExit) as end:
            main(["replay", str(bootstrap), str(sent), "--json", str(out), *options])
        result = ReplayResult.from_json(json.loads(out.read_text())) if out.exists() else None
        error = capsys.readouterr().err
        assert "Traceback" not in error
        return Ended(int(end.value.code or 0), error, result)

    return replay_it


def refused(ended: Ended) -> None:
    """Check what all refusals have in common."""
    assert ended.status == 2
    assert ended.result is not None
    assert not ended.result.ready
    assert ended.result.responses == ()
    assert ended.error.startswith("meshsim: ")


def test_a_bootstrap_that_is_not_there(replay_it: ReplayIt, tmp_path: Path) -> None:
    ended = replay_it(tmp_path / "nope.yaml")
    assert (ended.status, ended.result) == (2, None)
    assert "nope.yaml" in ended.error
    assert "->" in ended.error


@pytest.mark.parametrize("text", ["a: [", "\0", "a: b: c", "{", "- a\nb"])
def test_a_bootstrap_that_is_not_yaml(replay_it: ReplayIt, tmp_path: Path, text: str) -> None:
    path = tmp_path / "envoy.yaml"
    path.write_text(text)
    ended = replay_it(path)
    assert (ended.status, ended.result) == (2, None)
    assert "envoy.yaml" in ended.error


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"\x80: 1"])
def test_a_bootstrap_that_is_not_text(replay_it: ReplayIt, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "envoy.yaml"
    path.write_bytes(data)
    ended = replay_it(path)
    assert (ended.status, ended.result) == (2, None)
    assert "envoy.yaml" in ended.error


@pytest.mark.parametrize("text", ["", "[]", "7", "just words"])
def test_a_bootstrap_that_is_something_else(replay_it: ReplayIt, tmp_path: Path, text: str) -> None:
    path = tmp_path / "envoy.yaml"
    path.write_text(text)
    ended = replay_it(path)
    refused(ended)
    assert "envoy.yaml" in ended.error


def test_a_field_that_envoy_does_not_know(replay_it: ReplayIt, write_bootstrap: WriteBootstrap) -> None:
    ended = replay_it(write_bootstrap(listener(manager={"no_such_field": 1})))
    refused(ended)
    assert "no_such_field" in ended.words()[-1]
    assert "no_such_field" in ended.error


def test_a_value_of_another_type(replay_it: ReplayIt, write_bootstrap: WriteBootstrap) -> None:
    ended = replay_it(write_bootstrap(listener(manager={"stat_prefix": ["a"]})))
    refused(ended)
    assert "stat_prefix" in ended.error


def test_a_field_that_is_not_modelled(replay_it: ReplayIt, write_bootstrap: WriteBootstrap) -> None:
    path = write_bootstrap(listener(manager={"internal_address_config": {"unix_sockets": True}}))
    ended = replay_it(path)
    refused(ended)
    assert "does not model" in ended.error
    assert "internal_address_config" in ended.error
    assert "--ignore-unmodelled" in ended.error
    assert replay_it(path, "[{}]", "--ignore-unmodelled").status == 0


@pytest.mark.parametrize(
    "requests",
    [
        None,
        "",
        "{",
        "{}",
        "[1]",
        '[{"x": 1}]',
        '[{"headers": {"a": "b"}}]',
        '[{"at_ms": -1}]',
        '[{"listener": "nope"}]',
    ],
)
def test_requests_that_cannot_be_sent(
    replay_it: ReplayIt, write_bootstrap: WriteBootstrap, requests: str | None
) -> None:
    ended = replay_it(write_bootstrap(listener()), requests)
    refused(ended)
    assert "requests" in ended.error


def tail(path: Path) -> list[str]:
    """The last words on a plugin that could not be loaded."""
    refusal = "Unable to create Wasm plugin p"
    return [
        "Plugin p failed to load",
        "Plugin configured to fail closed failed to load",
        f"error `{refusal}` initializing config '{path}'",
        refusal,
    ]


INIT = "Wasm VM failed Failed to initialize Wasm code"
LOAD = "Wasm VM failed Failed to load Wasm code"


def text(body: str = "", imports: str = "") -> str:
    return f"""(module {imports} (memory (export "memory") 1)
      (func (export "proxy_abi_version_0_2_1"))
      (func (export "malloc") (param i32) (result i32) (i32.const 4096))
      {body})"""


BAD_MODULES: dict[str, tuple[str | bytes, list[str]]] = {
    "not Wasm": (b"bad code, no module at all", ["Wasm VM failed Failed to parse corrupted Wasm module", LOAD]),
    "empty": (b"", []),
    "no marker": ("(module)", ["Wasm VM failed Missing or unknown Proxy-Wasm ABI version", LOAD]),
    "no allocator": (
        '(module (func (export "proxy_abi_version_0_2_1")))',
        ["Wasm VM failed Wasm module is missing malloc function.", INIT],
    ),
    "missing import": (
        text(imports='(import "env" "proxy_nope" (func))'),
        ["Failed to load Wasm module due to a missing import: env.proxy_nope", INIT],
    ),
    "import of another type": (
        text(imports='(import "env" "proxy_log" (func (param i32 i32) (result i32)))'),
        [
            "Failed to load Wasm module due to an import type mismatch: env.proxy_log, want: i32 i32 -> i32, "
            "but host exports: i32 i32 i32 -> i32",
            INIT,
        ],
    ),
    "trap in _start": (
        text('(func (export "_start") unreachable)'),
        ["Function: _start failed: Uncaught RuntimeError: unreachable", INIT],
    ),
    "trap in on_vm_start": (
        text('(func (export "proxy_on_vm_start") (param i32 i32) (result i32) unreachable)'),
        [
            "Function: proxy_on_vm_start failed: Uncaught RuntimeError: unreachable",
            "Wasm VM failed Failed to start base Wasm",
        ],
    ),
    "on_vm_start says no": (
        text('(func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 0))'),
        ["Wasm VM failed Failed to start base Wasm"],
    ),
    "on_configure says no": (
        text('(func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 0))'),
        ["Wasm VM failed Failed to configure base Wasm plugin"],
    ),
}


@pytest.mark.parametrize("what", BAD_MODULES)
def test_a_module_that_envoy_does_not_take(
    replay_it: ReplayIt, write_bootstrap: WriteBootstrap, wat: Wat, what: str
) -> None:
    module, words = BAD_MODULES[what]
    code = module if isinstance(module, bytes) else wat(module)
    path = write_bootstrap(listener([plugin()]), modules={"guest.wasm": code})
    ended = replay_it(path)
    refused(ended)
    assert ended.words() == words + tail(path)
    assert "Unable to create Wasm plugin p" in ended.error
    assert not ended.result or not ended.result.stats


def test_a_module_that_is_cut_anywhere(replay_it: ReplayIt, write_bootstrap: WriteBootstrap, guest: Guest) -> None:
    code = guest('(func (export "proxy_on_log") (param i32))')
    for length in range(1, len(code), 7):
        path = write_bootstrap(listener([plugin()]), modules={"guest.wasm": code[:length]})
        ended = replay_it(path)
        refused(ended)
        assert ended.words()[-4:] == tail(path)


def test_a_module_that_is_not_there(replay_it: ReplayIt, write_bootstrap: WriteBootstrap) -> None:
    ended = replay_it(write_bootstrap(listener([plugin("nowhere.wasm")])))
    refused(ended)
    assert [words[:16] for words in ended.words()] == ["error `Invalid p", "Invalid path: no"]
    assert "nowhere.wasm" in ended.error


def test_a_run_that_reaches_what_is_not_modelled(
    replay_it: ReplayIt, write_bootstrap: WriteBootstrap, wat: Wat
) -> None:
    shared = text().replace('"memory") 1', '"memory") 1 1 shared')
    ended = replay_it(write_bootstrap(listener([plugin()]), modules={"guest.wasm": wat(shared)}))
    assert ended.status == 3
    where = "plugin 'p' (VM ''), its module"
    assert ended.error.startswith(f"meshsim: {where}: not modelled: the Wasm feature shared-memory")
    assert "-> build it for one thread" in ended.error
    assert ended.result is not None
    [(thread, level, words)] = ended.result.other
    assert (thread, level, ended.result.ready) == ("main", "error", False)
    assert "not modelled: the Wasm feature shared-memory: " in words


def test_a_good_replay_beside_all_these(replay_it: ReplayIt, write_bootstrap: WriteBootstrap, guest: Guest) -> None:
    ended = replay_it(write_bootstrap(listener([plugin()], [HELLO]), modules={"guest.wasm": guest()}))
    assert (ended.status, ended.error) == (0, "")
    assert ended.result is not None
    assert [(r.status, r.body) for r in ended.result.responses] == [(200, "hello")]


def test_a_module_that_asks_for_too_much_memory(replay_it: ReplayIt, write_bootstrap: WriteBootstrap, wat: Wat) -> None:

    big = text().replace("1)", "20000)", 1)
    path = write_bootstrap(listener([plugin()]), modules={"guest.wasm": wat(big)})
    ended = replay_it(path)
    refused(ended)
    assert ended.words() == ["Failed to create new Wasm instance", INIT, *tail(path)]
