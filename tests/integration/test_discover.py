"""The pages in a real browser, over a lake in a folder and an app that stands for Airflow: every page, search, query,
chart, compare, start, denial, both themes, a phone's width, and what axe (MPL-2.0, `tests/vendor`) says of them.
"""

import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Page, expect, sync_playwright

from flightline.hooks.warehouse import WarehouseHook
from flightline.ui import query
from sandbox.supervisor.service import REPO, free_ports
from tests.unit.flightline.ui.conftest import Site, site, small_catalog, small_lake
from tests.unit.flightline.ui.test_query import Running

__all__ = ["site", "small_catalog", "small_lake"]
pytestmark = [pytest.mark.integration, pytest.mark.long]
AXE = REPO / "tests" / "vendor" / "axe-4.10.3.min.js"
PATHS = (
    "",
    "data",
    "data/silver.flight_delays__weather",
    "data/quarantine.flight_delays__weather",
    "models",
    "models/flight_delays",
    "models/flight_delays/2",
    "models/flight_delays/compare?a=1&b=2",
    "query",
    "data/nowhere.t",
)


@pytest.fixture
def browser_page(site: Site, monkeypatch) -> Iterator[Page]:
    """A page of a user whose rights `site.login` says, at a server of this process."""
    (port,) = free_ports(1)
    server = uvicorn.Server(uvicorn.Config(site.airflow, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()

    class Warehouse:
        def start(self, question):
            return Running(question)

    monkeypatch.setattr(WarehouseHook, "get_conn", lambda _: Warehouse())
    monkeypatch.setattr(query, "desk", query.Desk())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        headers = {"Authorization": "Bearer the-users-own"}
        base = f"http://127.0.0.1:{port}/flightline/"
        page = browser.new_context(base_url=base, extra_http_headers=headers).new_page()
        page.set_default_timeout(60_000)
        broken: list[str] = []
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.on("console", lambda said: broken.append(said.text) if "Content Security" in said.text else None)
        yield page
        browser.close()
        assert broken == []
    server.should_exit = True
    thread.join(10)


def serious(page: Page) -> list[str]:
    """What axe finds that is serious or worse. It is put into the page as the browser's own, past the page's policy."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found if each["impact"] in {"serious", "critical"}
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_has_a_serious_fault_of_accessibility(site, browser_page, theme):
    site.login("user")
    browser_page.goto("data")
    browser_page.evaluate("theme => localStorage.setItem('theme', theme)", theme)
    for path in PATHS:
        browser_page.goto(path)
        expect(browser_page.locator("h1")).to_be_visible()
        assert ("dark" in (browser_page.locator("html").get_attribute("class") or "")) == (theme == "dark")
        assert serious(browser_page) == [], path


def test_a_phones_width_is_enough(site, browser_page):
    site.login("viewer")
    browser_page.set_viewport_size({"width": 390, "height": 800})
    for path in PATHS:
        browser_page.goto(path)
        wide = browser_page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390, f"{path} is {wide} wide"


def test_two_clicks_from_home_to_why_a_version_was_promoted(site, browser_page):
    site.login("viewer")
    browser_page.goto("")
    expect(browser_page.get_by_text("2013-01-01 to 2013-04-30").first).to_be_visible()
    expect(browser_page.get_by_text("approved by Ada").first).to_be_visible()
    browser_page.get_by_role("link", name="version 2").first.click()
    expect(browser_page.get_by_role("heading", name="Version 2")).to_be_visible()
    expect(browser_page.get_by_role("region", name="Gates")).to_contain_text("auc at least 0.66")


def test_search_finds_while_one_types_by_keyboard_alone(site, browser_page):
    site.login("viewer")
    browser_page.goto("data")
    browser_page.get_by_role("searchbox").focus()
    browser_page.keyboard.type("tailnum silver")
    expect(browser_page.locator("#tables tbody tr")).to_have_count(2)
    browser_page.keyboard.press("ControlOrMeta+a")
    browser_page.keyboard.type("nowhere")
    expect(browser_page.locator("#tables")).to_contain_text("No table has all of these words")


def test_failed_rows_are_read_when_the_page_is_there(site, browser_page):
    site.login("viewer")
    browser_page.goto("data/quarantine.flight_delays__weather")
    expect(browser_page.get_by_text("temp: ge(0)").first).to_be_visible()


def test_a_question_its_chart_its_file_and_a_wrong_one(site, browser_page):
    site.login("viewer")
    browser_page.goto("query?table=silver.flight_delays__weather")
    browser_page.get_by_role("button", name="Run").click()
    expect(browser_page.get_by_text("2 rows in")).to_be_visible()
    for kind in ("line", "bar", "scatter", "histogram"):
        browser_page.get_by_label("Chart", exact=False).locator("select[name=kind]").select_option(kind)
        browser_page.get_by_role("button", name="Draw").click()
        expect(browser_page.locator("#chart svg")).to_be_visible()
    with browser_page.expect_download() as download:
        browser_page.get_by_role("link", name="CSV").click()
    assert Path(download.value.path()).read_text().startswith("day,n,name")
    browser_page.locator("#sql").fill("select wrong")
    browser_page.get_by_role("button", name="Run").click()
    expect(browser_page.get_by_role("alert")).to_contain_text("no such column")


def test_two_versions_are_compared(site, browser_page):
    site.login("viewer")
    browser_page.goto("models/flight_delays")
    browser_page.get_by_role("button", name="Compare").click()
    expect(browser_page.get_by_role("heading", name=re.compile("Version 2 and version 3"))).to_be_visible()


def test_a_user_starts_a_training_and_a_viewer_finds_no_button(site, browser_page):
    site.login("viewer")
    browser_page.goto("models/flight_delays")
    expect(browser_page.get_by_role("button", name="Train a new version")).to_have_count(0)
    site.login("user")
    browser_page.reload()
    browser_page.get_by_label("on the newest data").check()
    browser_page.get_by_role("button", name="Train a new version").click()
    expect(browser_page.get_by_text("Started")).to_be_visible()
    assert [dag for dag, _ in site.started] == ["flight_delays.train"]
    browser_page.goto("models/flight_delays/1")
    browser_page.get_by_label("a person still has to approve it").check()
    browser_page.get_by_role("button", name="Roll back to this version").click()
    expect(browser_page.get_by_role("alert")).to_contain_text("Airflow says no")
