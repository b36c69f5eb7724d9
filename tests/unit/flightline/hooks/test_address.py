import pytest
from airflow.sdk import Connection

from flightline.hooks.address import base_url


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"host": "127.0.0.1", "port": 8081}, "http://127.0.0.1:8081"),
        ({"host": "mlflow.example", "schema": "https"}, "https://mlflow.example"),
        ({"host": "https://mlflow.example/", "schema": "http", "port": 8443}, "https://mlflow.example:8443"),
        ({"host": "https://tools.example/mlflow/", "port": 8443}, "https://tools.example:8443/mlflow"),
        ({"host": "tools.example/mlflow"}, "http://tools.example/mlflow"),
    ],
)
def test_base_url(fields, url):
    assert base_url(Connection(conn_id="c", conn_type="http", **fields)) == url


def test_the_default_schema_is_the_callers():
    assert base_url(Connection(conn_id="c", conn_type="http", host="argocd.example"), schema="https").startswith(
        "https:"
    )
