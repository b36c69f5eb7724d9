"""Query: what is asked, whose answer it is, charts and files."""

import io
import re
from datetime import date

import polars as pl
import pytest

from flightline.hooks.warehouse import WarehouseHook
from flightline.ui import query
from include.foundation.errors import InvalidInput
from include.warehouse import Answer

ROWS = pl.DataFrame({"day": [date(2013, 1, 1), date(2013, 1, 2)], "n": [1.5, 2.5], "name": ["<b>", None]})


class Running:
    def __init__(self, question) -> None:
        self.question, self.cancelled = question, False

    def answer(self) -> Answer:
        if "broken" in self.question.sql:
            raise RuntimeError("foreseen by nobody")
        if self.cancelled or "wrong" in self.question.sql:
            raise InvalidInput("it was cancelled" if self.cancelled else "no such column")
        return Answer(rows=ROWS.to_arrow(), cut=True, seconds=0.5, tables=())

    def cancel(self) -> None:
        self.cancelled = True


@pytest.fixture
def asked(site, monkeypatch):
    """Questions that were started."""
    started = []

    class Warehouse:
        def start(self, question):
            started.append(Running(question))
            return started[-1]

    monkeypatch.setattr(WarehouseHook, "get_conn", lambda _: Warehouse())
    monkeypatch.setattr(query, "desk", query.Desk())
    return started


def ask(site, sql="select 1", **fields):
    answer = site.post("query", token=site.token(), sql=sql, **fields)
    found = re.search(r"query/answer\?id=([0-9a-f]{32})", answer.text)
    return answer, found.group(1) if found else ""


def test_an_answer_is_a_table_a_chart_and_files(site, asked):
    _, number = ask(site.login("viewer"), at="2013-01-31")
    assert asked[0].question.readable == [
        *(f"{layer}.flight_delays__weather" for layer in ("bronze", "silver", "quarantine")),
        "monitoring.flight_delays",
    ]
    assert asked[0].question.at.day == 31
    page = site.get("query/answer", id=number).text
    assert "2 rows in 0.50 s; there are more: the answer is cut off" in page
    assert "<option>bar</option>" in page, "a line over days comes first"
    assert "&lt;b&gt;" in page
    for kind in ("line", "bar", "scatter", "histogram"):
        chart = site.get("query/chart", id=number, kind=kind, x="day", y="n")
        assert (chart.status_code, chart.text.count("<svg")) == (200, 1), chart.text
    assert site.get("query/file", id=number, form="csv").text.splitlines()[0] == "day,n,name"
    parquet = site.get("query/file", id=number, form="parquet")
    assert pl.read_parquet(io.BytesIO(parquet.content)).equals(ROWS)
    assert "attachment" in parquet.headers["content-disposition"]


def test_the_chart_that_is_offered_first_can_be_drawn(site, asked):
    _, number = ask(site.login("viewer"))
    asked[-1].answer = lambda: Answer(rows=ROWS.select("name", "n").to_arrow(), cut=False, seconds=0.5, tables=())
    assert "<option selected>bar</option>" in site.get("query/answer", id=number).text
    chart = site.get("query/chart", id=number, kind="bar", x="name", y="n")
    assert (chart.status_code, chart.text.count("<svg")) == (200, 1), chart.text


def test_an_answer_is_of_who_asked(site, asked):
    _, number = ask(site.login("viewer"))
    assert site.login("admin").get("query/answer", id=number).status_code == 404
    assert site.post("query/cancel", token=site.token(), id=number).status_code == 404


def test_one_question_at_a_time(site, asked, monkeypatch):
    ask(site.login("viewer"))
    answer, _ = ask(site)
    assert "your last question still runs" in answer.text
    monkeypatch.setattr(query, "AT_ONCE", 1)
    answer, _ = ask(site.login("user"))
    assert "others ask just now" in answer.text


def test_a_question_that_nobody_came_for_holds_no_place_when_its_time_is_over(site, asked, monkeypatch):
    monkeypatch.setattr(query, "AT_ONCE", 1)
    monkeypatch.setattr(query, "SLACK_SECONDS", -query.LIMITS.seconds - 1)
    for name in ("viewer", "viewer", "user"):
        answer, number = ask(site.login(name))
        assert number, answer.text
    assert [each.cancelled for each in asked] == [True, True, False]
    asked[-1].cancel = lambda: 1 / 0
    assert ask(site.login("admin"))[1], "an engine that ends nothing stops nobody"


def test_a_cancelled_or_broken_question_holds_no_place(site, asked):
    _, number = ask(site.login("viewer"))
    site.post("query/cancel", token=site.token(), id=number)
    _, number = ask(site, sql="select broken")
    assert site.get("query/answer", id=number).status_code == 500
    assert asked[-1].cancelled, "it may run on where it runs"
    assert ask(site)[1]


def test_old_answers_make_room_and_what_runs_stays(site, asked, monkeypatch):
    monkeypatch.setattr(query, "KEPT", 1)
    _, running = ask(site.login("viewer"))
    site.login("user")
    numbers = []
    for _ in range(3):
        numbers.append(ask(site)[1])
        assert site.get("query/answer", id=numbers[-1]).status_code == 200
    assert site.get("query/answer", id=numbers[0]).status_code == 404
    assert site.get("query/answer", id=numbers[-1]).status_code == 200
    assert site.login("viewer").get("query/answer", id=running).status_code == 200
    assert not any(each.cancelled for each in asked)


def test_only_what_runs_can_be_cancelled(site, asked):
    asking, _ = ask(site.login("viewer"))
    # The answer takes the place of the first element, whole: what lies in it goes with it.
    replaced, after = asking.text.strip().rsplit("</div>", 1)
    assert "query/cancel" in replaced
    assert after == ""
    assert replaced.count("<div") == 1


def test_it_can_be_cancelled_and_a_wrong_one_says_so(site, asked):
    _, number = ask(site.login("viewer"))
    assert site.post("query/cancel", token=site.token(), id=number).status_code == 204
    assert "it was cancelled" in site.get("query/answer", id=number).text
    _, number = ask(site, sql="select wrong")
    answer = site.get("query/answer", id=number)
    assert (answer.status_code, "no such column" in answer.text) == (400, True)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"at": "never"}, 400),
        ({"snapshot": "x"}, 422),
        ({"at": "2013-01-01", "snapshot": "5"}, 400),
        ({"sql": "x" * 20_001}, 422),
    ],
)
def test_what_cannot_be_asked_is_said(site, asked, fields, status):
    answer, _ = ask(site.login("viewer"), **fields)
    assert (answer.status_code, asked) == (status, [])


def test_charts_of_what_is_not_there_or_no_number(site, asked):
    _, number = ask(site.login("viewer"))
    for x, y in (("day", "nothing"), ("nothing", "n"), ("day", "name"), ("name", "n")):
        assert site.get("query/chart", id=number, kind="line", x=x, y=y).status_code == 400
    assert site.get("query/chart", id=number, kind="pie", x="day", y="n").status_code == 422
