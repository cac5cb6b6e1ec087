"""The viewer: pixels, windows, scrolling by every means, heat, measurements, neighbours; mouse, keys and touch."""

import gzip
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.service.browser.conftest import ARGUMENTS, BROWSER, LAPTOP, LOGGED_IN, TABLET, until
from tests.service.browser.fake_api import FakeServer, FakeService
from tests.service.browser.fake_studies import FakeSeries

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

COUNT = 36
FIELD_MM = 512 * 0.4882812


def shown(page: "Page", number: int) -> None:
    page.wait_for_selector(f".pane[data-shown='{number}']")


def opened(page: "Page", study: int = 1) -> int:
    """The slice that the study opens at."""
    page.wait_for_selector(f"tr[data-study='{study}']")
    page.click(f"tr[data-study='{study}'] a.open")
    page.wait_for_selector(".pane[data-shown]")
    return at(page)


def at(page: "Page") -> int:
    """The slice that is on the screen."""
    return int(page.get_attribute(".pane", "data-shown") or 0)


def stage(page: "Page") -> dict[str, float]:
    box = page.locator(".stage").first.bounding_box()
    assert box is not None
    return dict(box)


def picture(page: "Page") -> NDArray[np.uint8]:
    """The slice as it is on the screen: the square of the field of view, grey."""
    box = stage(page)
    side = min(box["width"], box["height"])
    clip = {"x": box["x"] + (box["width"] - side) / 2, "y": box["y"] + (box["height"] - side) / 2,
            "width": side, "height": side}  # fmt: skip
    png = page.screenshot(clip=clip)  # type: ignore[arg-type]
    grey = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    return np.asarray(cv2.resize(grey, (256, 256), interpolation=cv2.INTER_AREA), np.uint8)


def slice_hu(service: FakeService, number: int) -> NDArray[np.int16]:
    data = gzip.decompress(service.studies[1].series[0].slices[number - 1])
    return np.frombuffer(data, "<i2").reshape(512, 512)


def region(page: "Page") -> tuple[float, ...]:
    """Area in mm², mean, deviation, least and most HU, as they stand beside the ellipse."""
    text = page.locator("svg.svg-layer text").first.text_content() or ""
    found = re.fullmatch(r"([\d.]+) mm²mean (-?\d+) ± (\d+) HU(-?\d+) to (-?\d+) HU", text)
    return tuple(float(one) for one in found.groups()) if found else ()


def expected(service: FakeService, number: int, centre: float, width: float) -> NDArray[np.uint8]:
    hu = slice_hu(service, number).astype(np.float32)
    grey = np.clip((hu - (centre - width / 2)) / width, 0, 1) * 255
    return np.asarray(cv2.resize(grey, (256, 256), interpolation=cv2.INTER_AREA), np.uint8)


def distance(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    inner = np.s_[40:216, 40:216]  # without the letters at the edges
    return float(np.abs(one[inner].astype(float) - other[inner].astype(float)).mean())


def test_opens_with_all_slices(open_page: "Callable[..., Page]") -> None:
    page = open_page("/")
    page.wait_for_selector("tr[data-study]")
    opened(page)
    assert page.locator(".notice").is_visible()
    assert page.locator(".edge").all_inner_texts() == ["R", "L", "A", "P"]
    page.keyboard.press("End")
    shown(page, COUNT)


def test_pixels_are_those_of_the_slice(open_page: "Callable[..., Page]", service: FakeService) -> None:
    page = open_page("/")
    number = opened(page)
    page.keyboard.press("h")
    for key, window in (("1", (40, 80)), ("2", (80, 200)), ("3", (40, 380)), ("4", (500, 2000))):
        page.keyboard.press(key)
        page.wait_for_selector(f".bottom-left:has-text('C {window[0]} W {window[1]}')")
        page.wait_for_timeout(100)
        seen = picture(page)
        true = expected(service, number, *window)
        assert distance(seen, true) < 6
        assert distance(seen, np.asarray(true[:, ::-1], np.uint8)) > distance(seen, true) + 1


def test_scrolling(open_page: "Callable[..., Page]") -> None:
    page = open_page("/")
    number = opened(page)
    box = stage(page)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, 100)
    shown(page, number + 1)
    page.mouse.wheel(0, -100)
    shown(page, number)
    for key, target in (
        ("ArrowDown", number + 1), ("ArrowLeft", number), ("PageUp", number - 5), ("Home", 1), ("ArrowUp", 1),
        ("End", COUNT), ("ArrowDown", COUNT),
    ):  # fmt: skip
        page.keyboard.press(key)
        shown(page, target)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 - 80, steps=8)
    page.mouse.up()
    until(lambda: at(page) < COUNT)
    strip = page.locator(".strip-slider").bounding_box()
    assert strip is not None
    page.mouse.click(strip["x"] + strip["width"] * 9.5 / COUNT, strip["y"] + 50)
    shown(page, 10)
    assert page.get_attribute(".strip-slider", "aria-valuenow") == "10"
    assert page.get_attribute("[data-label=intraparenchymal].strip-name", "aria-pressed") == "true"


def test_window_zoom_and_reset_by_mouse(open_page: "Callable[..., Page]") -> None:
    page = open_page("/")
    opened(page)
    box = stage(page)
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.down(button="right")
    page.mouse.move(middle[0] + 30, middle[1] + 10, steps=4)
    page.mouse.up(button="right")
    page.wait_for_selector(".bottom-left:has-text('Window')")
    page.keyboard.press("1")
    page.wait_for_selector(".bottom-left:has-text('Brain C 40 W 80')")
    page.keyboard.press("+")
    page.wait_for_selector(".bottom-right:has-text('125 %')")
    page.keyboard.press("0")
    page.wait_for_selector(".bottom-right:has-text('100 %')")


def test_heat_and_findings(open_page: "Callable[..., Page]", service: FakeService) -> None:
    page = open_page("/")
    number = opened(page)
    page.wait_for_selector(".overlay[data-heat=any]")
    with_heat = page.screenshot(clip=stage(page))  # type: ignore[arg-type]
    page.keyboard.press("h")
    page.wait_for_selector(".overlay[data-heat='']")
    assert page.screenshot(clip=stage(page)) != with_heat  # type: ignore[arg-type]
    page.keyboard.press("h")
    finding = service.studies[1].series[0].told["findings"]["subdural"]
    page.keyboard.press("Home")
    shown(page, 1)
    page.click(".findings button[data-label=subdural]")
    shown(page, finding["strongest"] + 1)
    page.wait_for_selector(".overlay[data-heat=subdural]")
    page.keyboard.press("f")
    shown(page, number)
    assert page.get_attribute(".findings button[data-label=any]", "aria-pressed") == "true"


def test_several_views(open_page: "Callable[..., Page]") -> None:
    page = open_page("/")
    number = opened(page)
    page.click("[data-layout=two]")
    until(lambda: page.locator(".pane[data-shown]").count() == 2)
    assert page.locator(".bottom-left").all_inner_texts() == ["Brain C 40 W 80", "Bone C 500 W 2000"]
    page.keyboard.press("ArrowDown")
    until(lambda: page.locator(f".pane[data-shown='{number + 1}']").count() == 2)
    page.locator(".pane").nth(1).click()
    page.keyboard.press("2")
    page.wait_for_selector("[data-pane=pane-2] .bottom-left:has-text('Subdural')")
    page.keyboard.press("+")
    until(lambda: page.locator(".bottom-right").all_inner_texts() == ["125 %"] * 2)


def measured(page: "Page") -> float:
    """The length beside the line that was drawn."""
    found = re.search(r"([\d.]+) mm$", page.locator("svg.svg-layer text").first.text_content() or "")
    return float(found[1]) if found else 0.0


def test_length(open_page: "Callable[..., Page]") -> None:
    page = open_page("/")
    opened(page)
    box = stage(page)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.keyboard.press("l")
    page.mouse.move(x - 60, y)
    page.mouse.down()
    page.mouse.move(x + 60, y, steps=40)
    page.mouse.up()
    true = pytest.approx(120 * FIELD_MM / box["height"], rel=0.02)
    until(lambda: measured(page) == true)
    page.keyboard.press("Delete")
    until(lambda: page.locator("svg.svg-layer text").count() == 0)


def test_regions_hold_what_their_pixels_hold(open_page: "Callable[..., Page]", service: FakeService) -> None:
    """Area and HU of an ellipse, against the same ellipse cut from the slice itself, on a tilted gantry."""
    page = open_page("/studies/1")
    page.wait_for_selector(".pane[data-shown]")
    number = at(page)
    box = stage(page)
    scale = 512 / box["height"]
    x, y = box["x"] + box["width"] / 2 + 10, box["y"] + box["height"] / 2 + 60
    page.keyboard.press("r")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 50, y + 40, steps=10)
    page.mouse.up()
    left = box["x"] + (box["width"] - box["height"]) / 2
    centre = ((y - box["y"]) * scale - 0.5, (x - left) * scale - 0.5)
    rows, cols = np.mgrid[:512, :512]
    inside = ((rows - centre[0]) / (40 * scale)) ** 2 + ((cols - centre[1]) / (50 * scale)) ** 2 <= 1
    values = slice_hu(service, number)[inside]
    area = np.pi * 50 * 40 * (FIELD_MM / box["height"]) ** 2
    true = pytest.approx((area, values.mean(), values.std()), rel=0.02, abs=1.0)
    until(lambda: region(page)[:3] == true)
    assert region(page)[3:] == pytest.approx((values.min(), values.max()), abs=6)
    page.click("[data-layout=two]")
    until(lambda: page.locator(".pane[data-shown]").count() == 2)
    until(lambda: len(set(page.locator("svg.svg-layer text").all_text_contents())) == 1)


def test_neighbours_read_and_back(open_page: "Callable[..., Page]", service: FakeService) -> None:
    page = open_page("/")
    opened(page)
    page.keyboard.press("m")
    page.wait_for_selector("button.read[aria-pressed=true]")
    assert service.studies[1].row["read_by"] == "reader"
    page.keyboard.press("m")
    page.wait_for_selector("button.read[aria-pressed=false]")
    page.keyboard.press("n")
    page.wait_for_selector("h1:has-text('Sample, Bruno')")
    page.wait_for_selector(".pane[data-shown]")
    page.keyboard.press("Shift+N")
    page.wait_for_selector("h1:has-text('Sample, Ada')")
    page.wait_for_selector(".pane[data-shown]")
    page.keyboard.press("l")
    page.keyboard.press("Escape")
    assert page.get_attribute("[data-tool=scroll]", "aria-pressed") == "true"
    page.keyboard.press("Escape")
    page.wait_for_selector("tr[data-study]")


def test_studies_without_images_say_why(open_page: "Callable[..., Page]", service: FakeService) -> None:
    page = open_page("/studies/4")
    page.wait_for_selector(".no-images:has-text('a localizer (scout), not axial slices')")
    page.keyboard.press("1")
    page.keyboard.press("Escape")
    page.wait_for_selector("tr[data-study]")


def test_a_result_that_comes_is_shown(open_page: "Callable[..., Page]", service: FakeService) -> None:
    page = open_page("/studies/5")
    page.wait_for_selector(".live.open")
    page.wait_for_selector(".no-images:has-text('Analysing')")
    done, study = service.studies[1], service.studies[5]
    study.series, study.results = done.series, done.results
    study.row |= {"status": "analysed", "result_id": 5, "suspected": True, "probability": 0.9}
    service.publish("result", 5)
    page.wait_for_selector(".pane[data-shown]")


def test_touch_on_a_tablet(open_page: "Callable[..., Page]") -> None:
    page = open_page("/", size=TABLET, touch=True)
    number = opened(page)
    box = stage(page)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    client = page.context.new_cdp_session(page)
    client.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 9):
        client.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": y + 10 * step}]})
        page.wait_for_timeout(30)
    client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    until(lambda: at(page) > number)
    page.wait_for_timeout(400)  # else the next tap counts as the second of a double tap
    page.tap("[data-window=Bone]")
    page.wait_for_selector(".bottom-left:has-text('Bone')")


def test_prefetches_the_next_study(open_page: "Callable[..., Page]", service: FakeService) -> None:
    page = open_page("/")
    with page.expect_request(lambda one: "/api/studies/2/images/0/" in one.url) as asked:
        opened(page)
    assert asked.value.headers["x-purpose"] == "prefetch"


def test_a_slice_that_does_not_come_is_told(open_page: "Callable[..., Page]") -> None:
    """The slice before it must not stay, as if it were this one."""
    page = open_page("/studies/1")
    page.wait_for_selector(".pane[data-shown]")
    until(lambda: page.locator(".strip").count() == 1)
    page.route("**/images/0/*", lambda route: route.fulfill(status=404, json={"detail": "its image was deleted"}))
    page.goto(page.url.replace("studies/1", "studies/2"))
    page.wait_for_selector(".fault:has-text('its image was deleted')")
    page.unroute("**/images/0/*")
    page.keyboard.press("Home")
    shown(page, 1)
    until(lambda: page.locator(".fault:visible").count() == 0)


@pytest.mark.slow
def test_slices_stored_turned_are_shown_as_usual(open_page: "Callable[..., Page]", service: FakeService) -> None:
    """Rows to the patient's right and columns to the front: the picture is turned, boxes are told as acquired."""
    study = service.studies[1]
    one = study.series[0]
    study.series = [FakeSeries(one.told | {"orientation": [-1, 0, 0, 0, -1, 0]}, one.slices, one.heat)]
    page = open_page("/studies/1")
    page.wait_for_selector(".pane[data-shown]")
    assert page.locator(".edge").all_inner_texts() == ["R", "L", "A", "P"]
    page.keyboard.press("h")
    page.keyboard.press("3")
    page.wait_for_timeout(150)
    number = at(page)
    turned = np.asarray(expected(service, number, 40, 380)[::-1, ::-1], np.uint8)
    assert distance(picture(page), turned) < 6
    page.click("[role=tab]:has-text('Feedback')")
    page.click("text=Draw box")
    box = stage(page)
    left = box["x"] + (box["width"] - box["height"]) / 2
    page.mouse.move(left + 100, box["y"] + 150)
    page.mouse.down()
    page.mouse.move(left + 160, box["y"] + 230, steps=10)
    page.mouse.up()
    page.wait_for_selector(".marks li:has-text('box')")
    page.click("text=Send feedback")
    until(lambda: len(service.studies[1].feedback) == 1)
    [drawn] = service.studies[1].feedback[0]["boxes"]
    scale = 512 / box["height"]
    assert drawn["left"] + drawn["width"] == pytest.approx(512 - 100 * scale, abs=3)
    assert drawn["top"] + drawn["height"] == pytest.approx(512 - 150 * scale, abs=3)


@pytest.mark.slow
def test_without_webgl(browser: "Browser", server: FakeServer, service: FakeService) -> None:
    """Where there is no graphics processor, or it is switched off, the processor draws the same."""
    other = browser.browser_type.launch(executable_path=BROWSER, args=[*ARGUMENTS, "--disable-3d-apis"])
    page = other.new_context(viewport=LAPTOP).new_page()  # type: ignore[arg-type]
    page.add_init_script(LOGGED_IN)
    page.goto(f"{server.url}/studies/1")
    page.wait_for_selector(".pane[data-shown]")
    page.wait_for_selector(".overlay[data-heat=any]")
    page.keyboard.press("h")
    page.keyboard.press("2")
    page.wait_for_selector(".bottom-left:has-text('Subdural')")
    page.wait_for_timeout(200)
    assert distance(picture(page), expected(service, at(page), 80, 200)) < 6
    page.keyboard.press("End")
    shown(page, COUNT)
    other.close()
