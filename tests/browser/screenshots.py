"""Pictures of every widget, light and dark, for the README: ``make screenshots``.

Each widget is drawn on a page of its own, finer than most screens.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tests.browser.bare import THEMES, page_of
from tests.browser.programs import find_browser
from tests.browser.servers import BROWSER_FLAGS, watch
from tests.browser.widgets import WIDGETS, Row

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_WIDTH = 1080


def main() -> None:
    """Write a picture for each widget and theme into a folder."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(prog="python -m tests.browser.screenshots", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("docs/images"), help="made if it is not there")
    target: Path = parser.parse_args().folder
    target.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=BROWSER_FLAGS)
        for row in WIDGETS:
            for name, picture in pictures(browser, row):
                (target / name).write_bytes(picture)
                print(target / name, f"{len(picture) >> 10} KiB")
        browser.close()


def pictures(browser: Browser, row: Row) -> Iterator[tuple[str, bytes]]:
    """Take a widget's pictures; a fault on the page ends it."""
    widget: Any = row.make(f"{row.code}\n{row.posed}")
    for theme in THEMES:
        context = browser.new_context(
            viewport={"width": _WIDTH + 40, "height": 900}, device_scale_factor=1.5,
            color_scheme=theme, reduced_motion="reduce",
        )  # type: ignore[call-overload]  # fmt: skip
        page = context.new_page()
        bad = watch(page)
        with TemporaryDirectory() as folder:
            file = Path(folder) / "page.html"
            file.write_text(page_of(widget, theme, _WIDTH), encoding="utf-8")
            page.goto(file.as_uri())
            page.wait_for_function("window.painted_ms !== undefined")
            page.evaluate("document.fonts.ready.then(() => null)")
            if row.pose:
                row.pose(page.get_by_test_id(row.test_id))
            picture = page.get_by_test_id(row.test_id).screenshot(animations="disabled", caret="hide")
        context.close()
        if bad:
            raise SystemExit(f"{row.name}: {bad}")
        yield f"{row.test_id.replace('_', '-')}-{theme}.png", picture


if __name__ == "__main__":
    main()
