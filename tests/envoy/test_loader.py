from __future__ import annotations

from pathlib import Path

import pytest

from meshsim.envoy.config import ConfigRefused, Wasm
from meshsim.envoy.loader import check_bootstrap, load_bootstrap
from meshsim.errors import ConfigError, UnmodelledField

HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "{name: r, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}"


def write(
    folder: Path, *, code: str = "{local: {filename: module.wasm}}", filters: str = ROUTER, extra: str = ""
) -> Path:
    path = folder / "envoy.yaml"
    path.write_text(
        f"""
{extra}
static_resources:
  listeners:
  - name: main
    address: {{socket_address: {{address: 127.0.0.1, port_value: 8080}}}}
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": {HCM}
          stat_prefix: x
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {{prefix: /}}
                direct_response: {{status: 200, body: {{filename: body.txt}}}}
          http_filters:
          - name: w
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config: {{name: p, vm_config: {{code: {code}}}}}
          - {filters}
""",
        encoding="utf-8",
    )
    (folder / "body.txt").write_bytes(b"from a file")
    return path


def code_of(path: Path, **options: dict[str, str]) -> bytes:
    bootstrap = load_bootstrap(path, environment=options.get("environment", {}))
    manager = bootstrap.static_resources.listeners[0].filter_chains[0].filters[0].typed_config
    assert manager is not None
    wasm = manager.http_filters[0].typed_config
    assert isinstance(wasm, Wasm)
    assert wasm.config.vm_config is not None
    assert wasm.config.vm_config.code is not None
    return bootstrap.sources.bytes_of(wasm.config.vm_config.code.local)


def test_files_are_found_beside_the_bootstrap(tmp_path: Path) -> None:
    (tmp_path / "module.wasm").write_bytes(b"\0asm")

    assert code_of(write(tmp_path)) == b"\0asm"


def test_files_are_found_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bootstraps").mkdir()
    (tmp_path / "module.wasm").write_bytes(b"here")
    monkeypatch.chdir(tmp_path)

    assert code_of(write(tmp_path / "bootstraps")) == b"here"


def test_a_folder_in_place_of_a_module_is_empty(tmp_path: Path) -> None:
    (tmp_path / "module.wasm").mkdir()

    assert code_of(write(tmp_path)) == b""


def test_code_from_the_environment(tmp_path: Path) -> None:
    path = write(tmp_path, code="{local: {environment_variable: CODE}}")

    assert code_of(path, environment={"CODE": "abc", "OTHER": "x"}) == b"abc"
    with pytest.raises(ConfigRefused) as caught:
        load_bootstrap(path, environment={})
    assert caught.value.envoy_says == "Environment variable doesn't exist: CODE"


def test_a_missing_module_is_refused_in_envoys_words(tmp_path: Path) -> None:
    path = write(tmp_path, code="{local: {filename: /nowhere/x.wasm}}")

    with pytest.raises(ConfigRefused) as caught:
        load_bootstrap(path)
    assert caught.value.envoy_says == "Invalid path: /nowhere/x.wasm"
    assert caught.value.where.startswith(f"{path}:24: static_resources.listeners[0]")


def test_a_missing_body_is_refused_in_envoys_words(tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / "body.txt").unlink()

    with pytest.raises(ConfigRefused) as caught:
        load_bootstrap(path)
    assert caught.value.envoy_says == "file body.txt does not exist"


def test_a_body_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "module.wasm").write_bytes(b"x")
    bootstrap = load_bootstrap(write(tmp_path))

    assert bootstrap.sources.files["body.txt"] == b"from a file"


def test_a_late_refusal_carries_the_configuration_and_the_plugins_before_it(tmp_path: Path) -> None:
    (tmp_path / "module.wasm").write_bytes(b"x")

    with pytest.raises(ConfigRefused) as caught:
        load_bootstrap(write(tmp_path, filters="{name: nothing}"))
    assert caught.value.after_plugins == 1
    assert caught.value.bootstrap is not None
    assert caught.value.bootstrap.static_resources.listeners[0].name == "main"


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "no such file"), (b"\xff\xfe", "not text in UTF-8"), (b"a: [", "not YAML")],
)
def test_what_cannot_be_read_is_no_refusal(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "envoy.yaml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigError, match=says) as caught:
        load_bootstrap(path)
    assert not isinstance(caught.value, ConfigRefused | UnmodelledField)
    assert str(path) in str(caught.value)
    assert [finding.severity for finding in check_bootstrap(path).findings] == ["unusable"]


def test_a_folder_is_no_bootstrap(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_bootstrap(tmp_path)


def test_a_check_lists_everything(tmp_path: Path) -> None:
    path = write(
        tmp_path, extra="nope: 1\nhds_config: {}\nnode: {id: 5}\nstats_flush_interval: 5s\nadmin: {profile_path: x}"
    )

    report = check_bootstrap(path)
    found = {(finding.severity, finding.path, finding.line) for finding in report.findings}
    assert {
        ("refused", "", 2),
        ("refused", "node.id", 4),
        ("not modelled", "hds_config", 3),
        ("inert", "stats_flush_interval", 0),
        ("inert", "admin.profile_path", 0),
    } <= found
    assert any("Invalid path: module.wasm" in finding.message for finding in report.findings)
    assert not report.usable


def test_a_check_of_a_good_bootstrap(tmp_path: Path) -> None:
    (tmp_path / "module.wasm").write_bytes(b"x")
    report = check_bootstrap(write(tmp_path, extra="stats_flush_interval: 5s"))

    assert report.usable
    assert [finding.path for finding in report.findings] == ["stats_flush_interval"]
