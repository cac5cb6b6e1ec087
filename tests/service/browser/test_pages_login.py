"""Logging in, passwords, roles, administration and the dashboard."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.service.browser.conftest import until
from tests.service.browser.fake_api import FakeService

if TYPE_CHECKING:
    from playwright.sync_api import Page

NOTICE = "AI result: not for diagnostic use alone"


def log_in(page: "Page", name: str, password: str) -> None:
    page.fill("input[name=name]", name)
    page.fill("input[name=password]", password)
    page.press("input[name=password]", "Enter")


def test_log_in_and_out(open_page: "Callable[..., Page]", service: FakeService) -> None:
    service.user = None
    page = open_page("/", fresh=True)
    page.wait_for_selector("input[name=name]")
    assert page.locator(".notice").inner_text() == NOTICE
    log_in(page, "reader", "wrong")
    page.wait_for_selector("[role=alert]:has-text('wrong')")
    log_in(page, "reader", "correct horse battery")
    page.wait_for_selector("tr[data-study]")
    assert page.locator("nav a").all_inner_texts() == ["Worklist", "Dashboard"]
    page.click(".menu summary")
    page.click("text=Log out")
    page.wait_for_selector("input[name=password]")
    assert service.user is None


def test_a_login_that_ended_leads_back_to_the_form(open_page: "Callable[..., Page]", service: FakeService) -> None:
    page = open_page("/")
    page.wait_for_selector("tr[data-study]")
    service.user = None
    service.publish("study", 1)  # the page asks anew; it may also do so by itself, once its event stream is open
    page.wait_for_selector("input[name=password]")


def test_a_first_password_must_be_changed(open_page: "Callable[..., Page]", service: FakeService) -> None:
    service.must_change = True
    page = open_page("/")
    page.wait_for_selector("h1:has-text('Choose a password')")
    page.fill("input[name=old]", "correct horse battery")
    page.fill("input[name=new]", "another long password")
    page.fill("input[name=again]", "another long passwort")
    page.click("button:has-text('Set password')")
    page.wait_for_selector("[role=alert]:has-text('differ')")
    page.fill("input[name=again]", "another long password")
    page.click("button:has-text('Set password')")
    page.wait_for_selector("tr[data-study]")


def test_readers_do_not_administer(open_page: "Callable[..., Page]", service: FakeService) -> None:
    page = open_page("/administration/users")
    page.wait_for_selector("[role=alert]:has-text('only for administrators')")
    assert page.locator(".records").count() == 0


def test_administration(open_page: "Callable[..., Page]", service: FakeService) -> None:
    service.user = "admin"
    page = open_page("/administration/tokens")
    page.fill("input[name=name]", "pacs")
    page.check("text=read studies and results")
    page.click("button:has-text('Add token')")
    page.wait_for_selector("dialog code:has-text('secret-told-once')")
    page.keyboard.press("Escape")
    assert ("POST", "/api/tokens", {"name": "pacs", "scopes": ["read"]}) in service.calls
    page.click("button[aria-label='Revoke prometheus']")
    page.click("dialog button:has-text('Revoke')")
    until(lambda: page.locator("dialog").count() == 0)
    assert ("DELETE", "/api/tokens/1", None) in service.calls
    for part, text in (
        ("Users", "must choose a password"), ("Jobs", "association refused"), ("Refused", "not among the peers"),
        ("Audit", "user:reader"), ("System", "ORTHANC"),
    ):  # fmt: skip
        page.click(f".side-nav a:has-text('{part}')")
        page.wait_for_selector(f".content:has-text('{text}')")


def test_dashboard(open_page: "Callable[..., Page]") -> None:
    page = open_page("/dashboard")
    page.wait_for_selector(".alarms:has-text('SIEMENS')")
    for days in (7, 365):
        page.select_option("select", str(days))
        page.wait_for_selector(f".chart[aria-label*='last {days} days']")
    assert page.locator(".figure-card").count() == 5
