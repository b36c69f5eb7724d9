import os
import subprocess

from sandbox.supervisor.service import REPO, python

FORKED = """
import os, sys, time
from sandbox.airflow.scheduler import preload
preload()
assert "polars" not in sys.modules
if child := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
start = time.process_time()
from mlflow import MlflowClient
import pyiceberg.catalog.rest
MlflowClient("http://127.0.0.1:1")
spent = time.process_time() - start
import io
import polars as pl, pyarrow as pa, pyarrow.parquet as pq
frame = pl.DataFrame({"day": [1, 1, 2] * 100_000}).group_by("day").len().sort("day")
file = io.BytesIO()
pq.write_table(frame.to_arrow(), file)
read = pq.read_table(io.BytesIO(file.getvalue()))
print(read.group_by("day").aggregate([("len", "sum")]).num_rows, spent < 0.5)
sys.stdout.flush()
os._exit(0)
"""


def test_a_forked_task_finds_its_imports_done_and_its_threads_alive(tmp_path):
    env = {**os.environ, "AIRFLOW_HOME": str(tmp_path), "PYTHONPATH": str(REPO), "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = (str(python("airflow")), "-W", "ignore", "-c", FORKED)
    done = subprocess.run(command, cwd=REPO, env=env, check=False, capture_output=True, text=True, timeout=240)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["2 True"]), done.stderr[-2000:]
