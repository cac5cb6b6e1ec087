"""The HTML viewer in a real browser: offline, by wheel, keys, touch-like drags, buttons, and on paper."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.samples import prediction, report, volume

from ichscan.report.find import find
from ichscan.report.findings import Findings
from ichscan.report.viewer import viewer
from ichscan.types import Volume

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
COUNT = 36
LAPTOP = {"width": 1366, "height": 768}
TABLET = {"width": 820, "height": 1180}
FULL_SIZE_MB = 12
HOSTILE = '</script><script>window.hacked=1</script><img src=x onerror="window.hacked=2"><svg onload="hacked=3">'


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if BROWSER is None:
        pytest.skip("no chromium")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield opened
        opened.close()


def scan_512() -> Volume:
    """36 slices of 512 x 512 with the noise of a CT, which is what costs bytes."""
    small = volume(COUNT)
    hu = np.kron(small.hu, np.ones((1, 8, 8), np.int16)).astype(np.int16)
    noise = np.random.default_rng(0).normal(0, 5, hu.shape).astype(np.int16)
    return replace(small, hu=hu + noise, spacing_mm=(0.375, 0.375))


def findings_512(description: str = "Head") -> Findings:
    told = report(COUNT, 20)
    scaled = replace(prediction(COUNT, 20), boxes=np.array([[0, 0, 512]] * COUNT, np.int32))
    return find(replace(told, prediction=scaled, description=description, warnings=(description,)), scan_512())


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scaled = replace(prediction(COUNT, 20), boxes=np.array([[0, 0, 512]] * COUNT, np.int32))
    path = tmp_path_factory.mktemp("viewer") / "report.html"
    path.write_text(viewer(findings_512(), scaled, scan_512()), encoding="utf-8")
    return path


@pytest.fixture
def page(browser: "Browser", html: Path) -> "Iterator[Page]":
    context = browser.new_context(viewport=LAPTOP, offline=True, has_touch=True)  # type: ignore[arg-type]
    opened = context.new_page()
    faults: list[str] = []
    requests: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    opened.on("request", lambda request: requests.append(request.url))
    opened.goto(html.as_uri())
    opened.wait_for_selector("body[data-ready]")
    yield opened
    assert faults == []
    assert requests == [html.as_uri()]
    context.close()


def shown(page: "Page", number: int) -> None:
    """Waits until the slice is on the screen."""
    page.wait_for_selector(f'#picture[data-shown="{number}"]')
    assert (page.text_content("#where") or "").startswith(f"Slice {number} of {COUNT},")


def pixel(page: "Page", across: float, down: float) -> list[int]:
    """RGB of the canvas at shares of its width and height."""
    script = """([x, y]) => { const c = document.getElementById("picture");
      return [...c.getContext("2d").getImageData(x * c.width, y * c.height, 1, 1).data].slice(0, 3); }"""
    found = page.evaluate(script, [across, down])
    assert isinstance(found, list)
    return found


def test_size_and_opens_offline(browser: "Browser", html: Path) -> None:
    assert html.stat().st_size < FULL_SIZE_MB * 1e6
    context = browser.new_context(viewport=LAPTOP, offline=True)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(html.as_uri())
    page.wait_for_selector("#picture[data-shown]")
    context.close()


def test_wheel_keys_slider_and_drag(page: "Page") -> None:
    shown(page, 21)
    page.hover("#picture")
    page.mouse.wheel(0, 100)
    shown(page, 22)
    page.mouse.wheel(0, -100)
    shown(page, 21)
    for key, number in (
        ("ArrowDown", 22), ("ArrowRight", 23), ("ArrowUp", 22), ("ArrowLeft", 21), ("PageDown", 26), ("PageUp", 21),
        ("Home", 1), ("ArrowUp", 1), ("End", COUNT), ("ArrowDown", COUNT),
    ):  # fmt: skip
        page.keyboard.press(key)
        shown(page, number)
    page.focus(".report")
    page.keyboard.press("Home")  # scrolls the report
    page.wait_for_timeout(100)
    shown(page, COUNT)
    page.focus("#slice")
    page.keyboard.press("ArrowLeft")
    shown(page, COUNT - 1)
    box = page.locator("#picture").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 50, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 50, box["y"] + 200 - 12 * 4)
    page.mouse.up()
    shown(page, COUNT - 5)


def test_windows_by_keys_and_buttons(page: "Page") -> None:
    page.keyboard.press("Home")
    shown(page, 1)
    hu = int(scan_512().hu[0, 256, 256])
    for key, centre, width in (("1", 40, 80), ("2", 80, 200), ("3", 40, 380), ("4", 500, 2000)):
        page.keyboard.press(key)
        page.wait_for_selector(f'[data-preset="{int(key) - 1}"][aria-pressed="true"]')
        grey = min(max(255 * (hu - centre + width / 2) / width, 0), 255)
        page.wait_for_timeout(100)
        assert pixel(page, 0.5, 0.5) == pytest.approx([grey] * 3, abs=1)
    page.click('[data-preset="0"]')
    page.wait_for_selector('[data-preset="0"][aria-pressed="true"]')
    assert page.locator('[data-preset][aria-pressed="true"]').count() == 1


def test_overlay_switch_and_opacity(page: "Page") -> None:
    assert page.is_visible("#mark")
    red, green, blue = pixel(page, 0.6, 0.5)
    assert red > blue + 40
    page.keyboard.press("o")
    page.wait_for_timeout(100)
    red, green, blue = pixel(page, 0.6, 0.5)
    assert red == green == blue
    assert not page.is_checked("#overlay")
    assert not page.is_visible("#mark")
    page.click("#overlay")
    page.fill("#opacity", "20")
    page.wait_for_timeout(100)
    faint = pixel(page, 0.6, 0.5)
    page.fill("#opacity", "100")
    page.wait_for_timeout(100)
    full = pixel(page, 0.6, 0.5)
    assert full[0] - full[2] > faint[0] - faint[2] > 0


def test_findings_and_strip_jump(page: "Page") -> None:
    page.keyboard.press("Home")
    shown(page, 1)
    page.click('[data-label="subdural"]')
    shown(page, 21)
    assert page.get_attribute('[data-label="subdural"]', "aria-pressed") == "true"
    assert "Subdural" in (page.text_content("#where") or "")
    assert page.locator("#strip rect.bar").count() == COUNT
    assert page.locator("#strip rect.over").count() == 1
    box = page.locator("#strip").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 4.5 / COUNT, box["y"] + 10)
    shown(page, 5)
    page.touchscreen.tap(box["x"] + box["width"] * 30.5 / COUNT, box["y"] + 10)
    shown(page, 31)
    page.focus('[data-label="any"]')
    page.keyboard.press("Enter")
    shown(page, 21)


def test_on_paper(page: "Page") -> None:
    page.evaluate("window.print = () => { document.body.dataset.printed = 'yes'; }")
    page.click("#print")
    assert page.get_attribute("body", "data-printed") == "yes"
    assert not page.is_visible(".figures")
    page.emulate_media(media="print")
    assert page.is_visible(".notice")
    assert page.is_visible(".figures")
    assert not page.is_visible("#picture")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf().startswith(b"%PDF")


@pytest.mark.parametrize("size", [LAPTOP, TABLET], ids=["laptop", "tablet"])
def test_fits_and_says_what_it_is(page: "Page", size: dict[str, int]) -> None:
    page.set_viewport_size(size)  # type: ignore[arg-type]
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    assert page.locator(".notice").bounding_box()["y"] < 60  # type: ignore[index]
    page.evaluate("window.scrollTo(0, 0)")
    for what in ("#slice", "#picture", ".summary", '[data-label="subdural"]'):  # who chooses a finding sees its slice
        box = page.locator(what).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= size["height"], what


def test_hostile_text_does_not_run(browser: "Browser", tmp_path: Path) -> None:
    scaled = replace(prediction(COUNT, 20), boxes=np.array([[0, 0, 512]] * COUNT, np.int32))
    path = tmp_path / "hostile.html"
    path.write_text(viewer(findings_512(HOSTILE), scaled, scan_512()), encoding="utf-8")
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto(path.as_uri())
    page.wait_for_selector("body[data-ready]")
    assert page.evaluate("window.hacked") is None
    assert HOSTILE in (page.text_content(".report") or "")
    tampered = path.read_text(encoding="utf-8").replace("<main>", "<main><script>window.hacked=4</script>")
    path.write_text(tampered, encoding="utf-8")
    page.goto(path.as_uri())
    page.wait_for_selector("body[data-ready]")
    assert page.evaluate("window.hacked") is None  # the policy stops what escaping might miss
    context.close()
