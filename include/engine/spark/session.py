"""The Spark session, with the lake as its catalog `lake`.

Where Spark runs (master, executors, memory) is Spark's own configuration: `spark-submit`, `SPARK_CONF_DIR`, or the
operator that starts the driver. The jars of Iceberg and S3A are on Spark's class path: the environment's installation
puts them there.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from include.foundation.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import SparkSession

    from include.foundation.lake import Lake

CATALOG = "lake"
KINDS = ("rest", "glue")
# pyiceberg's words for a REST catalog that Iceberg for Java has too, under the same names or these.
SHARED = ("uri", "warehouse", "credential", "token", "scope", "prefix", "oauth2-server-uri", "rest.sigv4-enabled")
ROOT = Path(__file__).parents[3]


def session(lake: Lake) -> SparkSession:
    """The session of this process; made at the first call.

    Raises:
        InvalidInput: the lake's catalog is of a kind that Spark does not reach, or pyspark is not installed.
    """
    if find_spec("pyspark") is None:
        raise InvalidInput("engine spark: this environment has no pyspark: run it in the image flightline/spark")
    from pyspark.sql import SparkSession

    # Executors run in the driver's image, or on its machine; PySpark would take whatever `python3` is there.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("flightline")
    for name, value in settings(lake).items():
        builder = builder.config(name, value)
    found = builder.getOrCreate()
    found.sparkContext.setLogLevel("ERROR")
    return found


def settings(lake: Lake) -> dict[str, str]:
    """Spark's settings for the lake. Secrets are among them: Spark hides those it knows by name in its pages."""
    said = {
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "10000",
        "spark.executorEnv.PYTHONPATH": os.pathsep.join([str(ROOT), *os.environ.get("PYTHONPATH", "").split(":")]),
        # A task has one core; polars would take all of the machine's.
        "spark.executorEnv.POLARS_MAX_THREADS": "1",
        "spark.ui.showConsoleProgress": "false",
        "spark.redaction.regex": "(?i)secret|password|token|access[.]?key|credential",
        **{f"spark.sql.catalog.{CATALOG}{name}": value for name, value in _catalog(lake.catalog_properties).items()},
    }
    if lake.s3 and lake.s3.endpoint:
        keys = {
            "endpoint": lake.s3.endpoint,
            "endpoint.region": lake.s3.region or "us-east-1",
            "access.key": lake.s3.access_key or "",
            "secret.key": lake.s3.secret_key or "",
            "path.style.access": "true",
            "connection.ssl.enabled": str(lake.s3.endpoint.startswith("https")).lower(),
        }
        said |= {f"spark.hadoop.fs.s3a.{name}": value for name, value in keys.items()}
    said["spark.hadoop.fs.s3.impl"] = "org.apache.hadoop.fs.s3a.S3AFileSystem"
    return said


def _catalog(properties: Mapping[str, str]) -> dict[str, str]:
    kind = properties.get("type", "rest" if properties.get("uri", "").startswith("http") else "")
    if kind not in KINDS:
        raise InvalidInput(
            f"engine spark: it does not reach a catalog of type {kind[:40]!r}; there are {', '.join(KINDS)}:"
            " the Connection `lake` says which (docs/scale.md)"
        )
    shared = {f".{name}": properties[name] for name in SHARED if name in properties}
    return {
        "": "org.apache.iceberg.spark.SparkCatalog",
        ".io-impl": "org.apache.iceberg.hadoop.HadoopFileIO",
        # The driver commits through pyiceberg too: what it holds of a table must not be older than that.
        ".cache-enabled": "false",
        ".type": kind,
        **shared,
    }
