"""The stand-ins of the sandbox, one by one and all together."""

import urllib.error
import urllib.request
from collections.abc import Callable

import boto3
import polars
import psycopg
import pyarrow
import pyarrow.fs
import pytest
from botocore.exceptions import ClientError
from pyarrow import parquet

pytestmark = pytest.mark.integration


def test_each_database_is_new_and_writable(postgres_database: Callable[[], str]) -> None:
    first, second = postgres_database(), postgres_database()
    with psycopg.connect(first) as connection:
        connection.execute("create table t as select 1 as x")
    with psycopg.connect(second) as connection:
        assert connection.execute("select to_regclass('t')").fetchone() == (None,)


def s3_client(s3, **changed: str):
    return boto3.client(
        "s3",
        endpoint_url=s3.endpoint,
        region_name=s3.region,
        aws_access_key_id=changed.get("access_key", s3.access_key),
        aws_secret_access_key=changed.get("secret_key", s3.secret_key),
    )


def test_s3_keeps_objects_and_honours_if_none_match(s3) -> None:
    client = s3_client(s3)
    assert {bucket["Name"] for bucket in client.list_buckets()["Buckets"]} >= {"landing", "lake", "models", "mlflow"}
    client.put_object(Bucket="landing", Key="a/ b+ü.csv", Body=b"1,2\n", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        client.put_object(Bucket="landing", Key="a/ b+ü.csv", Body=b"3,4\n", IfNoneMatch="*")
    assert client.get_object(Bucket="landing", Key="a/ b+ü.csv")["Body"].read() == b"1,2\n"


@pytest.mark.parametrize("changed", [{"secret_key": "wrong"}, {"access_key": "other"}])
def test_s3_refuses_other_keys(s3, changed) -> None:
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        s3_client(s3, **changed).list_buckets()


@pytest.mark.parametrize(("method", "path"), [("GET", "/landing"), ("POST", "/_ministack/reset")])
def test_s3_refuses_the_unsigned(s3, method, path) -> None:
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(urllib.request.Request(s3.endpoint + path, method=method))


def test_s3_takes_the_signatures_of_pyarrow_and_polars(s3) -> None:
    keys = {"access_key": s3.access_key, "secret_key": s3.secret_key, "region": s3.region}
    files = pyarrow.fs.S3FileSystem(endpoint_override=s3.endpoint, **keys)
    table = pyarrow.table({"x": range(100_000)})
    parquet.write_table(table, "lake/some where/é=1/f.parquet", filesystem=files)
    options = {
        "aws_endpoint_url": s3.endpoint,
        "aws_access_key_id": s3.access_key,
        "aws_secret_access_key": s3.secret_key,
        "aws_region": s3.region,
        "aws_allow_http": "true",
    }
    assert polars.read_parquet("s3://lake/some where/é=1/f.parquet", storage_options=options).to_arrow() == table


def test_lake_opens_on_them(lake) -> None:
    lake.catalog().create_namespace_if_not_exists("bronze")
    assert ("bronze",) in lake.catalog().list_namespaces()
