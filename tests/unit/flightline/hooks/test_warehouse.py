"""Which engine a Connection means."""

import json

import pytest

from flightline.hooks.warehouse import WarehouseHook
from include.foundation.errors import InvalidInput


@pytest.mark.parametrize(
    ("connection", "engine"),
    [
        (None, "DuckDB"),
        ({"conn_type": "aws", "extra": {"region_name": "us-east-1", "output": "s3://answers/"}}, "Athena"),
        ({"conn_type": "trino", "host": "trino.example", "login": "someone"}, "Trino"),
    ],
)
def test_its_type_says_which(monkeypatch, connection, engine):
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", json.dumps({"conn_type": "aws"}))
    if connection:
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    assert WarehouseHook().get_conn().name == engine


def test_a_type_that_is_none_is_said(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "abacus"}))
    with pytest.raises(InvalidInput, match="abacus"):
        WarehouseHook().get_conn()
