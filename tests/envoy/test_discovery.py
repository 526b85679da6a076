"""Extensions whose file changes: the cases ``life-*`` compare with the real Envoy, these look at the edges."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from meshsim.envoy.loader import load_discovered
from meshsim.envoy.outcome import Response
from meshsim.envoy.proxy import Envoy
from meshsim.envoy.requests import Request, parse_requests
from meshsim.errors import ConfigError
from tests.envoy.conftest import Guest, WriteBootstrap, listener, plugin

Make = Callable[..., Envoy]

TYPE = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"
SOURCE = {
    "config_source": {"path_config_source": {"path": "./filter.yaml"}, "resource_api_version": "V3"},
    "type_urls": [TYPE],
}
V8 = "wasm.envoy.wasm.runtime.v8"
CREATE = '(func (export "proxy_on_context_create") (param i32 i32))'
WAIT = f'{CREATE} (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 1))'


def resource(name: str, vm_id: str = "", module: str = "guest.wasm") -> str:
    config = {"@type": TYPE, "config": plugin(module, name, vm_id)}
    kind = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"
    return yaml.safe_dump({"resources": [{"@type": kind, "name": "web", "typed_config": config}]})


@pytest.fixture
def make(write_bootstrap: WriteBootstrap, guest: Guest, tmp_path: Path) -> Make:
    """Start an Envoy whose only filter is discovered; ``first`` is the file's content."""

    def start(first: str, body: str = CREATE, concurrency: int = 2) -> Envoy:
        (tmp_path / "filter.yaml").write_text(first)
        front = listener()
        front["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"].insert(
            0, {"name": "web", "config_discovery": SOURCE}
        )
        path = write_bootstrap(front, modules={"guest.wasm": guest(body)})
        path.write_text("node: {id: a, cluster: b}\n" + path.read_text())
        return Envoy.from_yaml(path, concurrency=concurrency)

    return start


def change(envoy: Envoy, folder: Path, content: str) -> None:
    (folder / "next.yaml").write_text(content)
    envoy.lifecycle.discover_again(load_discovered("./filter.yaml", "next.yaml", folder))
    envoy.run(ms=50)


def roots(envoy: Envoy) -> list[str]:
    """Names of the plugins that have a root context somewhere."""
    contexts = (root for vm in envoy.process.vms for root in vm.wasm.roots.values())
    return sorted({root.plugin.name for root in contexts if root.plugin})


def test_all_threads_get_the_new_plugin_and_leave_the_old(make: Make, tmp_path: Path) -> None:
    envoy = make(resource("one"))
    assert roots(envoy) == ["one"]
    change(envoy, tmp_path, resource("two"))
    assert roots(envoy) == ["two"]
    assert envoy.stats()[f"{V8}.active"] == 4
    assert [envoy.get("/", worker=worker).status for worker in (0, 1)] == [200, 200]
    envoy.shut_down()
    assert f"{V8}.active" not in envoy.stats()


def test_the_old_vm_goes_with_its_last_stream(make: Make, tmp_path: Path) -> None:
    envoy = make(resource("one", "first"), WAIT)
    replies: list[Response] = []
    envoy.begin(Request(), replies.append, worker=1)
    envoy.run(ms=1)
    change(envoy, tmp_path, resource("two", "second"))
    assert roots(envoy) == ["one", "two"]
    assert envoy.stats()[f"{V8}.active"] == 4 + 2, "the base VM and one clone are still needed"
    envoy.run(ms=11_000)  # the client's patience ends
    assert roots(envoy) == ["two"]
    assert envoy.stats()[f"{V8}.active"] == 4


def test_nothing_changes_for_the_same_or_for_nothing(make: Make, tmp_path: Path) -> None:
    envoy = make(resource("one"))
    created = envoy.stats()[f"{V8}.created"]
    for content in (resource("one"), "", "resources: [", resource("one").replace("name: web", "name: another")):
        change(envoy, tmp_path, content)
        assert (roots(envoy), envoy.stats()[f"{V8}.created"]) == (["one"], created)


def test_a_filter_that_was_missing_may_come_later(make: Make, tmp_path: Path) -> None:
    envoy = make("resources: []")
    assert envoy.get("/").status == 500
    change(envoy, tmp_path, resource("late"))
    assert envoy.get("/").status == 200
    assert roots(envoy) == ["late"]


def test_changes_one_after_the_other(make: Make, tmp_path: Path) -> None:
    envoy = make(resource("one"))
    for name in ("two", "three", "one"):
        change(envoy, tmp_path, resource(name))
        assert roots(envoy) == [name]
    assert envoy.stats()[f"{V8}.active"] == 4


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_discovered("./filter.yaml", "next.yaml", tmp_path)


@pytest.mark.parametrize(
    "updates",
    ['"x"', '["x"]', '[["./filter.yaml", "next.yaml"]]', '[["./filter.yaml", "next.yaml", -1]]', '[["", "n", 1]]'],
)
def test_updates_that_make_no_sense(updates: str) -> None:
    with pytest.raises(ConfigError, match="updates"):
        parse_requests(f'[{{"updates": {updates}}}]')
