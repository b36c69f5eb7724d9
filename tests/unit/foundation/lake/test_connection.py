import subprocess
import sys

import pytest

from include.foundation.lake import S3, Lake

ENVIRON = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "hidden-secret",
    "PYICEBERG_CATALOG__LAKE__TYPE": "sql",
    "PYICEBERG_CATALOG__LAKE__URI": "postgresql+psycopg2://u:hidden-password@h/lake",
    "PYICEBERG_CATALOG__LAKE__S3__CONNECT_TIMEOUT": "3",
    "PYICEBERG_CATALOG__OTHER__URI": "x",
    "FLIGHTLINE_LANDING": "s3://landing",
    "FLIGHTLINE_MODELS": "s3://models",
}


def test_from_env_reads_pyicebergs_own_names() -> None:
    lake = Lake.from_env(ENVIRON)
    assert lake.catalog_properties == {
        "type": "sql",
        "uri": "postgresql+psycopg2://u:hidden-password@h/lake",
        "s3.connect-timeout": "3",
    }
    assert lake.s3 == S3(
        endpoint="http://127.0.0.1:1", region="us-east-1", access_key="key", secret_key="hidden-secret"
    )
    assert (lake.landing, lake.models) == ("s3://landing", "s3://models")


def test_env_makes_the_same_lake_again() -> None:
    lake = Lake.from_env(ENVIRON)
    assert Lake.from_env(lake.env()) == lake
    assert lake.env() == {name: value for name, value in ENVIRON.items() if "OTHER" not in name}


def test_without_aws_variables_and_with_temporary_keys_boto_searches_itself() -> None:
    bare = {name: value for name, value in ENVIRON.items() if not name.startswith("AWS_")}
    assert Lake.from_env(bare).s3 is None
    assert Lake.from_env({**ENVIRON, "AWS_SESSION_TOKEN": "t"}).s3 is None


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(KeyError, match="FLIGHTLINE_LANDING"):
        Lake.from_env({})


def test_no_secret_in_repr() -> None:
    assert "hidden" not in repr(Lake.from_env(ENVIRON))


def test_importing_the_package_costs_no_library() -> None:
    code = "import sys, include.foundation.lake; print({'boto3', 'pyiceberg', 'polars', 'pyarrow'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
