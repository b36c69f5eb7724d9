"""Spark jobs as SparkApplications of Kubeflow's Spark operator, in the cluster of the Connection.

An application is named by the job's key and by how many of that key have failed, so the cluster itself starts one
however often it is asked for. `deploy/spark/application.yaml` says all else: namespace, accounts, sizes.
"""

import re
import time
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import yaml

from flightline.backends.protocol import JobFailed
from include.foundation.echo import cut
from include.foundation.errors import InvalidInput
from include.foundation.evidence import code
from include.foundation.jobs import PERMANENT, TRAINER, Job

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

TEMPLATE = Path(__file__).parents[3] / "deploy" / "spark" / "application.yaml"
KIND = ("sparkoperator.k8s.io", "v1beta2")
PLURAL = "sparkapplications"
LABEL = "flightline/job"
POLL_SECONDS = 10.0
TRIES = 20
ENDED_BADLY = ("FAILED", "FAILING", "SUBMISSION_FAILED")
TIMEOUT_SECONDS = 30


class SparkApplication:
    """A job's application. It is deleted when the task is killed, and its pods with it; the worker waits for it."""

    default_conn_id: ClassVar[str] = "cluster"

    def __init__(self, operator: "BaseOperator", *, conn_id: str) -> None:
        self._operator, self._conn_id = operator, conn_id
        self._name = ""

    @staticmethod
    def image(conn_id: str, runtime: str = TRAINER) -> str:  # noqa: ARG004 (Spark's is the one there is)
        """The template's image, with the code that is running."""
        return code.image(_template()["spec"]["image"])

    def run(self, job: Job, context: "Context") -> None:  # noqa: ARG002 (as every backend)
        """Start the application, or rejoin the one with the job's key, and wait for its end."""
        found = self._start(job)
        while _state(found) != "COMPLETED":
            if _state(found) in ENDED_BADLY:
                told = str(found["status"]["applicationState"].get("errorMessage") or "no reason is told")
                exit_code = next(iter(re.findall(r"ExitCode: (\d+)", told)), "")
                message = f"application {self._name} is {_state(found)}: {cut(told, 500)}"
                raise JobFailed(message, permanent=exit_code == str(PERMANENT))
            time.sleep(POLL_SECONDS)
            now = self._get(self._name)
            if now is None:
                raise JobFailed(f"application {self._name} is gone: somebody has deleted it", permanent=False)
            found = now

    def resume(self, job: Job, context: "Context", event: dict[str, Any]) -> None:
        """Never deferred."""

    def kill(self) -> None:
        """Delete the application."""
        from kubernetes.client import ApiException

        if not self._name:
            return
        try:
            self._client.delete_namespaced_custom_object(
                *KIND, self._namespace, PLURAL, self._name, _request_timeout=TIMEOUT_SECONDS
            )
        except ApiException as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    def manifest(self, job: Job, name: str) -> dict[str, Any]:
        """The application.

        Raises:
            InvalidInput: the job is no program for Spark.
        """
        if job.arguments[:2] != ("-m", "include.steps.data"):
            raise InvalidInput(f"{job.name}: Spark runs ingest and features, not {' '.join(job.arguments[:2])}")
        made = _template()
        made["metadata"] |= {"name": name, "labels": {**made["metadata"].get("labels", {}), LABEL: job.label}}
        spec = made["spec"]
        spec |= {"image": job.image, "arguments": list(job.arguments[2:])}
        environment = {"FLIGHTLINE_IMAGE": job.image, **job.environment}
        spec["driver"].setdefault("env", []).extend({"name": key, "value": value} for key, value in environment.items())
        return made

    def _start(self, job: Job) -> dict[str, Any]:
        from kubernetes.client import ApiException

        for number in range(TRIES):
            self._name = f"{job.name[:20].strip('-')}-{job.key[:32]}-{number}"
            if (found := self._get(self._name)) is None:
                try:
                    found = self._client.create_namespaced_custom_object(
                        *KIND,
                        self._namespace,
                        PLURAL,
                        self.manifest(job, self._name),
                        _request_timeout=TIMEOUT_SECONDS,
                    )
                except ApiException as error:
                    if error.status != HTTPStatus.CONFLICT:  # else another task has started it at the same moment
                        raise
                    found = self._get(self._name) or {}
            if _state(found) not in ENDED_BADLY:
                self._operator.log.info("application %s in %s: %s", self._name, self._namespace, _state(found) or "new")
                return found
        raise JobFailed(f"{TRIES} applications of job {job.label[:12]} have failed: delete them", permanent=True)

    def _get(self, name: str) -> dict[str, Any] | None:
        from kubernetes.client import ApiException

        try:
            found: dict[str, Any] = self._client.get_namespaced_custom_object(
                *KIND, self._namespace, PLURAL, name, _request_timeout=TIMEOUT_SECONDS
            )
        except ApiException as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        return found

    @cached_property
    def _namespace(self) -> str:
        return str(_template()["metadata"]["namespace"])

    @cached_property
    def _client(self) -> Any:
        from flightline.hooks.cluster_client import ClusterClient

        return ClusterClient(self._conn_id).custom_object_client


def _template() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))
    return found


def _state(found: dict[str, Any]) -> str:
    """As the operator says it; empty until it has seen the application."""
    return str(found.get("status", {}).get("applicationState", {}).get("state", ""))
