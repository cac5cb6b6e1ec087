"""Draws docs/images/service-*.png: the pages with the demonstration scans (BSD-2-Clause), in a headless Chromium.

Run in the root of the project: `PYTHONPATH=src:. python docs/make_service_pictures.py`.
"""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright
from tests.service.browser.fake_api import FakeServer, FakeService
from tests.service.browser.fake_studies import demo_studies

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
LAPTOP = {"width": 1366, "height": 768}
TABLET = {"width": 820, "height": 1180}
SETTLE_MS = 1200


def _page(browser: "Browser", size: dict[str, int], url: str) -> "Page":
    context = browser.new_context(viewport=size)  # type: ignore[arg-type]
    context.add_init_script("localStorage.setItem('ichscan.session', '1')")
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector("main#main")
    page.wait_for_timeout(SETTLE_MS)
    return page


def _save(page: "Page", name: str) -> None:
    page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=IMAGES / f"service-{name}.png")


def _measured(page: "Page") -> None:
    """Two views, a length, a region, a box and verdicts."""
    page.keyboard.press("d")
    page.wait_for_timeout(SETTLE_MS)
    box = page.locator(".stage").first.bounding_box()
    if box is None:
        raise RuntimeError("the viewer did not open")
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for key, (left, top), (right, bottom) in (("l", (60, -90), (150, -60)), ("r", (10, 60), (60, 100))):
        page.keyboard.press(key)
        page.mouse.move(x + left, y + top)
        page.mouse.down()
        page.mouse.move(x + right, y + bottom, steps=20)
        page.mouse.up()
    page.click("[role=tab]:has-text('Feedback')")
    page.click("text=Agree to all")
    page.locator("fieldset:has-text('Epidural') label.disagree").click()
    page.mouse.move(box["x"] + 700, 20)


def main() -> None:
    """Draws all."""
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    if browser_path is None:
        sys.exit("expected chromium, found none; install it")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        service = FakeService(
            ROOT / "src" / "ichscan" / "service" / "static", demo_studies(Path(folder), fine_maps=True)
        )
        service.user = "admin"
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        with FakeServer(service) as server:
            for name, size, path in (
                ("worklist", LAPTOP, "/"), ("viewer", LAPTOP, "/studies/2"), ("dashboard", LAPTOP, "/dashboard"),
                ("worklist-tablet", TABLET, "/"), ("viewer-tablet", TABLET, "/studies/1"),
                ("users", LAPTOP, "/administration/users"),
            ):  # fmt: skip
                page = _page(browser, size, server.url + path)
                _save(page, name)
                page.context.close()
            page = _page(browser, LAPTOP, server.url + "/studies/1")
            _measured(page)
            _save(page, "feedback")
            page.context.close()
        browser.close()


if __name__ == "__main__":
    main()
