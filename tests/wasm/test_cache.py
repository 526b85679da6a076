from __future__ import annotations

import os
from pathlib import Path

import pytest

from meshsim.wasm import cache
from meshsim.wasm.cache import CodeCache, default_folder, processor


def test_what_was_stored_is_loaded(tmp_path: Path) -> None:
    store = CodeCache(tmp_path)
    assert store.load("module", "settings") is None
    assert store.store(b"code", "module", "settings")
    assert CodeCache(tmp_path).load("module", "settings") == b"code"


@pytest.mark.parametrize("parts", [("other", "settings"), ("module", "other"), ("modulesettings", "")])
def test_all_that_code_depends_on_is_in_the_key(tmp_path: Path, parts: tuple[str, str]) -> None:
    store = CodeCache(tmp_path)
    store.store(b"code", "module", "settings")
    assert store.load(*parts) is None


def test_another_processor_does_not_find_the_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = CodeCache(tmp_path)
    store.store(b"code", "module")
    monkeypatch.setattr(cache, "processor", lambda: "Linux riscv64 vector")
    assert store.load("module") is None


def test_the_processor_is_named() -> None:
    assert os.uname().machine in processor()


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "foreign"])
def test_a_damaged_entry_is_none(tmp_path: Path, damage: str) -> None:
    store = CodeCache(tmp_path)
    store.store(b"native code", "module")
    path = store.path("module")
    data = path.read_bytes()
    path.write_bytes({"flip": data[:-1] + b"!", "cut": data[:-1], "empty": b"", "foreign": b"\x7fELF" + data}[damage])
    assert store.load("module") is None
    assert store.store(b"native code", "module")
    assert store.load("module") == b"native code"


def test_an_entry_of_another_user_is_not_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = CodeCache(tmp_path)
    store.store(b"code", "module")
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert store.load("module") is None


def test_the_folder_is_the_users_alone(tmp_path: Path) -> None:
    store = CodeCache(tmp_path / "new")
    store.store(b"code", "module")
    assert store.folder.stat().st_mode & 0o777 == 0o700
    assert [path.suffix for path in store.folder.iterdir()] == [".code"]


def test_without_a_usable_folder_nothing_is_kept_and_nothing_raises(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = CodeCache(tmp_path / "file")
    assert not store.store(b"code", "module")
    assert store.load("module") is None


def test_a_failed_write_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = CodeCache(tmp_path)

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert not store.store(b"code", "module")
    assert list(store.folder.iterdir()) == []


def test_the_oldest_entries_make_room(tmp_path: Path) -> None:
    store = CodeCache(tmp_path, max_bytes=2500)
    for number in range(3):
        store.store(bytes(1000), f"module {number}")
        os.utime(store.path(f"module {number}"), ns=(number, number))
    store.store(bytes(1000), "module 3")
    kept = [number for number in range(4) if store.load(f"module {number}") is not None]
    assert kept == [2, 3]


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MESHSIM_CACHE_DIR", raising=False)
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    assert default_folder() == Path("/home/ada/.cache/meshsim")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/ada")
    assert default_folder() == Path("/var/ada/meshsim")
    monkeypatch.setenv("MESHSIM_CACHE_DIR", "/scratch")
    assert default_folder() == Path("/scratch")
