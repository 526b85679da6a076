"""The loading timeline's own hands: playing, stepping, zooming, and what is drawn of many bars."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

import meshsim as ms

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


@pytest.fixture
def page_with(alone: Callable[..., Page]) -> Callable[..., Page]:
    def page_with(**wanted: Any) -> Page:
        timeline = ms.LoadTimeline(workers=2)
        for name, value in wanted.items():
            setattr(timeline, name, value)
        return alone(timeline)

    return page_with


# Asked in one go: bars are drawn anew, and one that was found may be gone when it is measured.
_COMPILING = "document.querySelector('[data-kind=compile]').getBoundingClientRect()"


def _traits(page: Page, *names: str) -> list[Any]:
    return [page.evaluate("name => window.model.get(name)", name) for name in names]


def test_playing_goes_from_step_to_step_and_ends(page_with: Callable[..., Page]) -> None:
    page = page_with(fault="import")  # four bars
    page.get_by_test_id("play").click()
    page.wait_for_function("window.model.get('step') === 2 && document.querySelectorAll('.bar.ghost').length === 2")
    page.wait_for_function("window.model.get('step') === 4")
    page.wait_for_function("document.querySelector('[data-testid=play]').textContent.includes('Play')")


def test_space_plays_and_pauses(page_with: Callable[..., Page]) -> None:
    page = page_with()
    page.get_by_test_id("chart").focus()
    page.keyboard.press(" ")
    page.wait_for_function("window.model.get('step') === 1")
    page.keyboard.press(" ")
    page.wait_for_function("document.querySelector('[data-testid=play]').textContent === '▶ Play'")


def test_arrow_keys_go_along_a_thread_and_across(page_with: Callable[..., Page]) -> None:
    page = page_with()
    page.get_by_test_id("chart").focus()
    kinds = []
    for key in ("Home", "ArrowRight", "ArrowDown", "ArrowDown", "ArrowRight", "ArrowUp", "End"):
        page.keyboard.press(key)
        kinds.append(page.evaluate("(b => [b.t, b.k])(window.model.get('view').bars[window.model.get('selected')])"))
    assert kinds == [
        [0, "isolate"], [0, "compile"], [1, "background"], [2, "clone"], [2, "start"], [1, "background"], [3, "start"],
    ]  # fmt: skip


def test_the_selected_bar_is_what_a_screen_reader_has(page_with: Callable[..., Page]) -> None:
    page = page_with()
    page.locator("[data-kind=canary]").click()
    page.wait_for_function("document.querySelector('.spoken').textContent.includes('Canary')")
    active = page.get_by_test_id("chart").get_attribute("aria-activedescendant")
    assert "Canary, plugin my-filter" in str(page.locator(f"#{active}").get_attribute("aria-label"))
    assert page.locator(".spoken").text_content() == page.locator(f"#{active}").get_attribute("aria-label")


def test_zooming_keeps_the_selected_bar_in_sight(page_with: Callable[..., Page]) -> None:
    page = page_with(plugins=3, own_vms=True)
    page.get_by_text("To scale").click()
    page.locator("[data-kind=compile]").first.click()
    before = page.evaluate(f"{_COMPILING}.width")
    for _ in range(3):
        page.get_by_test_id("zoom-in").click()
    page.wait_for_function(f"Math.abs({_COMPILING}.width / {8 * before} - 1) < 0.05")
    assert page.evaluate(f"{_COMPILING}.right > 0 && {_COMPILING}.left < innerWidth")
    page.get_by_test_id("chart").focus()
    page.keyboard.press("0")
    page.wait_for_function(f"Math.abs({_COMPILING}.width / {before} - 1) < 0.05")


def test_counters_are_those_of_the_step(page_with: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    page = page_with()
    page.get_by_test_id("scrub").focus()
    page.keyboard.press("Home")
    for active in "0111111122":  # the canary is there at the ninth step, and gone when the main thread's clone comes
        expect(page.get_by_test_id("count-active")).to_have_text(f"{active}○")
        page.get_by_test_id("on").click()


def test_a_missing_import_is_red_and_says_so(page_with: Callable[..., Page]) -> None:
    page = page_with(fault="import")
    wrong = page.locator("tr.wrong")
    assert "proxy_add_header_map_valus" in wrong.inner_text()
    assert page.get_by_role("alert").inner_text().startswith("✗ Envoy does not start")
    assert page.evaluate("getComputedStyle(document.querySelector('tr.wrong .name')).color") == "rgb(179, 38, 30)"


def test_of_ten_thousand_bars_only_those_in_sight_are_drawn(alone: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    timeline = ms.LoadTimeline(workers=100)
    timeline.own_vms = True
    timeline.plugins = 40
    page = alone(timeline)
    assert len(timeline.view["bars"]) > 8_000
    assert page.locator(".bar").count() < 5_000
    page.get_by_test_id("chart").focus()
    page.keyboard.press("End")
    expect(page.locator(".bar.selected")).to_have_count(1)  # scrolled to
    expect(page.locator("text.track", has_text="worker_99")).to_have_count(1)
