"""What goes wrong on SageMaker, by the wire, and what of a job is told and kept."""

import io
import tarfile

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from flightline.exceptions import SageMakerRefused, SageMakerUnavailable
from tests.integration.jobs.conftest import Task

pytestmark = [pytest.mark.integration, pytest.mark.long]

SPOT = (
    "-c",
    """
import os, sys, time
from include.foundation import jobs
from include.foundation.lake import Lake
trace, go, seed, code = sys.argv[1:]
mark = os.path.join(os.environ["SM_CHECKPOINT_DIR"], "epoch")
with open(trace, "a") as file:
    file.write(f"{os.getpid()}\\n")
if not os.path.exists(mark):
    open(mark, "w").close()
    print("at work", flush=True)
    time.sleep(60)
open(os.path.join(os.environ["SM_MODEL_DIR"], "model.onnx"), "w").close()
jobs.write(Lake.from_env().objects(), os.environ[jobs.RESULT], {"resumed": True})
""",
)


@pytest.fixture
def task(sagemaker, tmp_path):
    """A task there."""
    return Task("sagemaker", tmp_path)


def job(sagemaker, task):
    """What the API tells of the task's job."""
    return sagemaker.client().describe_training_job(TrainingJobName=task.pushed["cost"]["job"])


def test_calls_that_fail_for_a_moment_are_made_again(task, sagemaker):
    sagemaker.fault("CreateTrainingJob", code="ThrottlingException", message="Rate exceeded")
    sagemaker.fault("DescribeTrainingJob", code="InternalFailure", status=500)
    sagemaker.fault("DescribeTrainingJob", hang_up=True)
    task.go.touch()
    assert task.run()["metric"]
    assert len(task.starts()) == 1


def test_a_call_that_can_never_be_granted_fails_the_task_for_good_and_a_full_quota_does_not(task, sagemaker):
    quota = "The account-level service limit 'ml.m7i.xlarge' is 2 Instances, with current utilization of 2 Instances"
    sagemaker.fault("CreateTrainingJob", code="ResourceLimitExceeded", message=quota)
    with pytest.raises(SageMakerUnavailable):
        task.start()
    sagemaker.fault(
        "CreateTrainingJob", code="AccessDeniedException", message="not authorized to perform: iam:PassRole"
    )
    with pytest.raises(SageMakerRefused, match="PassRole"):
        task.start()


@pytest.mark.parametrize(
    ("end", "error"),
    [
        ({"code": "Failed", "message": "CapacityError: Unable to provision requested ML compute capacity."}, False),
        ({"code": "Failed", "message": "ClientError: Data download failed"}, True),
        ({"code": "Stopped"}, False),
    ],
    ids=["no capacity", "the request's fault", "stopped"],
)
def test_a_job_s_end_decides_whether_the_next_try_starts_another(task, sagemaker, end, error):
    sagemaker.fault("TrainingJob", **end)
    with pytest.raises(AirflowFailException if error else AirflowException) as caught:
        task.run()
    assert isinstance(caught.value, AirflowFailException) is error
    first = task.pushed["cost"]["job"]
    assert first.endswith("-0")
    task.go.touch()
    assert task.run()["metric"]
    assert task.pushed["cost"]["job"] == first[:-1] + "1"


def test_an_interrupted_spot_job_goes_on_from_its_checkpoints(task, sagemaker, connect_sagemaker, monkeypatch):
    connect_sagemaker(job_profile="spot", training_job={"Environment": {"FLIGHTLINE_ALLOW_DIRTY": "1"}})
    monkeypatch.setattr("tests.integration.jobs.conftest.Probe.program", SPOT)
    sagemaker.fault("TrainingJob", code="Interrupted")
    assert task.run() == {"resumed": True}
    assert len(task.starts()) == 2
    found = job(sagemaker, task)
    assert [each["Status"] for each in found["SecondaryStatusTransitions"]] == [
        *("Starting", "Downloading", "Training", "Interrupted", "Training", "Uploading", "Completed")
    ]
    assert task.pushed["cost"]["billable_seconds"] == found["BillableTimeInSeconds"] <= found["TrainingTimeInSeconds"]


def test_a_job_that_runs_out_of_its_time_is_stopped_and_its_artifact_is_kept(task, sagemaker, connect_sagemaker, lake):
    connect_sagemaker(training_job={"StoppingCondition": {"MaxRuntimeInSeconds": 1}})
    with pytest.raises(AirflowException, match="Stopped: MaxRuntimeExceeded"):
        task.run()
    bucket, _, key = job(sagemaker, task)["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://").partition("/")
    data = lake.objects().get(f"s3://{bucket}/{key}")
    with tarfile.open(fileobj=io.BytesIO(data)) as artifact:
        assert artifact.getnames() == []
