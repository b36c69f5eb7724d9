"""The command line of ingest and features."""

import json
from types import SimpleNamespace

import pytest

from include.foundation import jobs
from include.foundation.errors import BudgetExceeded, ServiceUnavailable
from include.steps import data

INGEST = ["ingest", "flight_delays", "--days", "2013-01-01..2013-01-03", "--run-id", "r"]


@pytest.fixture
def lake(monkeypatch):
    kept = {}
    made = SimpleNamespace(objects=lambda: SimpleNamespace(put=lambda uri, body: kept.update({uri: json.loads(body)})))
    monkeypatch.setattr(data.Lake, "from_env", lambda: made)
    return kept


def test_the_spec_s_engine_or_the_one_that_is_asked_for(monkeypatch, capsys, lake):
    monkeypatch.setattr(data, "run", lambda _, spec, options: spec.engine.name)
    assert (data.main(INGEST), data.main([*INGEST, "--engine", "spark"])) == (0, 0)
    assert capsys.readouterr().out.splitlines() == ['"polars"', '"spark"']


def test_the_answer_is_recorded_where_a_job_is_asked_to(monkeypatch, lake):
    monkeypatch.setattr(data, "run", lambda *_: [1])
    monkeypatch.setenv(jobs.RESULT, "s3://models/_jobs/k.json")
    assert data.main(INGEST) == 0
    assert lake == {"s3://models/_jobs/k.json": {"answer": [1]}}


@pytest.mark.parametrize(("error", "code"), [(BudgetExceeded("too many"), 65), (ServiceUnavailable("away"), 1)])
def test_the_exit_code_says_whether_a_retry_can_help(monkeypatch, capsys, lake, error, code):
    def fails(*_):
        raise error

    monkeypatch.setattr(data, "run", fails)
    assert data.main(INGEST) == code
    assert str(error) in capsys.readouterr().err
