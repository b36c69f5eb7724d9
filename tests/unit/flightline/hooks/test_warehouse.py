"""Which engine a Connection means."""

import json

import pytest

from flightline.hooks.warehouse import WarehouseHook
from include.foundation.errors import InvalidInput
from include.warehouse.duck import DuckWarehouse


def test_without_a_connection_it_is_duckdb_on_the_lake(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", json.dumps({"conn_type": "aws"}))
    assert isinstance(WarehouseHook().get_conn(), DuckWarehouse)


def test_an_engine_that_is_none_is_said(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "aws", "extra": {"engine": "abacus"}}))
    with pytest.raises(InvalidInput, match="abacus"):
        WarehouseHook().get_conn()
