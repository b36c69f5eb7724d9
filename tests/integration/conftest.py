"""Services that only integration tests need, and Airflow's pages in a real browser."""

import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.parse import unquote

import pytest
from playwright.sync_api import Browser, Error, Locator, Page, expect, sync_playwright

from sandbox.airflow.config import USER
from sandbox.endpoints import Endpoints
from sandbox.supervisor.service import REPO, Service, answers, free_ports, python, running

PATIENCE_MS = 120_000  # machines that other work slows down
SCREENSHOTS = REPO / ".pytest_cache" / "screenshots"
expect.set_options(timeout=PATIENCE_MS)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Keep what the browser shows when a test fails."""
    report = yield
    if report.failed and (pages := getattr(item, "funcargs", {}).get("pages")):
        path = SCREENSHOTS / f"{re.sub(r'[^a-z0-9]+', '-', item.name.lower())}.png"
        with suppress(Error):
            pages.page.screenshot(path=path)
        report.sections.append(("browser", f"{pages.page.url}, see {path}"))
    return report


@pytest.fixture(scope="session")
def mlflow_url(service_home: Path, s3) -> Iterator[str]:
    """A running MLflow server, artifacts in S3."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    options = (
        *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{service_home}/mlflow.db", "--artifacts-destination", "s3://mlflow"),
    )
    service = Service(
        name="mlflow",
        command=(str(python("dev")), "-m", "mlflow", "server", *options),
        env={
            **s3.env(),
            "MLFLOW_S3_ENDPOINT_URL": s3.endpoint,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        },
        ready=partial(answers, f"{url}/health"),
    )
    with running(service, log=service_home / "mlflow.log", timeout_seconds=180):
        yield url


@pytest.fixture(scope="module")
def tuning_env(postgres_database, service_home: Path) -> Iterator[dict[str, str]]:
    """The tuning service, as its clients find it."""
    (port,) = free_ports(1)
    url, token, file = f"http://127.0.0.1:{port}", secrets.token_hex(16), service_home / "tuning.token"
    file.write_text(token)
    options = ("--host", "127.0.0.1", "--port", str(port), "--dsn", postgres_database(), "--token-file", str(file))
    service = Service(
        name="tuning",
        command=(str(python("tuning")), "-m", "include.services.tuning", *options),
        env={"PYTHONPATH": str(REPO)},
        ready=partial(answers, f"{url}/healthz"),
    )
    with running(service, log=service_home / "tuning.log", timeout_seconds=120):
        yield {"SIGOPT_API_URL": url, "SIGOPT_API_TOKEN": token}


class Pages:
    """A browser that is logged in. Everything is asked of what is seen, nothing of the API."""

    def __init__(self, browser: Browser, at: Endpoints) -> None:
        self.at = at
        window = {"viewport": {"width": 1400, "height": 1200}, "locale": "en-US", "timezone_id": "UTC"}
        self.context = browser.new_context(base_url=at.url("airflow"), **window)
        self.context.set_default_timeout(PATIENCE_MS)
        self.page = self.context.new_page()
        self.page.goto("/")
        self.page.locator("input[name=username]").fill(USER)
        self.page.locator("input[type=password]").fill(at.secrets.airflow_password)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_test_id("nav-home-link")).to_be_visible()

    def form(self, dag_id: str, *, asks: bool = True) -> Locator:
        """The trigger form of a Dag, opened; one that asks for nothing has a button alone."""
        self.page.goto(f"/dags/{dag_id}")
        self.page.get_by_test_id("trigger-dag-button").click()
        form = self.page.locator("[role=dialog][data-state=open]").filter(has_text=f"Trigger Dag - {dag_id}")
        button = form.get_by_role("button", name="Trigger", exact=True)
        expect(form.get_by_text("Run Parameters") if asks else button).to_be_visible()
        return form

    def values(self, form: Locator) -> dict[str, str]:
        """What the form's fields hold."""
        fields = form.locator("[name^=element_]").all()
        return {str(each.get_attribute("name")).removeprefix("element_"): each.input_value() for each in fields}

    def trigger(self, form: Locator, **fields: str | bool) -> str:
        """Fill fields of the form and press its button; the id of the run to whose page that leads."""
        for name, value in fields.items():
            field = form.locator(f"[name=element_{name}]")
            if value is True:
                field.locator("xpath=ancestor::label[1]").click()  # the box itself is drawn over
            else:
                field.fill(value)
                expect(field).to_have_value(value)
        form.get_by_role("button", name="Trigger", exact=True).click()
        self.page.wait_for_url("**/runs/*")
        run_id = unquote(self.page.url.rpartition("/runs/")[2])
        self.leave()
        return run_id

    def run(self, dag_id: str, run_id: str) -> Locator:
        """The page of a run."""
        self.page.goto(f"/dags/{dag_id}/runs/{run_id}")
        return self.page.locator("body")

    def question(self, dag_id: str, run_id: str, task_id: str) -> str:
        """The text of the page on which a task asks a person."""
        self.page.goto(f"/dags/{dag_id}/runs/{run_id}/tasks/{task_id}/required_actions")
        expect(self.page.get_by_role("button", name="Reject", exact=True)).to_be_enabled()
        return self.page.locator("body").inner_text()

    def linked(self, dag_id: str, run_id: str, task_id: str, name: str) -> Page:
        """The page to which a button of a task leads."""
        self.page.goto(f"/dags/{dag_id}/runs/{run_id}/tasks/{task_id}/details")
        with self.context.expect_page() as opened:
            self.page.locator("a[target=_blank]").filter(has_text=name).first.click()
        return opened.value

    def answer(self, option: str) -> None:
        """Press a button of the question."""
        with self.page.expect_response(lambda each: each.request.method == "PATCH" and "hitlDetails" in each.url):
            self.page.get_by_role("button", name=option, exact=True).click()
        self.leave()

    def leave(self) -> None:
        """Go to an empty page: one of a run that goes on draws itself again and again, for a third of a core."""
        self.page.goto("about:blank")


@pytest.fixture(scope="module")
def pages(sandbox) -> Iterator[Pages]:
    """Debian's chromium without a window, at the module's Airflow."""
    chromium = shutil.which("chromium")
    assert chromium, "there is no chromium: make setup-dev installs it"
    with sync_playwright() as playwright:
        # Chromium's own sandbox refuses to run as root.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            yield Pages(browser, sandbox.endpoints)
        finally:
            browser.close()
