"""How long a person waits for images in a browser: `python -m benchmarks.opening`.

A study of 36 slices of 512 x 512 is opened in headless Chromium, from the click or the address to the first slice on
the screen: in the pages of a running service, from the worklist and in a new tab, and as the HTML report, offline.
Median, lowest and highest of `--repeat` times after one that is not counted. Writes `opening.json` beside this file.
"""

import argparse
import json
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.machine import facts
from benchmarks.receive import free_port
from benchmarks.receive_service import wait_ready, wait_results
from benchmarks.receive_studies import SLICES, send, write_studies

from ichscan.service.accounts import new_password
from ichscan.service.database import open_database
from ichscan.service.settings import Settings, read_settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

SCREEN = {"width": 1366, "height": 768}
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
PASSWORD = "a rather long password"
READING_S = 1.5
"""Before the click: as long as a person needs to read the first line of the worklist."""


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=7)
    repeat = parser.parse_args().repeat
    results: dict[str, Any] = {"machine": facts(), "slices": SLICES, "repeat": repeat}
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        shares = write_studies(folder / "send", 1)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        results["html_report_s"], results["html_report_mb"] = _html(browser, shares[0], folder / "html", repeat)
        with _service(folder, shares) as settings:
            results["from_the_worklist_s"], results["in_a_new_tab_s"] = _pages(browser, settings, repeat)
        browser.close()
    print(json.dumps(results, indent=2))
    (Path(__file__).parent / "opening.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def _html(browser: "Browser", scan: Path, folder: Path, repeat: int) -> tuple[dict[str, float], float]:
    subprocess.run([sys.executable, "-m", "ichscan", "predict", scan, "--html", "--out", folder], check=False)
    (report,) = folder.glob("*.html")

    def opened() -> float:
        context = browser.new_context(viewport=SCREEN, offline=True)  # type: ignore[arg-type]
        page = context.new_page()
        seconds = _seconds(lambda: page.goto(report.as_uri()), lambda: page.wait_for_selector("#picture[data-shown]"))
        context.close()
        return seconds

    return _spread(opened, repeat), round(report.stat().st_size / 1e6, 2)


@contextmanager
def _service(folder: Path, shares: list[Path]) -> Iterator[Settings]:
    """A service that has analysed the study."""
    config = folder / "ichscan.toml"
    config.write_text(
        f"folder = {json.dumps(str(folder / 'data'))}\n[dicom]\nport = {free_port()}\n[web]\nport = {free_port()}\n"
        "[analysis]\nquiet_s = 2.0\n[storage]\nfree_gb = 0.1\n",
        encoding="utf-8",
    )
    settings = read_settings(config)
    with (folder / "log.txt").open("wb") as log:
        command = [sys.executable, "-m", "ichscan", "serve", "--config", str(config)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_ready(settings, process)
        send(shares[:1], settings.dicom.port, no_delay=True)
        wait_results(settings, 1)
        yield settings
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _pages(browser: "Browser", settings: Settings, repeat: int) -> tuple[dict[str, float], dict[str, float]]:
    address = f"http://127.0.0.1:{settings.web.port}/"
    database = open_database(settings)
    first = new_password(database, "reader", "reader", time.time())
    database.close()
    state = _logged_in(browser, address, first)

    def context() -> "BrowserContext":
        return browser.new_context(viewport=SCREEN, storage_state=state)  # type: ignore[arg-type]

    def from_the_worklist() -> float:
        fresh = context()  # without a cache
        page = fresh.new_page()
        page.goto(address)
        page.wait_for_selector("tr[data-study]")
        page.wait_for_timeout(READING_S * 1000)
        seconds = _seconds(lambda: page.click("tr[data-study] a.open"), lambda: _shown(page))
        fresh.close()
        return seconds

    def in_a_new_tab() -> float:
        fresh = context()
        page = fresh.new_page()
        seconds = _seconds(lambda: page.goto(f"{address}studies/1", wait_until="commit"), lambda: _shown(page))
        fresh.close()
        return seconds

    return _spread(from_the_worklist, repeat), _spread(in_a_new_tab, repeat)


def _logged_in(browser: "Browser", address: str, first: str) -> Any:
    """Cookies after the first login, which must choose a password."""
    page = browser.new_page()
    page.goto(address)
    page.fill("input[name=name]", "reader")
    page.fill("input[name=password]", first)
    page.press("input[name=password]", "Enter")
    for name, value in (("old", first), ("new", PASSWORD), ("again", PASSWORD)):
        page.fill(f"input[name={name}]", value)
    page.press("input[name=again]", "Enter")
    page.wait_for_selector("tr[data-study]")
    return page.context.storage_state()


def _shown(page: "Page") -> None:
    page.wait_for_selector(".pane[data-shown]")


def _seconds(*steps: Callable[[], object]) -> float:
    begin = time.perf_counter()
    for step in steps:
        step()
    return time.perf_counter() - begin


def _spread(measure: Callable[[], float], repeat: int) -> dict[str, float]:
    measure()
    found = [measure() for _ in range(repeat)]
    return {"median": round(statistics.median(found), 2), "low": round(min(found), 2), "high": round(max(found), 2)}


if __name__ == "__main__":
    main()
