"""Spark jobs on EMR Serverless.

A run carries the job's key as its client token, by which EMR itself starts one run however often it is asked for; a
run that has failed keeps its token, so each try has a number. The Connection's extra says `application_id`,
`execution_role_arn`, `image` and, as a list of texts, `spark_submit_parameters`.
"""

import hashlib
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseHook

from flightline.backends.protocol import JobFailed
from include.foundation.echo import cut, listing
from include.foundation.errors import InvalidInput
from include.foundation.evidence import code
from include.foundation.jobs import TRAINER, Job

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

IMAGE = "flightline/spark"
POLL_SECONDS = 15.0
TRIES = 20
ENDED_BADLY = ("FAILED", "CANCELLED", "CANCELLING")
ENTRY = "local:///srv/include/steps/data.py"
PYTHON = "/opt/flightline/bin/python"


class EmrServerless:
    """A job's run. It is cancelled when the task is killed; the worker waits for it."""

    default_conn_id: ClassVar[str] = "emr_serverless"

    def __init__(self, operator: "BaseOperator", *, conn_id: str) -> None:
        self._operator, self._conn_id = operator, conn_id
        self._run_id = ""

    @staticmethod
    def image(conn_id: str, runtime: str = TRAINER) -> str:  # noqa: ARG004 (Spark's is the one there is)
        """The image that the Connection's extra `image` names (in ECR), with the code that is running.

        It is the application's: a request cannot choose another.
        """
        return code.image(str(BaseHook.get_connection(conn_id).extra_dejson.get("image", IMAGE)))

    def run(self, job: Job, context: "Context") -> None:  # noqa: ARG002 (as every backend)
        """Start the run, or rejoin the one with the job's key, and wait for its end."""
        started = self._start(job)
        while started["state"] != "SUCCESS":
            if started["state"] in ENDED_BADLY:
                raise JobFailed(f"run {self._run_id}: {cut(started.get('stateDetails') or '', 500)}", permanent=False)
            time.sleep(POLL_SECONDS)
            started = self._describe(self._run_id)

    def resume(self, job: Job, context: "Context", event: dict[str, Any]) -> None:
        """Never deferred."""

    def kill(self) -> None:
        """Cancel the run."""
        if self._run_id:
            self._client.cancel_job_run(applicationId=self._extra["application_id"], jobRunId=self._run_id)

    def request(self, job: Job) -> dict[str, Any]:
        """What starts the run, without its client token.

        Raises:
            InvalidInput: the Connection lacks something, or the job is no program for Spark.
        """
        if missing := [each for each in ("application_id", "execution_role_arn") if not self._extra.get(each)]:
            raise InvalidInput(f"Connection {self._conn_id!r} needs the extra {listing(missing)}: docs/scale.md")
        if job.arguments[:2] != ("-m", "include.steps.data"):
            raise InvalidInput(
                f"{job.name}: EMR Serverless runs ingest and features, not {' '.join(job.arguments[:2])}"
            )
        environment = {"PYTHONPATH": "/srv", "FLIGHTLINE_IMAGE": job.image, **job.environment}
        settings = {
            **{f"spark.emr-serverless.driverEnv.{name}": value for name, value in environment.items()},
            "spark.emr-serverless.driverEnv.PYSPARK_PYTHON": PYTHON,
            "spark.executorEnv.PYSPARK_PYTHON": PYTHON,
        }
        words = [*self._extra.get("spark_submit_parameters", ())]
        words += [f"--conf {name}={value}" for name, value in settings.items()]
        return {
            "applicationId": self._extra["application_id"],
            "executionRoleArn": self._extra["execution_role_arn"],
            "name": f"{job.name}-{job.label[:12]}",
            "tags": {"flightline/job": job.label},
            "jobDriver": {
                "sparkSubmit": {
                    "entryPoint": ENTRY,
                    "entryPointArguments": list(job.arguments[2:]),
                    "sparkSubmitParameters": " ".join(words),
                }
            },
        }

    def _start(self, job: Job) -> dict[str, Any]:
        request = self.request(job)
        for number in range(TRIES):
            token = hashlib.sha256(f"{job.key} {number}".encode()).hexdigest()
            self._run_id = self._client.start_job_run(**request, clientToken=token)["jobRunId"]
            found = self._describe(self._run_id)
            if found["state"] not in ENDED_BADLY:
                self._operator.log.info("run %s of %s: %s", self._run_id, request["applicationId"], found["state"])
                return found
        raise JobFailed(f"{TRIES} runs of job {job.label[:12]} have failed: change what they read", permanent=True)

    def _describe(self, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self._client.get_job_run(applicationId=self._extra["application_id"], jobRunId=run_id)[
            "jobRun"
        ]
        return found

    @cached_property
    def _extra(self) -> dict[str, Any]:
        extra: dict[str, Any] = BaseHook.get_connection(self._conn_id).extra_dejson
        return extra

    @cached_property
    def _client(self) -> Any:
        from airflow.providers.amazon.aws.hooks.emr import EmrServerlessHook

        return EmrServerlessHook(aws_conn_id=self._conn_id).conn
