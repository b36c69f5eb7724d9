"""Airflow's scheduler with what its tasks import already imported.

LocalExecutor forks the process of each task from the scheduler, and every one of them would spend seconds on the same
imports. Left out are libraries that start threads of their own (pyarrow, polars), which do not survive a fork, and
the project's own code: an edit takes effect with the next task.
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
)

if __name__ == "__main__":
    for name in _MODULES:
        importlib.import_module(name)
    sys.argv = ["airflow", "scheduler", *sys.argv[1:]]
    sys.exit(main())
