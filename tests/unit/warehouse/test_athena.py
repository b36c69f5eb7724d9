"""Athena, by AWS's API as moto plays it."""

from datetime import date

import boto3
import polars as pl
import pytest
from botocore.config import Config
from moto import mock_aws
from moto.athena.models import QueryResults, athena_backends
from moto.core import DEFAULT_ACCOUNT_ID

from include.foundation.errors import InvalidInput, ServiceUnavailable
from include.warehouse import Limits, Question
from include.warehouse.athena import AthenaWarehouse

SQL = "select event_date, count(*)::bigint as n from silver.flights group by 1"
COLUMNS = [{"Name": "event_date", "Type": "date"}, {"Name": "n", "Type": "bigint"}]


def line(*values: str | None) -> dict:
    return {"Data": [{} if value is None else {"VarCharValue": value} for value in values]}


@pytest.fixture
def athena(monkeypatch):
    monkeypatch.setattr("include.warehouse.athena.POLL_SECONDS", 0.01)
    with mock_aws():
        client = boto3.client("athena", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
        backend = athena_backends[DEFAULT_ACCOUNT_ID]["us-east-1"]
        yield AthenaWarehouse(client, output="s3://answers/"), backend


def finish(backend):
    """What the next query comes to."""
    backend.query_results_queue.append(
        QueryResults([line("event_date", "n"), line("2013-01-01", "7"), line(None, "8")], COLUMNS)
    )


def test_the_answer_has_types_and_no_header(athena):
    warehouse, backend = athena
    finish(backend)
    answer = warehouse.start(Question(sql=SQL)).answer()
    assert pl.DataFrame(pl.from_arrow(answer.rows)).rows() == [(date(2013, 1, 1), 7), (None, 8)]
    assert (answer.cut, answer.tables) == (False, ("silver.flights",))
    (execution,) = backend.executions.values()
    assert execution.query == (
        'SELECT event_date, CAST(COUNT(*) AS BIGINT) AS n FROM "AwsDataCatalog".silver.flights GROUP BY 1'
    )
    assert execution.config["OutputLocation"].startswith("s3://answers/")


def test_more_rows_than_the_limit_are_cut_and_said(athena):
    warehouse, backend = athena
    finish(backend)
    answer = warehouse.start(Question(sql=SQL, limits=Limits(rows=1))).answer()
    assert (answer.rows.num_rows, answer.cut) == (1, True)


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        ({"State": "FAILED", "StateChangeReason": "COLUMN_NOT_FOUND: line 1"}, InvalidInput, "COLUMN_NOT_FOUND"),
        ({"State": "FAILED", "AthenaError": {"ErrorCategory": 1}}, ServiceUnavailable, "Athena says"),
        ({"State": "CANCELLED"}, InvalidInput, "cancelled"),
        ({"State": "RUNNING"}, InvalidInput, "took more than"),
    ],
)
def test_what_goes_wrong_is_said(athena, monkeypatch, status, kind, said):
    running = athena[0].start(Question(sql=SQL, limits=Limits(seconds=0.05)))
    stopped = []
    monkeypatch.setattr(running, "_status", lambda: status)
    monkeypatch.setattr(running, "cancel", lambda: stopped.append(1))
    with pytest.raises(kind, match=said):
        running.answer()
    assert bool(stopped) == (status["State"] == "RUNNING")


def test_a_wrong_workgroup_is_final_and_an_absent_aws_is_not(athena):
    away = boto3.client(
        "athena",
        "us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        endpoint_url="http://127.0.0.1:1",
        config=Config(retries={"max_attempts": 0}, connect_timeout=1),
    )
    with pytest.raises(ServiceUnavailable, match="does not answer"):
        AthenaWarehouse(away).start(Question(sql=SQL))
    with pytest.raises(InvalidInput, match="that you may query"):
        athena[0].start(Question(sql=SQL, readable=set()))
