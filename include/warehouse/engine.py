"""DuckDB with the lake attached to be read, and every other way out closed.

Extensions are files of installed packages (`duckdb-extension-*`): nothing is downloaded. Order matters: the lake is
attached, then files and network are closed but for the warehouse's own folder, then the configuration is locked.
https://duckdb.org/docs/stable/operations_manual/securing_duckdb/overview
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from include.foundation.errors import InvalidInput, ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duckdb import DuckDBPyConnection

EXTENSIONS = ("avro", "httpfs", "iceberg")
THREADS = 2


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """What DuckDB is told to reach the lake.

    Attributes:
        warehouse: the catalog's name for it.
        catalog: options of ATTACH.
        s3: options of the S3 secret.
        folders: where its tables' files lie, each with a slash at its end.
    """

    warehouse: str
    catalog: Mapping[str, str] = field(repr=False)
    s3: Mapping[str, str] = field(repr=False)
    folders: tuple[str, ...]


def attachment(properties: Mapping[str, str]) -> Attachment:
    """DuckDB's words for the properties of a pyiceberg catalog with S3's among them.

    Raises:
        InvalidInput: the catalog is no Iceberg REST catalog, or does not say where its tables lie.
    """
    if (kind := properties.get("type", "rest")) != "rest" or "uri" not in properties:
        raise InvalidInput(f"the lake's catalog is of type {kind}; DuckDB reads Iceberg REST catalogs alone")
    warehouse = properties.get("warehouse", "")
    folders = tuple(properties.get("locations", warehouse).split())
    if not folders or not all(re.fullmatch(r"s3a?://[^/*?]+(/[^*?]*)?", each) for each in folders):
        raise InvalidInput(
            f"the lake's catalog names its warehouse {warehouse[:80]!r}, which is no folder of S3: say `locations` "
            "(s3://bucket/folder, apart by spaces) beside it in the Connection `lake`"
        )
    client, _, secret = properties.get("credential", "").rpartition(":")
    catalog = {"ENDPOINT": properties["uri"]}
    if properties.get("rest.sigv4-enabled", "").lower() == "true":
        catalog["AUTHORIZATION_TYPE"] = "sigv4"
    elif token := properties.get("token"):
        catalog["TOKEN"] = token
    elif secret:
        catalog |= {"CLIENT_ID": client, "CLIENT_SECRET": secret}
        if server := properties.get("oauth2-server-uri"):
            catalog["OAUTH2_SERVER_URI"] = server
        if scope := properties.get("scope"):
            catalog["OAUTH2_SCOPE"] = scope
    else:
        catalog["AUTHORIZATION_TYPE"] = "none"
    scheme, _, host = properties.get("s3.endpoint", "").rpartition("://")
    s3 = {
        "KEY_ID": properties.get("s3.access-key-id", ""),
        "SECRET": properties.get("s3.secret-access-key", ""),
        "SESSION_TOKEN": properties.get("s3.session-token", ""),
        "REGION": properties.get("s3.region", ""),
        **({"ENDPOINT": host, "URL_STYLE": "path", "USE_SSL": str(scheme != "http").lower()} if host else {}),
    }
    return Attachment(
        # What looks like a remote file is attached as one.
        warehouse=warehouse.removeprefix("s3://"),
        catalog=catalog,
        s3={name: value for name, value in s3.items() if value},
        folders=tuple(f"{each.rstrip('/')}/" for each in folders),
    )


def empty() -> DuckDBPyConnection:
    """DuckDB in memory that loads nothing by itself."""
    import duckdb

    return duckdb.connect(
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
            "threads": THREADS,
        }
    )


def attach(connection: DuckDBPyConnection, to: Attachment, *, memory_mb: int) -> None:
    """Attach the lake, then close everything else for good.

    Raises:
        ServiceUnavailable: the catalog does not answer.
    """
    import duckdb

    for name in EXTENSIONS:
        connection.execute(f"LOAD {_text(str(extension(name)))}")
    connection.execute(f"CREATE SECRET (TYPE s3, {_options(to.s3)})" if to.s3 else "SELECT 1")
    try:
        connection.execute(f"ATTACH {_text(to.warehouse)} AS lake (TYPE iceberg, READ_ONLY, {_options(to.catalog)})")
    except duckdb.Error as error:
        raise ServiceUnavailable(f"the lake's catalog cannot be attached: {str(error)[:300]}") from error
    folders = ", ".join(map(_text, to.folders))
    for setting in (
        "TimeZone = 'UTC'",
        f"memory_limit = '{memory_mb}MiB'",
        "temp_directory = ''",
        "allow_community_extensions = false",
        f"allowed_directories = [{folders}]",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")


def extension(name: str) -> Path:
    """The file of an extension. Raises InvalidInput if its package is not installed."""
    found = find_spec(f"duckdb_extension_{name}")
    files = list(Path(found.origin).parent.rglob(f"{name}.duckdb_extension")) if found and found.origin else []
    if len(files) != 1:
        raise InvalidInput(f"DuckDB's extension {name} is not installed: it is the package duckdb-extension-{name}")
    return files[0]


def _options(said: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {_text(value)}" for name, value in said.items())


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
