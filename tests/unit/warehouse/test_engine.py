"""A catalog's properties in DuckDB's words."""

import pytest

from include.foundation.errors import InvalidInput
from include.warehouse import engine

REST = {
    "type": "rest",
    "uri": "http://127.0.0.1:8181",
    "warehouse": "s3://lake",
    "credential": "key:it's",
    "oauth2-server-uri": "http://127.0.0.1:8181/v1/oauth/tokens",
    "s3.endpoint": "http://127.0.0.1:9000",
    "s3.access-key-id": "key",
    "s3.secret-access-key": "secret",
    "s3.region": "us-east-1",
}


def test_a_rest_catalog_with_keys():
    found = engine.attachment(REST)
    assert (found.warehouse, found.folders) == ("lake", ("s3://lake/",))
    assert found.catalog["CLIENT_SECRET"] == "it's"
    assert found.s3 == {
        "KEY_ID": "key",
        "SECRET": "secret",
        "REGION": "us-east-1",
        "ENDPOINT": "127.0.0.1:9000",
        "URL_STYLE": "path",
        "USE_SSL": "false",
    }
    assert "secret" not in repr(found)


def test_how_it_identifies_itself():
    plain = {name: value for name, value in REST.items() if name not in ("credential", "oauth2-server-uri")}
    assert engine.attachment(plain).catalog["AUTHORIZATION_TYPE"] == "none"
    assert engine.attachment({**plain, "token": "t"}).catalog["TOKEN"] == "t"
    assert engine.attachment({**plain, "rest.sigv4-enabled": "true"}).catalog["AUTHORIZATION_TYPE"] == "sigv4"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"type": "glue"}, "REST catalogs alone"),
        ({"warehouse": "production"}, "say `locations`"),
        ({"warehouse": "s3://*"}, "say `locations`"),
        ({"warehouse": "file:///"}, "say `locations`"),
    ],
)
def test_what_it_cannot_read_is_said(change, says):
    with pytest.raises(InvalidInput, match=says):
        engine.attachment({**REST, **change})


def test_a_warehouse_with_a_name_says_where_its_tables_lie():
    found = engine.attachment({**REST, "warehouse": "production", "locations": "s3://a/tables s3://b/"})
    assert (found.warehouse, found.folders) == ("production", ("s3://a/tables/", "s3://b/"))


def test_the_extensions_are_files_of_packages():
    assert [engine.extension(name).is_file() for name in engine.EXTENSIONS] == [True] * 3
    with pytest.raises(InvalidInput, match="is the package duckdb-extension-none"):
        engine.extension("none")
