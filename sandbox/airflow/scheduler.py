"""Airflow's scheduler with what its tasks import already imported.

LocalExecutor forks the process of each task from the scheduler, and every one of them would spend seconds on the same
imports. Left out are polars, whose threads do not survive a fork (those of numpy and pyarrow do), and the project's own
code: an edit takes effect with the next task.
"""

import importlib
import sys

from airflow.__main__ import main

_MODULES = (
    "airflow.sdk.execution_time.task_runner",
    "airflow.sdk.execution_time.supervisor",
    "airflow.dag_processing.dagbag",
    "airflow.providers.cncf.kubernetes.operators.pod",
    "airflow.providers.standard.decorators.python",
    "boto3",
    "mlflow",
    "pyarrow.parquet",
    "pyiceberg.catalog.rest",
    "pyiceberg.catalog.sql",
    "pyiceberg.table",
)


def preload() -> None:
    """Import what tasks import."""
    sys.modules["polars"] = None  # type: ignore[assignment]  # mlflow imports it where it can
    for name in _MODULES:
        importlib.import_module(name)
    del sys.modules["polars"]


if __name__ == "__main__":
    preload()
    sys.argv = ["airflow", "scheduler", *sys.argv[1:]]
    sys.exit(main())  # type: ignore[no-untyped-call]
