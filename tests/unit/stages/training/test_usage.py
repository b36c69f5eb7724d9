"""What the jobs of a training took, kept in a real MLflow store."""

import pytest
from mlflow import MlflowClient

from include.foundation.jobs.usage import Usage
from include.stages.training import usage


@pytest.fixture
def run(tmp_path):
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    return client, client.create_run(client.create_experiment("toy")).info.run_id


def test_jobs_are_added_up_and_one_done_again_counts_once(run, monkeypatch):
    assert usage.total(*run) == {}
    run[0].log_metric(run[1], "holdout_auc", 0.7)
    for step, worker, seconds, memory in (
        ("trial", "worker-0", 5, 7),
        ("trial", "worker-1", 6, 9),
        ("fit", "", 1, 8),
    ) * 2:
        found = Usage(seconds=seconds, cpu_seconds=seconds, gpu_seconds=2 * seconds, memory_bytes=memory)
        monkeypatch.setattr(usage, "used", lambda found=found: found)
        usage.record(*run, step, worker)
    assert usage.total(*run) == {"seconds": 12, "cpu_seconds": 12, "gpu_seconds": 24, "memory_bytes": 9}
    assert run[0].get_run(run[1]).data.metrics["usage/trial.worker-1/seconds"] == 6


def test_an_mlflow_that_takes_nothing_costs_no_work(run, caplog):
    client, _ = run
    usage.record(client, "no such run", "fit")
    assert "MLflow did not take what fit took of its machine" in caplog.text
