"""RequestPlayer on a mesh's run in a browser: names in reach, keys, choosing another request, nothing for axe."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

import meshsim as ms
from tests.browser.bare import THEMES
from tests.browser.test_alone import faults

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

SHORT = [("duration", "300ms"), ("warmup", "0s")]
PLAYER = "request_player"


def player(scenario: str, level: ms.Level) -> ms.RequestPlayer:
    """The slowest request of a short run."""
    return ms.RequestPlayer(ms.load_scenario(scenario, SHORT).run(level=level))


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("level", [ms.Level.REQUESTS, ms.Level.ABI], ids=lambda level: level.name)
def test_axe_finds_nothing_serious(level: ms.Level, theme: str, alone: Callable[..., Page]) -> None:
    assert faults(alone(player("slow-callout", level), theme), PLAYER) == []


def test_every_name_is_there_whole_and_in_the_picture(alone: Callable[..., Page]) -> None:
    """Thirteen lifelines: names take as many rows as they need, and none is cut by an edge."""
    widget = player("normal", ms.Level.ABI)
    page = alone(widget)
    assert len(widget.view["lifelines"]) == 13
    heads = page.locator(".heads .lane")
    assert heads.all_inner_texts() == [line["name"] for line in widget.view["lifelines"]]
    cut = page.evaluate(
        "[...document.querySelectorAll('.heads .lane')].filter(e => e.scrollWidth > e.clientWidth).length"
    )
    assert cut == 0
    box = page.locator(".heads").bounding_box()
    assert box is not None
    for i in range(heads.count()):
        name = heads.nth(i).bounding_box()
        assert name is not None
        assert box["x"] <= name["x"]
        assert name["y"] + name["height"] <= box["y"] + box["height"]


def test_it_fits_a_narrow_page(alone: Callable[..., Page]) -> None:
    page = alone(player("normal", ms.Level.ABI), width=420)
    assert faults(page, PLAYER) == []
    assert page.evaluate(
        "id => { const e = document.querySelector(`[data-testid=${id}]`); return e.scrollWidth <= e.clientWidth }",
        PLAYER,
    )


def test_keys_go_from_hop_to_hop_and_show_the_whole_call(alone: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    page = alone(player("slow-callout", ms.Level.REQUESTS))
    page.get_by_role("listbox").focus()
    page.keyboard.press("ArrowDown")
    region = page.get_by_role("region", name="The step")
    expect(region).to_contain_text("shop-0 → auth-0")
    expect(region.get_by_role("row", name="pod")).to_contain_text("auth-0")
    assert page.evaluate("window.saved.at(-1).step") == 1
    expect(page.get_by_test_id("note")).to_contain_text("level=ms.Level.ABI")
    expect(page.get_by_role("button", name="real Envoy")).to_have_count(0)


def test_another_request_is_asked_for_by_its_number(alone: Callable[..., Page]) -> None:
    widget = player("slow-callout", ms.Level.REQUESTS)
    page = alone(widget)
    other = widget.view["choices"][3][0]
    page.get_by_label("Request", exact=True).select_option(str(other))
    assert page.evaluate("window.saved.at(-1).request") == other
