"""The URL that a Connection of type `http` means."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import Connection


def base_url(connection: "Connection", *, schema: str = "http") -> str:
    """The server's URL without a trailing slash.

    Args:
        connection: the host may bring a schema and a path along (`https://host/mlflow`); the field `schema` comes next.
        schema: what holds where neither says it.
    """
    given, _, host = (connection.host or "").rpartition("://")
    name, slash, path = host.rstrip("/").partition("/")
    port = f":{connection.port}" if connection.port else ""
    return f"{given or connection.schema or schema}://{name}{port}{slash}{path}"
