"""The stand-ins of the sandbox, one by one and all together."""

from collections.abc import Callable

import psycopg
import pytest

pytestmark = pytest.mark.integration


def test_each_database_is_new_and_writable(postgres_database: Callable[[], str]) -> None:
    first, second = postgres_database(), postgres_database()
    with psycopg.connect(first) as connection:
        connection.execute("create table t as select 1 as x")
    with psycopg.connect(second) as connection:
        assert connection.execute("select to_regclass('t')").fetchone() == (None,)


def test_s3_keeps_objects_and_honours_if_none_match(s3) -> None:
    import boto3
    from botocore.exceptions import ClientError

    client = boto3.client(
        "s3",
        endpoint_url=s3.endpoint,
        region_name=s3.region,
        aws_access_key_id=s3.access_key,
        aws_secret_access_key=s3.secret_key,
    )
    assert {bucket["Name"] for bucket in client.list_buckets()["Buckets"]} >= {"landing", "lake", "models", "mlflow"}
    client.put_object(Bucket="landing", Key="a/ b+ü.csv", Body=b"1,2\n", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        client.put_object(Bucket="landing", Key="a/ b+ü.csv", Body=b"3,4\n", IfNoneMatch="*")
    assert client.get_object(Bucket="landing", Key="a/ b+ü.csv")["Body"].read() == b"1,2\n"


def test_lake_opens_on_them(lake) -> None:
    lake.catalog().create_namespace_if_not_exists("bronze")
    assert ("bronze",) in lake.catalog().list_namespaces()
