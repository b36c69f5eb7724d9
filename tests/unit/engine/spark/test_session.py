"""The lake's Connection in Spark's words."""

import re

import pytest

from include.engine.spark.session import settings
from include.foundation.errors import InvalidInput
from include.foundation.lake import S3, Lake

REST = {"type": "rest", "uri": "http://c:1", "warehouse": "s3://lake", "credential": "key:word", "s3.endpoint": "x"}


def lake(properties, s3=None):
    return Lake(catalog_properties=properties, s3=s3, landing="s3://landing", models="s3://models")


def test_a_rest_catalog_and_an_s3_of_one_s_own():
    said = settings(lake(REST, S3(endpoint="http://s:2", region="r", access_key="a", secret_key="b")))
    catalog = {name.removeprefix("spark.sql.catalog.lake"): value for name, value in said.items() if "catalog" in name}
    assert catalog.pop("") == "org.apache.iceberg.spark.SparkCatalog"
    assert {catalog[f".{name}"] for name in ("type", "uri", "warehouse", "credential")} == {
        *("rest", "http://c:1", "s3://lake", "key:word")
    }
    assert ".s3.endpoint" not in catalog
    assert said["spark.hadoop.fs.s3a.endpoint"] == "http://s:2"
    assert said["spark.hadoop.fs.s3a.connection.ssl.enabled"] == "false"


def test_aws_s_own_defaults_where_nothing_is_said():
    said = settings(lake({"type": "glue"}))
    assert said["spark.sql.catalog.lake.type"] == "glue"
    assert not any("s3a.access" in name or "s3a.endpoint" in name for name in said)


def test_a_catalog_that_spark_does_not_reach_is_refused():
    with pytest.raises(InvalidInput, match="does not reach a catalog of type 'sql'"):
        settings(lake({"type": "sql", "uri": "sqlite://"}))


def test_spark_s_pages_hide_secrets():
    hidden = re.compile(settings(lake(REST))["spark.redaction.regex"])
    for name in (
        "spark.hadoop.fs.s3a.secret.key",
        "spark.hadoop.fs.s3a.access.key",
        "spark.sql.catalog.lake.credential",
    ):
        assert hidden.search(name)
