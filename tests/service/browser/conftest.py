"""A browser on the built pages, with the fake API behind them."""

import copy
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.service.browser.fake_api import FakeServer, FakeService
from tests.service.browser.fake_studies import FakeStudy, demo_studies

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
LAPTOP = {"width": 1366, "height": 768}
TABLET = {"width": 820, "height": 1180}
LOGGED_IN = "localStorage.setItem('ichscan.session', '1')"


def until(true: Callable[[], bool], seconds: float = 8.0) -> None:
    """Waits; by asking, since the policy of the pages forbids Playwright's own functions that wait."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.03)


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if BROWSER is None:
        pytest.skip("no chromium")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=BROWSER, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[FakeStudy]:
    """Real results of the packaged head and of simulated bleeds in it; not to be changed."""
    return demo_studies(tmp_path_factory.mktemp("studies"))


@pytest.fixture
def service(made: list[FakeStudy], project_root: Path) -> FakeService:
    """What the pages talk to, with a reader logged in."""
    fresh = [
        FakeStudy(dict(one.row), one.series, one.results, copy.deepcopy(one.deliveries), one.files) for one in made
    ]
    found = FakeService(project_root / "src" / "ichscan" / "service" / "static", fresh)
    found.user = "reader"
    return found


@pytest.fixture
def server(service: FakeService) -> Iterator[FakeServer]:
    with FakeServer(service) as started:
        yield started


@pytest.fixture
def open_page(browser: "Browser", server: FakeServer) -> "Iterator[Callable[..., Page]]":
    """Opens an address; whatever the browser complains of, or asks of another machine, fails the test."""
    faults: list[str] = []
    contexts = []

    def opened(path: str = "/", size: dict[str, int] | None = None, touch: bool = False, fresh: bool = False) -> "Page":
        context = browser.new_context(viewport=size or LAPTOP, has_touch=touch)  # type: ignore[arg-type]
        contexts.append(context)
        if not fresh:
            context.add_init_script(LOGGED_IN)
        page = context.new_page()
        page.set_default_timeout(8000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda one: faults.append(one.text) if one.type == "error" else None)
        page.on("request", lambda one: None if one.url.startswith((server.url, "blob:")) else faults.append(one.url))
        page.goto(server.url + path)
        return page

    yield opened
    for context in contexts:
        context.close()
    refused = "Failed to load resource: the server responded with a status of 40"
    assert [one for one in faults if not one.startswith(refused)] == []
