"""Every page: who may see it, what it says when something is wrong, and that nothing of what it shows is markup."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from flightline.ui import lookups, menu
from include.foundation.errors import ServiceUnavailable
from tests.unit.flightline.ui.conftest import EVIL
from tests.unit.flightline.ui.test_query import asked

__all__ = ["asked"]
PAGES = (
    "",
    "loops",
    "data",
    "data/found",
    "data/silver.flight_delays__weather",
    "data/silver.flight_delays__weather/sample",
    "data/quarantine.flight_delays__weather",
    "data/quarantine.flight_delays__weather/failed",
    "data/gold.flight_delays",
    "models",
    "models/flight_delays",
    "models/flight_delays/2",
    "models/flight_delays/3",
    "models/flight_delays/compare?a=1&b=2",
    "query",
    "endpoints",
    "query?table=silver.flight_delays__weather&snapshot=5",
)


@pytest.mark.parametrize("path", PAGES)
def test_a_viewer_sees_it_and_it_is_safe(site, path):
    answer = site.login("viewer").get(path)
    assert answer.status_code == 200, answer.text
    assert EVIL not in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "<script>" not in answer.text


@pytest.mark.parametrize("path", PAGES)
def test_nobody_sees_it_without_a_login_or_right(site, path):
    assert site.get(path).status_code == 401
    assert site.login("nobody").get(path).status_code == 403


@pytest.mark.parametrize(
    "path", ["models/flight_delays/train", "models/flight_delays/2/promote", "query", "query/cancel"]
)
def test_nothing_is_posted_without_a_login_a_right_or_a_token(site, path):
    assert site.post(path).status_code == 401
    assert site.login("nobody").post(path).status_code == 403
    fields = {"sure": "true", "sql": "select 1", "id": "0" * 32}
    assert site.login("admin").post(path, **fields).status_code == 403
    assert site.post(path, token="forged", **fields).status_code == 403
    theirs = site.login("user").token()
    assert site.login("admin").post(path, token=theirs, **fields).status_code == 403
    mine = site.token()
    assert site.post(path, token=mine, headers={"Sec-Fetch-Site": "cross-site"}, **fields).status_code == 403
    assert site.started == []


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("data/nowhere.t", 404, "there is no table"),
        ("data/other.t", 404, "there is no table"),
        ("data/<img src=x onerror=alert(1)>", 404, "there is no table"),
        ("data/..%2f..%2fetc%2fpasswd", 404, "Not"),
        ("data/silver.flight_delays__weather/failed", 404, "is no quarantine"),
        ("data/gold.flight_delays/sample", 404, "does not exist"),
        ("data?q=" + "x" * 300, 422, "at most 200"),
        ("models/nothing", 404, "there is no use case"),
        ("models/flight_delays/99", 404, "has no version"),
        ("models/flight_delays/abc", 422, "pattern"),
        ("models/flight_delays/compare?a=1&b=x", 422, "pattern"),
        ("query?snapshot=1;drop", 422, "pattern"),
        ("query/answer?id=" + "0" * 32, 404, "not kept any more"),
        ("query/answer?id=x", 422, "pattern"),
        ("nothing/here", 404, "Not"),
    ],
)
def test_what_is_tampered_with_or_not_there_is_said_in_words(site, path, status, says):
    answer = site.login("viewer").get(path)
    assert (answer.status_code, says in answer.text) == (status, True), answer.text
    assert "Traceback" not in answer.text
    assert EVIL not in answer.text
    assert len(answer.text) < 5_000


def test_an_mlflow_that_is_down_is_said_and_the_rest_is_shown(site, monkeypatch):
    def down(_):
        raise ServiceUnavailable("MLflow does not answer")

    monkeypatch.setattr(lookups, "versions", down)
    home = site.login("viewer").get("")
    assert (home.status_code, "MLflow does not answer" in home.text, "holds no day yet" in home.text) == (
        200,
        True,
        True,
    )
    assert site.get("models/flight_delays").status_code == 503


def test_what_fails_unforeseen_tells_nothing_of_itself(site, monkeypatch, caplog):
    monkeypatch.setattr(lookups, "versions", lambda _: 1 / 0)
    answer = site.login("viewer").get("models/flight_delays")
    assert (answer.status_code, "division" in answer.text) == (500, False)
    assert "the log of the api-server has the reason" in answer.text


def test_a_part_of_a_page_is_told_in_a_part(site):
    answer = site.login("viewer").client.get("/flightline/data/nowhere.t", headers={"HX-Request": "true"})
    assert answer.text.startswith('<p class="warning"')


def test_style_and_scripts_come_with_the_app(site):
    for name in ("style.css", "pages.js", "theme.js", "icon.svg", "icon-dark.svg", "htmx-2.0.4.min.js"):
        assert site.get(f"static/{name}").status_code == 200
    assert "http" not in site.login("viewer").get("query").text.replace("htmx", "").replace("http-equiv", "")


def test_the_entry_is_in_the_menu():
    (first, *_) = menu.VIEWS
    assert (first["destination"], first["url_route"], first["href"]) == ("nav", "flightline", "flightline/")


OPERATIONS = {
    f"{operation.method} {operation.path}": operation
    for operation in (
        found.ok() for found in schemathesis.openapi.from_dict(menu._pages().openapi()).get_all_operations()
    )
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_whatever_is_asked_is_answered_in_words(site, asked, name):
    """By Schemathesis: what the app's description allows, and what it does not."""
    site.login("admin")
    token = site.token()
    operation, modes = OPERATIONS[name], (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)

    @settings(max_examples=8, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=st.one_of(operation.as_strategy(generation_mode=mode) for mode in modes))
    def ask(case):
        if isinstance(case.body, dict) and "token" in case.body:
            case.body["token"] = token
        sent = case.as_transport_kwargs(base_url="http://testserver/flightline")
        answer = site.client.request(**sent)
        assert answer.status_code not in {500, 501, 502}, answer.text[:500]
        assert "Traceback" not in answer.text

    ask()
