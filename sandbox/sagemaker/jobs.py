"""One training job: its image run by SageMaker's container contract."""

import json
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.cluster.images import Images, UnknownImageError
from sandbox.sagemaker import containers
from sandbox.sagemaker.faults import Fault

FAULT_SECONDS = 1.0
GRACE_SECONDS = 120  # between SIGTERM and SIGKILL
ENDED = ("Completed", "Failed", "Stopped")


class TrainingJob:
    """What `DescribeTrainingJob` tells, and the thread that does it. moto reads the attributes of its list.

    Args:
        request: of `CreateTrainingJob`.
        arn: the job's.
        place: its folder.
        images: which environments stand for images.
        role: the variables that a role and a network give to a container: credentials, endpoints.
        say: takes each line of the log.
        fault: how it is to end.
    """

    def __init__(
        self,
        request: Mapping[str, Any],
        *,
        arn: str,
        place: Path,
        images: Images,
        role: Mapping[str, str],
        say: Callable[[str], None],
        fault: Fault | None,
    ) -> None:
        self._request = {key: value for key, value in request.items() if key != "Tags"}
        self._place, self._images, self._role, self._say, self._fault = place, images, role, say, fault
        self.training_job_name: str = request["TrainingJobName"]
        self.arn = arn
        self.tags = request.get("Tags", [])
        self.creation_time = self.last_modified_time = _now()
        self.training_start_time: datetime | None = None
        self.training_end_time: datetime | None = None
        self.training_job_status = "InProgress"
        self.secondary_status = "Starting"
        self._reason = ""
        self._transitions: list[dict[str, Any]] = []
        self._lock = threading.RLock()
        self._process: subprocess.Popen[str] | None = None
        self._stopping = ""  # the secondary status that a stop leads to
        self._transit("Starting")
        threading.Thread(target=self._run, name=self.training_job_name, daemon=True).start()

    @property
    def response_object(self) -> dict[str, Any]:
        """The answer of `DescribeTrainingJob`."""
        with self._lock:
            ran = self._seconds()
            answer = {
                **self._request,
                "TrainingJobArn": self.arn,
                "TrainingJobStatus": self.training_job_status,
                "SecondaryStatus": self.secondary_status,
                "SecondaryStatusTransitions": list(self._transitions),
                "CreationTime": self.creation_time,
                "LastModifiedTime": self.last_modified_time,
                "TrainingStartTime": self.training_start_time,
                "TrainingEndTime": self.training_end_time,
                "FailureReason": self._reason or None,
                "ModelArtifacts": {"S3ModelArtifacts": self._artifact} if self.training_end_time else None,
                "TrainingTimeInSeconds": ran,
                # Prices of spare capacity differ; this one is always 30 percent.
                "BillableTimeInSeconds": ran if ran is None or not self._spot else round(ran * 0.3),
            }
        return {key: value for key, value in answer.items() if value is not None}

    def stop(self, secondary: str = "Stopped") -> None:
        """End it: SIGTERM, SIGKILL after two minutes."""
        with self._lock:
            if self.training_job_status in ENDED:
                return
            self._stopping = secondary
            self.training_job_status = "Stopping"
            self._transit("Stopping")
            process = self._process
        if process:
            self._end(process)

    def kill(self) -> None:
        """End its processes now."""
        containers.kill(self._process)

    @property
    def _spot(self) -> bool:
        return bool(self._request.get("EnableManagedSpotTraining"))

    @property
    def _artifact(self) -> str:
        output = self._request["OutputDataConfig"]["S3OutputPath"].rstrip("/")
        return f"{output}/{self.training_job_name}/output/model.tar.gz"

    def _seconds(self) -> int | None:
        if self.training_start_time is None:
            return None
        return max(1, round(((self.training_end_time or _now()) - self.training_start_time).total_seconds()))

    def _run(self) -> None:
        try:
            status, secondary, reason = self._work()
        except UnknownImageError as error:
            status, secondary, reason = "Failed", "Failed", f"ClientError: Cannot pull image: {error}"
        except Exception as error:  # noqa: BLE001 (a job must end, whatever happened)
            status, secondary, reason = "Failed", "Failed", f"InternalServerError: {type(error).__name__}: {error}"
        with self._lock:
            self.training_end_time = _now()
            self._reason = reason
            self._transit(secondary)
            self.training_job_status = status

    def _work(self) -> tuple[str, str, str]:
        base = self._place / "ml"
        if self._fault and self._fault.code == "Failed":
            return "Failed", "Failed", self._fault.message
        self._transit("Downloading")
        self._lay_out(base)
        with self._lock:
            self.training_start_time = _now()
            self._transit("Training")
        code = self._container(base)
        if self._fault and self._fault.code == "Interrupted":
            self._fault = None
            self._transit("Interrupted")
            self._transit("Training")
            code = self._container(base)
        if self._fault and self._fault.code == "Stopped":
            return "Stopped", "Stopped", self._fault.message
        self._transit("Uploading")
        self._upload(base)
        if self._stopping:
            return "Stopped", self._stopping, ""
        if code:
            return "Failed", "Failed", f"AlgorithmError: {_failure(base)}, exit code: {code}"
        return "Completed", "Completed", ""

    def _lay_out(self, base: Path) -> None:
        """The folders and files that the contract promises."""
        for folder in ("input/config", "input/data", "output/data", "model"):
            (base / folder).mkdir(parents=True, exist_ok=True)
        channels = self._request.get("InputDataConfig", [])
        told = {
            "hyperparameters.json": self._request.get("HyperParameters", {}),
            "resourceconfig.json": {
                "current_host": "algo-1",
                "current_instance_type": self._request["ResourceConfig"].get("InstanceType"),
                "current_group_name": "homogeneousCluster",
                "hosts": ["algo-1"],
                "network_interface_name": "lo",
            },
            "inputdataconfig.json": {
                each["ChannelName"]: {
                    "TrainingInputMode": "File",
                    "S3DistributionType": "FullyReplicated",
                    "RecordWrapperType": "None",
                }
                for each in channels
            },
        }
        for name, document in told.items():
            (base / "input" / "config" / name).write_text(json.dumps(document))
        for each in channels:
            containers.download(
                self._role, each["DataSource"]["S3DataSource"]["S3Uri"], base / "input/data" / each["ChannelName"]
            )
        if checkpoints := self._request.get("CheckpointConfig"):
            kept = self._place.parent / "checkpoints" / checkpoints["S3Uri"].replace("/", "_")
            kept.mkdir(parents=True, exist_ok=True)
            if not (base / "checkpoints").exists():
                (base / "checkpoints").symlink_to(kept)

    def _container(self, base: Path) -> int:
        """Run the image once; its exit code."""
        algorithm = self._request["AlgorithmSpecification"]
        image = self._images.find(algorithm["TrainingImage"])
        words = [*algorithm.get("ContainerEntrypoint", [*image.entrypoint, "train"])]
        words += algorithm.get("ContainerArguments", [])
        variables = {
            **self._role,
            **self._request.get("Environment", {}),
            "TRAINING_JOB_NAME": self.training_job_name,
            "TRAINING_JOB_ARN": self.arn,
            "SAGEMAKER_BASE_DIR": str(base),
        }
        with self._lock:
            if self._stopping:
                return 143
            self._process = process = containers.start(image, words, variables)
        limit = threading.Timer(self._request["StoppingCondition"].get("MaxRuntimeInSeconds", 86400), self._too_long)
        limit.daemon = True
        limit.start()
        for number, line in enumerate(process.stdout or ()):
            self._say(line.rstrip("\n"))
            if self._fault and not number:  # it has begun: what is taken away from it is the test's point
                threading.Timer(FAULT_SECONDS, self._end, (process,)).start()
        code = process.wait()
        limit.cancel()
        return 128 - code if code < 0 else code

    def _too_long(self) -> None:
        self.stop("MaxRuntimeExceeded")

    @staticmethod
    def _end(process: "subprocess.Popen[str]") -> None:
        containers.end(process, grace_seconds=GRACE_SECONDS)

    def _upload(self, base: Path) -> None:
        with tempfile.TemporaryFile() as file:
            with tarfile.open(fileobj=file, mode="w:gz") as archive:
                for path in sorted((base / "model").iterdir()):
                    archive.add(path, arcname=path.name)
            file.seek(0)
            bucket, _, key = self._artifact.removeprefix("s3://").partition("/")
            containers.s3(self._role).upload_fileobj(file, bucket, key)

    def _transit(self, status: str) -> None:
        with self._lock:
            now = _now()
            if self._transitions:
                self._transitions[-1]["EndTime"] = now
            self._transitions.append({"Status": status, "StartTime": now})
            self.secondary_status, self.last_modified_time = status, now


def _failure(base: Path) -> str:
    path = base / "output" / "failure"
    return path.read_text(errors="replace")[:1024] if path.exists() else ""


def _now() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)
