"""Jobs as SageMaker training jobs.

A job's name is made of its key and of how many of that key have failed, for SageMaker never gives a name twice: a retry
and a second trigger find the job that runs, and a retry of a failed one starts the next. The profile (extra
`job_profile` of the Connection: a file of `deploy/sagemaker/`) is the request that starts a job, as far as it is the
same for all.
"""

import json
import re
import time
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from flightline.backends.protocol import JobFailed
from flightline.hooks import sagemaker_profile as profiles
from include.foundation.echo import cut
from include.foundation.errors import InvalidInput
from include.foundation.evidence import code
from include.foundation.jobs import PERMANENT, TRAINER, Job

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

    from flightline.hooks.sagemaker import TrainingJobsHook

ENTRYPOINT = ["python", "-m", "include.steps.sagemaker"]
ATTEMPTS = 100
POLL_SECONDS = 10.0
QUEUED_SECONDS = 1800  # for instances to be found and the image to be pulled, above the job's own limit
LONGEST_HYPERPARAMETER = 2500
LOG_LINES, LAST_LINES = 500, 8
NOT_IN_TAGS = re.compile(r"[^\w .:/=+\-@]")


class SageMaker:
    """A job's training job. It is stopped when the task is killed, and its log is shown when it has ended."""

    default_conn_id = "sagemaker"

    def __init__(self, operator: "BaseOperator", *, conn_id: str) -> None:
        self._operator, self._conn_id = operator, conn_id
        self._name = ""

    @staticmethod
    def image(conn_id: str, runtime: str = TRAINER) -> str:
        """The runtime's image in the Connection's extra `registry` (in ECR), with the code that is running."""
        return code.image(f"{profiles.registry(profiles.settings(conn_id))}/{runtime}")

    @cached_property
    def _hook(self) -> "TrainingJobsHook":
        from flightline.hooks.sagemaker import TrainingJobsHook

        return TrainingJobsHook(self._conn_id)

    def run(self, job: Job, context: "Context") -> None:
        """Start the training job, or rejoin the one with the job's key."""
        self._name = self._start(job, context)
        context["ti"].xcom_push("job_page", self._hook.page(self._name))
        self._look(context)

    def resume(self, job: Job, context: "Context", event: dict[str, Any]) -> None:  # noqa: ARG002
        """Go on after the trigger: end, or wait again."""
        self._name = event["job_name"]
        if event["status"] == "error":
            raise JobFailed(f"{self._name}: {event['message']}", permanent=True)
        if event["status"] == "timeout":
            self._hook.stop(self._name)
            raise JobFailed(f"{self._name} is stopped, its time is over; it was {event['message']}", permanent=False)
        self._look(context)

    def kill(self) -> None:
        """Stop the training job."""
        if self._name:
            self._hook.stop(self._name)

    def request(self, job: Job, name: str, context: "Context") -> dict[str, Any]:
        """What starts the job: the profile, over it the Connection's extra `training_job`, over it the job's own.

        Raises:
            InvalidInput: the Connection lacks something, or the job's arguments are too long for the API.
        """
        extra = profiles.settings(self._conn_id, needs=("execution_role", "output"))
        arguments = json.dumps(list(job.arguments))
        if len(arguments) > LONGEST_HYPERPARAMETER:
            raise InvalidInput(f"{job.name} has {len(arguments)} characters of arguments; SageMaker takes 2,500")
        output = str(extra["output"]).rstrip("/")
        secret = {"FLIGHTLINE_SECRET": str(extra["secret"])} if extra.get("secret") else {}
        own = {
            "TrainingJobName": name,
            "AlgorithmSpecification": {"TrainingImage": job.image, "ContainerEntrypoint": ENTRYPOINT},
            "HyperParameters": {"arguments": arguments},
            "RoleArn": self._hook.expand_role(str(extra["execution_role"])),
            "OutputDataConfig": {"S3OutputPath": output},
            "Environment": {"FLIGHTLINE_IMAGE": job.image, **secret, **job.environment},
            "Tags": _tags(extra.get("tags") or {}, job, context),
        }
        request = profiles.merged(profiles.job(extra), extra.get("training_job") or {}, own)
        if job.resources.gpus and request["Environment"].get("FLIGHTLINE_DEVICE") != "gpu":
            raise InvalidInput(f"{job.name} needs GPUs: choose a profile of deploy/sagemaker with them")
        if request.get("EnableManagedSpotTraining"):  # of the key, so that the next try goes on from them
            request.setdefault("CheckpointConfig", {"S3Uri": f"{output}/checkpoints/{_base(job)}"})
        return request

    def _start(self, job: Job, context: "Context") -> str:
        for attempt in range(ATTEMPTS):
            name = f"{_base(job)}-{attempt}"
            found = self._hook.describe(name)
            if found is None:
                if self._hook.create(self.request(job, name, context)):
                    self._operator.log.info("training job %s is started", name)
                    return name
                found = self._hook.describe(name) or {"TrainingJobStatus": "InProgress"}
            if found["TrainingJobStatus"] not in ("Failed", "Stopped"):
                self._operator.log.info("training job %s is %s: rejoined", name, found["TrainingJobStatus"])
                return name
        raise JobFailed(f"{ATTEMPTS} training jobs {_base(job)}-… have failed: change what they read", permanent=True)

    def _look(self, context: "Context") -> None:
        """Return once the job is completed, raise if it failed, else wait for it."""
        from flightline.hooks.sagemaker import ENDED
        from flightline.triggers.sagemaker import TrainingJobTrigger

        found = self._hook.describe(self._name)
        if found is None:
            raise JobFailed(f"training job {self._name} is gone: somebody else's account or region?", permanent=False)
        if found["TrainingJobStatus"] in ENDED:
            self._end(found, context)
            return
        limits = found["StoppingCondition"]
        seconds = limits.get("MaxWaitTimeInSeconds") or limits["MaxRuntimeInSeconds"]
        started = found["CreationTime"].timestamp()
        own = self._operator.execution_timeout
        self._operator.defer(
            trigger=TrainingJobTrigger(
                conn_id=self._conn_id,
                job_name=self._name,
                deadline=min(started + seconds + QUEUED_SECONDS, time.time() + own.total_seconds() if own else 1e12),
                poll_seconds=float(profiles.settings(self._conn_id).get("poll_seconds", POLL_SECONDS)),
            ),
            method_name="trigger_reentry",
        )

    def _end(self, found: Mapping[str, Any], context: "Context") -> None:
        lines = self._hook.last_lines(self._name, most=LOG_LINES)
        for line in lines:
            self._operator.log.info("%s", line)
        cost = {
            "job": self._name,
            "instance_type": found["ResourceConfig"].get("InstanceType"),
            "training_seconds": found.get("TrainingTimeInSeconds"),
            "billable_seconds": found.get("BillableTimeInSeconds"),
        }
        self._operator.log.info("cost of %s", ", ".join(f"{key} {value}" for key, value in cost.items()))
        context["ti"].xcom_push("cost", cost)
        if found["TrainingJobStatus"] == "Completed":
            return
        reason = cut(str(found.get("FailureReason") or found.get("SecondaryStatus")), 1200)
        last = "".join(f"\n  {cut(line, 300)}" for line in lines[-LAST_LINES:])
        raise JobFailed(
            f"training job {self._name} is {found['TrainingJobStatus']}: {reason}{last}", permanent=_final(reason)
        )


def _final(reason: str) -> bool:
    """Whether the API's reason says that a retry fails alike: it blames the request, or the step said so itself."""
    return reason.startswith("ClientError") or bool(re.search(rf"exit code:? {PERMANENT}\b", reason))


def _base(job: Job) -> str:
    """What the names of a job's training jobs begin with: letters, digits and hyphens, 63 at most with the number."""
    return f"{job.name[:26].strip('-')}-{job.key[:32]}"


def _tags(given: Mapping[str, Any], job: Job, context: "Context") -> list[dict[str, str]]:
    """What bills are split by; SageMaker takes 256 characters of a few kinds."""
    ti = context["ti"]
    told = {"project": "flightline", "dag": ti.dag_id, "task": ti.task_id, "run": ti.run_id, "job": job.label}
    named = {**{f"flightline:{key}": value for key, value in told.items()}, **given}
    return [{"Key": str(key), "Value": NOT_IN_TAGS.sub("_", str(value))[:256]} for key, value in named.items()]
