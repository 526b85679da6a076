from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.envoy.config.http import HttpConnectionManager
from meshsim.envoy.headers import HeaderMap, Kind
from meshsim.envoy.normalisation import merge_slashes, normal_form, normalise_host, normalise_path

PATHS = st.text(st.sampled_from("/.;\\ab%2fFeE5cC"), max_size=20).map(lambda text: b"/" + text.encode())


def request(path: bytes = b"/", host: bytes = b"h") -> HeaderMap:
    return HeaderMap([(b":path", path), (b":authority", host)], Kind.REQUEST)


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        (b"/a/b/..", b"/a/"),
        (b"/../../x", b"/x"),
        (b"/a//../b", b"/a/b"),
        (b"/%2e%2E/x", b"/x"),
        (b"/a/..;p=1/b", b"/b"),
        (b"/a/%2e%2e;/b", b"/a/..;/b"),
        (b"/a/.../b", b"/a/.../b"),
        (b"/%41%20%2f%zz%4", b"/A%20%2f%zz%4"),
        (b'/"<>^`{|}', b"/%22%3C%3E%5E%60%7B%7C%7D"),
    ],
)
def test_normal_forms(path: bytes, normal: bytes) -> None:
    assert normal_form(path) == normal


@given(PATHS)
def test_a_normal_path_has_no_way_back(path: bytes) -> None:
    normal = normal_form(path)
    assert normal.startswith(b"/")
    assert b"\\" not in normal
    assert not {b".", b".."} & set(normal.split(b"/"))


@given(PATHS)
def test_merged_slashes_stay_merged(path: bytes) -> None:
    merged = merge_slashes(path)
    assert merge_slashes(merged) == merged
    assert b"//" not in merged or merged == b"//"


@pytest.mark.parametrize(
    ("action", "status", "path"),
    [
        ("KEEP_UNCHANGED", None, b"/a%2fb?c=%2f"),
        ("REJECT_REQUEST", 400, b"/a%2fb?c=%2f"),
        ("UNESCAPE_AND_REDIRECT", 307, b"/a/b?c=%2f"),
        ("UNESCAPE_AND_FORWARD", None, b"/a/b?c=%2f"),
    ],
)
def test_escaped_slashes(action: str, status: int | None, path: bytes) -> None:
    config = HttpConnectionManager.model_validate({"path_with_escaped_slashes_action": action})
    headers = request(b"/a%2fb?c=%2f")
    answer = normalise_path(headers, config)
    assert (answer.status if answer else None, headers[b":path"]) == (status, path)
    if status == 307:
        assert answer is not None
        assert answer.compose(grpc=False)[0][b"location"] == path


def test_a_path_with_a_null_byte_has_no_normal_form() -> None:
    answer = normalise_path(request(b"/a%00"), HttpConnectionManager(normalize_path=True))
    assert answer is not None
    assert answer.status == 400


@pytest.mark.parametrize(
    ("options", "host", "left"),
    [
        ({"strip_matching_host_port": True}, b"h:80", b"h"),
        ({"strip_matching_host_port": True}, b"h:81", b"h:81"),
        ({"strip_any_host_port": True}, b"h:81", b"h"),
        ({"strip_any_host_port": True}, b"[::1]:81", b"[::1]"),
        ({"strip_any_host_port": True}, b"[::1]", b"[::1]"),
        ({"strip_any_host_port": True}, b"h:", b"h:"),
        ({"strip_any_host_port": True}, b"h:99999999999", b"h:99999999999"),
        ({"strip_trailing_host_dot": True}, b"h.:80", b"h:80"),
        ({"strip_trailing_host_dot": True}, b"h..", b"h."),
        ({"strip_trailing_host_dot": True, "strip_any_host_port": True}, b"h.:80", b"h"),
        ({}, b"h.:80", b"h.:80"),
    ],
)
def test_what_is_taken_off_a_host(options: dict[str, bool], host: bytes, left: bytes) -> None:
    headers = request(host=host)
    normalise_host(headers, HttpConnectionManager.model_validate(options), 80)
    assert headers[b":authority"] == left
