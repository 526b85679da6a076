"""Bytes in words."""

from __future__ import annotations

import pytest

from meshsim.abi.codec import encode_pairs
from meshsim.abi.events import Content, Crossing, Direction
from meshsim.abi.signatures import CALLBACKS
from meshsim.widgets._player_text import MEANING, arguments, content_words, results

PAIRS = encode_pairs([(b"a", b"1"), (b"b", b"2")])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (Content("value", b"plain", 5), '"plain"'),
        (Content("value", b"", 0), "nothing"),
        (Content("value", b"two\nlines", 9), '"two\\nlines"'),
        (Content("value", b"\x00\xff", 2), "2 B: 00 ff"),
        (Content("value", (500).to_bytes(8, "little"), 8), "500 (8 B)"),
        (Content("value", b"cut", 900), '"cut…"'),
        (Content("path", b"request\0headers\0", 16), '"request.headers"'),
        (Content("headers", PAIRS, len(PAIRS)), "a: 1, b: 2"),
        (Content("headers", PAIRS[:10], len(PAIRS)), f"{len(PAIRS)} B: {PAIRS[:10].hex(' ')}"),
    ],
)
def test_contents_read_as_what_they_are(content: Content, words: str) -> None:
    assert content_words(content) == words


def test_an_address_without_content_is_a_size() -> None:
    assert arguments(Crossing(Direction.VM_CALLS_HOST, "env.proxy_log", (2, 64, 8))) == [
        ["level", "INFO"],
        ["message", "8 B"],
    ]


def test_numbers_that_the_guest_gets_are_numbers() -> None:
    assert results("env.proxy_http_call", (Content("call", (7).to_bytes(4, "little"), 4),)) == [["call", "7"]]


def test_every_callback_of_a_request_has_its_meaning() -> None:
    words = ("on_request", "on_response", "on_log", "on_done", "on_delete")
    told = {callback.name for callback in CALLBACKS if any(word in callback.name for word in words)}
    assert {name for name in told if "metadata" not in name} <= MEANING.keys()
