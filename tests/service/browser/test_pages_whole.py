"""The whole service in a browser: first login, upload, result, images, feedback, the trail of it all."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ichscan.demo import write_demo

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")
from tests.network import free_port
from tests.service.browser.conftest import LAPTOP, until
from tests.service.running.box import Box, running, write_config

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PASSWORD = "a rather long password"
TIMES = "[analysis]\nquiet_s = 2.0\nsettle_s = 0.5\n"

pytestmark = pytest.mark.slow


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    config = write_config(tmp_path, TIMES, dicom=free_port(), web=free_port())
    with running(tmp_path, config) as started:
        yield started


def first_password(box: Box) -> str:
    text = (box.settings.folder / "first-password.txt").read_text(encoding="utf-8")
    return text.rpartition("password:")[2].strip()


def log_in(page: "Page", box: Box) -> None:
    """The first login, which must choose a password."""
    old = first_password(box)
    page.goto(f"http://127.0.0.1:{box.settings.web.port}/")
    page.fill("input[name=name]", "administrator")
    page.fill("input[name=password]", old)
    page.press("input[name=password]", "Enter")
    page.fill("input[name=old]", old)
    page.fill("input[name=new]", PASSWORD)
    page.fill("input[name=again]", PASSWORD)
    page.press("input[name=again]", "Enter")
    page.wait_for_selector(".live.open")


def packed(folder: Path) -> Path:
    """The demonstration's subdural bleed as a zip archive."""
    scans = {path.name: path for path in write_demo(folder / "demo")}
    path = folder / "scan.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(scans["simulated-subdural"].iterdir()):
            archive.write(file, f"scan/{file.name}")
    return path


def test_from_the_first_login_to_feedback(box: Box, browser: "Browser", tmp_path: Path) -> None:
    page = browser.new_context(viewport=LAPTOP).new_page()  # type: ignore[arg-type]
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda one: faults.append(one.text) if one.type == "error" else None)
    log_in(page, box)
    page.set_input_files("input[type=file]:not([webkitdirectory])", packed(tmp_path))
    page.wait_for_selector("dialog [role=status]:has-text('28 files accepted.')")
    page.keyboard.press("Escape")
    page.wait_for_selector("tr.present:has-text('SIMULATED')", timeout=60_000)
    page.click("tr.present a.open")
    page.wait_for_selector(".pane[data-shown]")
    page.wait_for_selector(".overlay[data-heat=any]")
    assert page.locator(".edge").all_inner_texts() == ["R", "L", "A", "P"]
    page.click("[role=tab]:has-text('Feedback')")
    page.click("text=Agree to all")
    page.click("text=Send feedback")
    page.wait_for_selector(".earlier b:has-text('administrator')")
    page.keyboard.press("m")
    page.wait_for_selector("button.read[aria-pressed=true]")
    page.click("nav a:has-text('Dashboard')")
    page.wait_for_selector(".figure-card:has-text('1 of 1 analysed')")
    page.click("nav a:has-text('Administration')")
    page.click(".side-nav a:has-text('Audit')")
    page.wait_for_selector("td:has-text('view')")
    actions = page.locator(".records td:nth-child(3)").all_inner_texts()
    assert {"login", "password", "upload", "view", "feedback", "read"} <= set(actions)
    page.click(".menu summary")
    page.click("text=Log out")
    page.wait_for_selector("input[name=password]")
    until(lambda: page.locator("tr[data-study]").count() == 0)
    assert faults == []
