"""Feedback: verdicts, marks, boxes in pixels as acquired, reason; and accessibility of all pages."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.service.browser.conftest import LAPTOP, TABLET, until
from tests.service.browser.fake_api import FakeService
from tests.service.browser.test_pages_viewer import stage

if TYPE_CHECKING:
    from playwright.sync_api import Page

PAGES = ("/", "/studies/1", "/studies/4", "/dashboard", "/administration/users", "/administration/tokens",
         "/administration/audit", "/administration/system", "/password")  # fmt: skip


def test_feedback_with_marks_and_a_box(open_page: "Callable[..., Page]", service: FakeService) -> None:
    page = open_page("/studies/1")
    page.wait_for_selector(".pane[data-shown]")
    number = int(page.get_attribute(".pane", "data-shown") or 0)
    uid = service.studies[1].series[0].told["slices"][number - 1]["sop_instance_uid"]
    page.click("[role=tab]:has-text('Feedback')")
    page.click("text=Agree to all")
    page.locator("fieldset:has-text('Epidural') label.disagree").click()
    page.locator("fieldset:has-text('Subarachnoid') label.absent").click()  # not certain: nothing to agree with
    page.select_option("#mark-label", "epidural")
    page.click(".marking button:has-text('Is not there')")
    page.select_option("#mark-label", "subdural")
    page.click("text=Draw box")
    box = stage(page)
    scale = 512 / box["height"]
    left, top = box["x"] + (box["width"] - box["height"]) / 2, box["y"]
    page.mouse.move(left + 100, top + 150)
    page.mouse.down()
    page.mouse.move(left + 160, top + 230, steps=6)
    page.mouse.up()
    page.wait_for_selector(".marks li:has-text('box, subdural')")
    page.fill("#reason", "the vertex is artefact")
    page.click("text=Send feedback")
    page.wait_for_selector(".earlier li:has-text('the vertex is artefact')")
    sent = next(body for method, path, body in service.calls if path == "/api/studies/1/feedback")
    assert sent["result_id"] == 1
    assert sent["verdicts"] == {
        "any": "agree", "epidural": "disagree", "intraparenchymal": "agree", "intraventricular": "agree",
        "subarachnoid": "absent", "subdural": "agree",
    }  # fmt: skip
    shown = service.studies[1].series[0].told["findings"]
    assert sent["states"] == {label: finding["state"] for label, finding in shown.items() if label in sent["verdicts"]}
    assert sent["slices"] == [{"sop_instance_uid": uid, "label": "epidural", "present": False}]
    [drawn] = sent["boxes"]
    assert (drawn["sop_instance_uid"], drawn["label"]) == (uid, "subdural")
    for key, pixels in (("left", 100), ("top", 150), ("width", 60), ("height", 80)):
        assert drawn[key] == pytest.approx(pixels * scale, abs=3)
    until(lambda: page.locator(".marks li").count() == 0)


def test_nothing_is_sent_that_says_nothing(open_page: "Callable[..., Page]", service: FakeService) -> None:
    page = open_page("/studies/1")
    page.wait_for_selector(".pane[data-shown]")
    page.click("[role=tab]:has-text('Feedback')")
    page.click("text=Send feedback")
    page.wait_for_selector("[role=alert]:has-text('Say something first')")
    assert not [path for _, path, _ in service.calls if "feedback" in path]


def test_unsent_feedback_is_not_lost_in_silence(open_page: "Callable[..., Page]") -> None:
    page = open_page("/studies/1")
    page.wait_for_selector(".pane[data-shown]")
    page.click("[role=tab]:has-text('Feedback')")
    page.click("text=Agree to all")
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.click("button[aria-label='Next study']")
    assert page.url.endswith("/studies/1")


@pytest.mark.parametrize(
    "size", [pytest.param(LAPTOP, id="laptop"), pytest.param(TABLET, id="tablet", marks=pytest.mark.slow)]
)
def test_accessibility(
    open_page: "Callable[..., Page]", service: FakeService, project_root: Path, size: dict[str, int]
) -> None:
    """What axe-core finds serious or critical: nothing."""
    axe = project_root / "viewer" / "node_modules" / "axe-core" / "axe.min.js"
    if not axe.is_file():
        pytest.skip("axe-core is not installed: npm ci in viewer/")
    source = axe.read_text(encoding="utf-8")
    service.user = "admin"
    found: list[str] = []
    page = open_page("/", size=size)
    for path in PAGES:
        page.goto(page.url.split("/", 3)[0] + "//" + page.url.split("/")[2] + path)
        page.wait_for_selector("main#main")
        if path == "/studies/1":
            page.wait_for_selector(".pane[data-shown]")
        found += violations(page, source, path)
        if path == "/studies/1":
            for tab in ("Feedback", "Files"):
                page.click(f"[role=tab]:has-text('{tab}')")
                found += violations(page, source, f"{path} {tab}")
            page.keyboard.press("?")
            page.wait_for_selector("dialog[open]")
            found += violations(page, source, f"{path} help")
    assert found == []


def violations(page: "Page", source: str, where: str) -> list[str]:
    page.evaluate(source)
    told = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{where}: {one['id']}: {json.dumps([node['target'] for node in one['nodes']][:3])}"
        for one in told["violations"]
        if one["impact"] in ("serious", "critical")
    ]
