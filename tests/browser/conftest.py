"""One browser for all tests of this folder, a page for each, and the three front ends."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.programs import find_browser
from tests.browser.servers import BROWSER_FLAGS, NOISE, Notebook, Server, watch

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_PATIENCE_MS = 60_000


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=BROWSER_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that moves nothing for its own sake."""
    context = browser.new_context(
        viewport={"width": 1180, "height": 900}, locale="en-US", timezone_id="UTC", reduced_motion="reduce"
    )
    page = context.new_page()
    page.set_default_timeout(_PATIENCE_MS)
    yield page
    context.close()


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """Start a front end when it is first wanted."""
    running: dict[str, Server] = {}

    def start(kind: str) -> Server:
        if kind not in running:
            running[kind] = Server(kind, tmp_path_factory.mktemp(kind))
        return running[kind]

    yield start
    for server in running.values():
        server.stop()


@pytest.fixture
def show(page: Page, start: Callable[[str], Server]) -> Iterator[Callable[..., Notebook | None]]:
    """Open cells in a front end; Voila runs them at once and has no cells to give. Afterwards the console is clean."""
    bad = watch(page)
    kinds: list[str] = []

    def show(kind: str, *cells: str) -> Notebook | None:
        kinds.append(kind)
        page.goto(start(kind).address(cells))
        return None if kind == "voila" else Notebook(page)

    yield show
    noise = [pattern for kind in kinds for pattern in NOISE[kind]]
    assert [text for text in bad if not any(re.search(pattern, text) for pattern in noise)] == []


@pytest.fixture
def alone(page: Page, tmp_path: Any) -> Iterator[Callable[..., Page]]:
    """Show a widget on a page of its own. Afterwards the console is clean."""
    from tests.browser.bare import page_of

    bad = watch(page)

    def alone(widget: Any, theme: str = "light", width: int = 1080) -> Page:
        file = tmp_path / f"{theme}.html"
        file.write_text(page_of(widget, theme, width), encoding="utf-8")
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        page.goto(file.as_uri())
        page.wait_for_function("window.painted_ms !== undefined")
        return page

    yield alone
    assert bad == []
