"""The worklist: order, filters, live changes, keys, upload, hostile names."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tests.service.browser.conftest import until
from tests.service.browser.fake_api import FakeService
from tests.service.browser.fake_studies import FakeStudy, row

if TYPE_CHECKING:
    from playwright.sync_api import Page

DROP = """() => { const data = new DataTransfer(); data.items.add(new File(["x"], "dropped.dcm"));
  document.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })); }"""


def names(page: "Page") -> list[str]:
    return page.locator("tr[data-study] a.open").all_inner_texts()


def test_rows_filters_and_search(open_page: "Callable[..., Page]", service: FakeService) -> None:
    page = open_page("/")
    page.wait_for_selector("tr[data-study]")
    assert len(names(page)) == len(service.studies) - 1  # one is read
    page.click("button:has-text('Not analysable')")
    until(lambda: page.locator("tr[data-study]").count() == 1)
    assert names(page) == ["Sample, Frida"]
    assert page.locator("tr.look .reason").inner_text() == "a localizer (scout), not axial slices"
    page.click("button:has-text('All')")
    page.fill("input[type=search]", "bruno")
    until(lambda: page.locator("tr[data-study]").count() == 1)
    assert names(page) == ["Sample, Bruno"]
    assert "bruno" not in page.url


def test_names_are_text(open_page: "Callable[..., Page]") -> None:
    page = open_page("/")
    page.click("button:has-text('Unread')")
    page.wait_for_selector("tr.read")
    assert any("<script>" in name for name in names(page))
    assert page.evaluate("window.hacked") is None
    assert page.locator("tr b").count() == 0


def test_late_analyses_are_told(open_page: "Callable[..., Page]", service: FakeService) -> None:
    page = open_page("/")
    page.wait_for_selector("tr[data-study]")
    assert page.locator(".worklist > .problem").inner_text() == ""
    service.late_min = 16.4
    service.publish("alarm", None, "{}")
    page.wait_for_selector(".worklist > .problem:has-text('waiting for 16 minutes')")
    service.late_min = None
    service.publish("alarm", None, "{}")
    until(lambda: page.locator(".worklist > .problem").inner_text() == "")


def test_a_suspicion_stays_and_half_a_head_is_not_called_clear(
    open_page: "Callable[..., Page]", service: FakeService
) -> None:
    clear = dict.fromkeys(service.studies[1].row["states"], "absent")
    half = {"suspected": False, "states": clear, "reason": "9 images cannot be read and were not judged"}
    service.studies[1].row |= half
    service.studies[2].row |= {"suspected": True, "status": "receiving"}
    page = open_page("/")
    for number, verdict, below in ((1, "Incomplete", half["reason"]), (2, "Suspected", "Receiving")):
        cell = page.locator(f"tr[data-study='{number}'] .result")
        assert (cell.locator(".verdict").inner_text(), cell.locator(".reason").inner_text()) == (verdict, below)
    page.click("tr[data-study='1'] a")
    page.wait_for_selector(f".side .problem:has-text('{half['reason']}')")
    page.goto(page.url.replace("/studies/1", "/studies/2"))
    page.wait_for_selector(".side .problem:has-text('This is an earlier result')")


def test_keys_open_a_study(open_page: "Callable[..., Page]") -> None:
    page = open_page("/")
    page.wait_for_selector("tr[data-study] a:focus")
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.textContent") == "Sample, Bruno"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.type") == "search"
    page.keyboard.press("Escape")
    page.focus("tr[data-study='2'] a")
    page.keyboard.press("Enter")
    page.wait_for_url("**/studies/2")


def test_arrivals_are_shown_as_they_happen(open_page: "Callable[..., Page]", service: FakeService) -> None:
    page = open_page("/")
    page.wait_for_selector(".live.open")
    service.studies[99] = FakeStudy(row(99, "Sample^New", status="receiving", result_id=None))
    service.publish("study", 99)
    page.wait_for_selector("tr[data-study='99']", timeout=3000)
    service.studies[99].row |= {"status": "analysed", "suspected": True, "probability": 0.9}
    service.publish("result", 99)
    page.wait_for_selector("tr[data-study='99'].present", timeout=3000)


def test_what_happened_while_a_proxy_refused_is_shown(open_page: "Callable[..., Page]", service: FakeService) -> None:
    page = open_page("/")
    page.wait_for_selector(".live.open")
    service.away = True
    page.wait_for_selector(".live:not(.open)")
    page.wait_for_timeout(4000)  # the browser has asked once more, and was refused
    service.studies[99] = FakeStudy(row(99, "Sample^Missed", suspected=True, probability=0.9))
    service.publish("result", 99)
    service.away = False
    page.wait_for_selector("tr[data-study='99'].present", timeout=10_000)


def test_upload(open_page: "Callable[..., Page]", service: FakeService, tmp_path: Path) -> None:
    (tmp_path / "one.dcm").write_bytes(b"x" * 1000)
    (tmp_path / "note.txt").write_text("x")
    page = open_page("/")
    page.wait_for_selector("tr[data-study]")
    page.set_input_files("input[type=file]:not([webkitdirectory])", [tmp_path / "one.dcm", tmp_path / "note.txt"])
    page.wait_for_selector("dialog [role=status]:has-text('1 files accepted, 1 not')")
    assert page.locator("dialog li").inner_text() == "note.txt: no DICOM file"
    page.keyboard.press("Escape")
    page.wait_for_selector("tr:has-text('Sample, Uploaded')")
    page.evaluate(DROP)
    page.wait_for_selector("dialog [role=status]:has-text('1 files accepted.')")
