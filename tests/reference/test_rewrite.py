from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from meshsim.errors import ConfigError
from meshsim.reference.rewrite import Listener, Moved, move

FOLDER = Path("/nowhere")


def moved(text: str, folder: Path = FOLDER) -> Moved:
    ports = itertools.count(50_001)
    return move(text, folder, "envoy.yaml", lambda: next(ports))


def listener(address: str, port: str, more: str = "") -> str:
    return f"- {{{more}address: {{socket_address: {{address: {address}, port_value: {port}}}}}}}"


def static(listeners: list[str], clusters: str = "[]") -> str:
    rows = "\n  ".join(listeners)
    return f"static_resources:\n  listeners:\n  {rows}\n  clusters: {clusters}\n"


def endpoint(address: str, port: str) -> str:
    place = f"{{socket_address: {{address: {address}, port_value: {port}}}}}"
    return f"[{{load_assignment: {{endpoints: [{{address: {place}}}]}}}}]"


def test_only_the_ports_change() -> None:
    address = "{socket_address: {address: 127.0.0.1, port_value: 80 }}"
    text = f"# a comment\nstatic_resources: {{listeners: [{{name: a, address: {address}}}]}}  # end\nx: on\n"
    assert moved(text).text == text.replace(" 80 ", " 50001 ")


def test_an_endpoint_follows_its_listener() -> None:
    text = static([listener("127.0.0.1", "80"), listener("127.0.0.1", "81")], endpoint("127.0.0.1", "81"))
    result = moved(text)
    assert [entry.port for entry in result.listeners] == [50_001, 50_002]
    assert endpoint("127.0.0.1", "50002") in result.text


@pytest.mark.parametrize(
    ("listens", "points", "becomes"),
    [
        ("0.0.0.0", "127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "localhost", "localhost"),
        ("0.0.0.0", "0.0.0.0", "127.0.0.1"),
        ('"::"', '"::1"', "127.0.0.1"),
        ("127.0.0.1", "localhost", "localhost"),
        ("10.1.2.3", "10.1.2.3", "127.0.0.1"),
    ],
)
def test_any_name_of_this_machine_reaches_a_listener(listens: str, points: str, becomes: str) -> None:
    result = moved(static([listener(listens, "80")], endpoint(points, "80")))
    assert endpoint(becomes, "50001") in result.text
    assert listener("127.0.0.1", "50001") in result.text


@pytest.mark.parametrize(("points", "port"), [("127.0.0.1", "81"), ("10.0.0.1", "80"), ("example.com", "80")])
def test_other_endpoints_stay(points: str, port: str) -> None:
    assert endpoint(points, port) in moved(static([listener("127.0.0.1", "80")], endpoint(points, port))).text


@pytest.mark.parametrize(("port", "number"), [("0x50", "80"), ("0120", "80"), ('"80"', "80")])
def test_a_port_is_a_number_in_any_spelling(port: str, number: str) -> None:
    assert (
        endpoint("127.0.0.1", "50001")
        in moved(static([listener("127.0.0.1", port)], endpoint("127.0.0.1", number))).text
    )


@pytest.mark.parametrize("port", ["99999", "abc", "-1", "[80]"])
def test_what_is_no_port_is_left_for_envoy_to_refuse(port: str) -> None:
    text = static([listener("127.0.0.1", port)])
    assert moved(text).text == text
    assert moved(text).listeners == (Listener(None, None),)


def test_a_name_where_a_listener_needs_an_address_is_left_for_envoy_to_refuse() -> None:
    assert listener("localhost", "50001") in moved(static([listener("localhost", "80")])).text


def test_two_listeners_on_one_address_stay_on_one() -> None:
    result = moved(static([listener("127.0.0.1", "80"), listener("127.0.0.1", "80")]))
    assert [entry.port for entry in result.listeners] == [50_001, 50_001]


def test_two_listeners_on_any_port_get_two() -> None:
    result = moved(static([listener("127.0.0.1", "0"), listener("127.0.0.1", "0")]))
    assert [entry.port for entry in result.listeners] == [50_001, 50_002]


def test_anchors_and_tags_survive() -> None:
    text = static(["- {address: {socket_address: {address: &host 127.0.0.1, port_value: &p !!int 80}}}"])
    assert "port_value: &p !!int 50001}" in moved(text).text


def test_json_with_tabs_and_camel_case_is_read() -> None:
    address = '{"socketAddress": {"address": "127.0.0.1", "portValue": 80}}'
    text = f'{{\n\t"staticResources": {{"listeners": [\n\t\t{{"address": {address}}}]}}}}'
    assert moved(text).text == text.replace("80", "50001")


def test_the_last_of_two_equal_keys_counts() -> None:
    text = static(["- {address: {socket_address: {port_value: 1, address: 127.0.0.1, port_value: 80}}}"])
    assert "port_value: 1, address: 127.0.0.1, port_value: 50001" in moved(text).text


def test_a_file_of_the_current_folder_is_named_absolutely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, here = tmp_path / "a", tmp_path / "b"
    for path in (folder, here):
        path.mkdir()
        (path / "both.wasm").touch()
    (here / "here.wasm").touch()
    monkeypatch.chdir(here)
    result = moved("a: {filename: both.wasm}\nb: {filename: here.wasm}\nc: {filename: none.wasm}\n", folder)
    assert (
        result.text == f'a: {{filename: both.wasm}}\nb: {{filename: "{here}/here.wasm"}}\nc: {{filename: none.wasm}}\n'
    )
    assert result.paths == {f"{here}/here.wasm": "here.wasm"}


def test_a_listener_is_found_by_name_and_the_first_without() -> None:
    result = moved(static([listener("127.0.0.1", "80", "name: in, "), listener("127.0.0.1", "81", "name: out, ")]))
    assert (result.port(None, "x"), result.port("out", "x")) == (50_001, 50_002)
    with pytest.raises(ConfigError, match=r"requests\[0\]: no static listener is called `other`") as caught:
        result.port("other", "requests[0]")
    assert caught.value.remedy == "listeners: in, out"


def test_a_request_without_any_listener_is_an_error() -> None:
    with pytest.raises(ConfigError, match="no static listener"):
        moved("{}").port(None, "x")
    with pytest.raises(ConfigError, match="no TCP port"):
        moved(static(["- {address: {pipe: {path: x}}}"])).port(None, "x")


@pytest.mark.parametrize("text", ["", "- a", "static_resources: 3", "static_resources: {listeners: {}}", "&a [*a]"])
def test_a_tree_of_another_shape_is_left_for_envoy_to_refuse(text: str) -> None:
    assert moved(text).text == text


def test_what_is_not_yaml_is_refused_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"envoy\.yaml, line 2, column 2: not YAML"):
        moved("a: [1\nb: 2")
