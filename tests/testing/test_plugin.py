"""The plugin, in pytest runs of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.testing.conftest import INNER

pytest_plugins = ["pytester"]

HEAVY = {"meshsim.envoy", "numpy", "pydantic", "wasmtime", "yaml"}

_TEST = """
def test_marks_requests(wasm_filter):
    filter = wasm_filter("hello.wasm")
    assert filter.get("/").request_headers["x-wasm"] == {value!r}
"""


@pytest.fixture
def in_folder(pytester: pytest.Pytester, hello: Path) -> pytest.Pytester:
    """A folder with a module in it."""
    shutil.copy(hello, pytester.path / "hello.wasm")
    return pytester


def test_a_module_is_found_beside_its_test(in_folder: pytest.Pytester) -> None:
    folder = in_folder.mkdir("tests")
    (folder / "test_filter.py").write_text(_TEST.format(value="wat"), encoding="utf-8")
    shutil.move(in_folder.path / "hello.wasm", folder)
    in_folder.runpytest(*INNER).assert_outcomes(passed=1)


def test_a_module_is_found_in_the_root_folder(in_folder: pytest.Pytester) -> None:
    folder = in_folder.mkdir("tests")
    (folder / "test_filter.py").write_text(_TEST.format(value="wat"), encoding="utf-8")
    in_folder.makeini("[pytest]")
    in_folder.runpytest(*INNER).assert_outcomes(passed=1)


def test_a_failure_shows_what_the_filter_did(in_folder: pytest.Pytester) -> None:
    in_folder.makepyfile(_TEST.format(value="other"))
    result = in_folder.runpytest(*INNER)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*assert 'wat' == 'other'*",
            "*wasm filter, last calls*",
            "-> proxy_on_request_headers(context=2, headers=6, end_of_stream=true) = CONTINUE",
            "   <- proxy_add_header_map_value(map=REQUEST_HEADERS, key=6 B, value=3 B) = OK",
            "      log info: goodbye",
        ]
    )


def test_a_missing_header_is_shown_at_the_line_of_the_test(in_folder: pytest.Pytester) -> None:
    in_folder.makepyfile('def test(wasm_filter):\n    wasm_filter("hello.wasm").get().headers["x-y"]\n')
    result = in_folder.runpytest(*INNER)
    result.stdout.fnmatch_lines(['>*headers[[]"x-y"]', "E*no header 'x-y' among: content-length, *, server"])
    result.stdout.no_fnmatch_line("*messages.py*")


def test_the_fixture_says_what_it_is(pytester: pytest.Pytester) -> None:
    pytester.runpytest(*INNER, "--fixtures").stdout.fnmatch_lines(["*wasm_filter*", "*Load Proxy-Wasm modules*"])


def test_loading_the_plugin_loads_nothing_of_the_simulator() -> None:
    script = "import sys, meshsim.testing.plugin; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())
