"""Jobs as runs of Kubeflow Pipelines.

A job is a run of a pipeline (`deploy/kubeflow`, compiled by `include/steps/pipeline.py`): with one step, or, where the
job is a whole training, with a task for each of its steps. The pipeline is the Dag's; its version is named by its
content and uploaded once. A run is named by the job's key and by how many of that key have failed. The API starts a run
for every request, so the run is looked up first and once more after.
"""

import re
import time
from datetime import timedelta
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from airflow.sdk import BaseHook

from flightline.backends.protocol import JobFailed
from flightline.hooks.kubeflow import FAILED, SUCCEEDED, KubeflowHook
from flightline.triggers.kubeflow import PipelineRunTrigger
from include.foundation import jobs
from include.foundation.echo import cut
from include.foundation.errors import InvalidInput
from include.foundation.evidence import code
from include.foundation.jobs import GPU, PERMANENT, RESULT, TRAINER, Job

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

TEMPLATES = Path(__file__).parents[3] / "deploy" / "kubeflow"
REGISTRY = "flightline"
POLL_SECONDS = 5.0
LONGEST = timedelta(hours=12)  # unless the task says another execution_timeout


class Kubeflow:
    """A job's run. It is terminated when the task is killed."""

    default_conn_id = "kubeflow"

    def __init__(self, operator: "BaseOperator", *, conn_id: str) -> None:
        self._operator, self._conn_id = operator, conn_id
        self._run_id = ""

    @staticmethod
    def image(conn_id: str, runtime: str = TRAINER) -> str:
        """The runtime's image in the Connection's extra `registry`, with the code that is running."""
        extra = BaseHook.get_connection(conn_id).extra_dejson
        return code.image(f"{extra.get('registry', REGISTRY)}/{runtime}")

    @cached_property
    def _hook(self) -> KubeflowHook:
        return KubeflowHook(self._conn_id)

    def run(self, job: Job, context: "Context") -> None:
        """Start the run, or rejoin the one with the job's key."""
        self._run_id = self._start(job, context)["run_id"]
        context["ti"].xcom_push("job_page", self._hook.page(self._run_id))
        self._look(job)

    def resume(self, job: Job, context: "Context", event: dict[str, Any]) -> None:  # noqa: ARG002
        """Go on after the trigger: end, or wait again."""
        self._run_id = event["run_id"]
        if event["status"] == "error":
            raise JobFailed(f"run {self._run_id}: {event['message']}", permanent=True)
        if event["status"] == "timeout":
            self.kill()
            raise JobFailed(
                f"run {self._run_id} is ended, its time is over; it was {event['message']}", permanent=False
            )
        self._look(job)

    def kill(self) -> None:
        """Terminate the run."""
        if self._run_id:
            self._hook.terminate(self._run_id)

    def _start(self, job: Job, context: "Context") -> dict[str, Any]:
        base = f"{job.name[:26].strip('-')}-{job.key[:32]}"
        before = self._hook.runs(base)
        if living := [run for run in before if run.get("state") not in FAILED]:
            self._operator.log.info("run %s is %s: rejoined", living[0]["display_name"], living[0].get("state"))
            return living[0]
        name = f"{base}-{len({run['display_name'] for run in before})}"
        made = self._hook.create(self.request(job, name, context))
        first = next((run for run in self._hook.runs(name) if run.get("state") not in FAILED), made)
        if first["run_id"] != made["run_id"]:  # another task has started one at the same moment
            self._hook.terminate(made["run_id"])
        self._operator.log.info("run %s is %s", name, first["run_id"])
        return first

    def request(self, job: Job, name: str, context: "Context") -> dict[str, Any]:
        """What starts the run."""
        extra, dag_id = self._hook.extra, context["ti"].dag_id
        pipeline = self._hook.pipeline(dag_id.replace(".", "-").replace("_", "-"))
        document = pipeline_of(job)
        interval = {key: context.get(f"data_{key}") for key in ("interval_start", "interval_end")}
        environment = {"FLIGHTLINE_IMAGE": job.image, **job.environment}
        parameters = {
            **(job.parts or {"arguments": list(job.arguments)}),
            "failure": _failure(job, name),
            "result": environment.pop(RESULT),
            "environment": environment,
            **{key: value.isoformat() for key, value in interval.items() if value},  # type: ignore[attr-defined]
            "partition": str(getattr(context.get("dag_run"), "partition_key", None) or ""),
        }
        root = {"pipeline_root": extra["pipeline_root"]} if extra.get("pipeline_root") else {}
        account = {"service_account": extra["service_account"]} if extra.get("service_account") else {}
        return {
            "display_name": name,
            "description": f"{dag_id} {context['ti'].task_id} {context['ti'].run_id}",
            "experiment_id": self._hook.experiment(dag_id),
            "pipeline_version_reference": {
                "pipeline_id": pipeline,
                "pipeline_version_id": self._hook.version(
                    pipeline, sha256(document.encode()).hexdigest()[:32], document
                ),
            },
            "runtime_config": {"parameters": parameters, **root},
            **account,
        }

    def _look(self, job: Job) -> None:
        """Return once the run has succeeded, raise if it failed, else wait for it."""
        run = self._hook.run(self._run_id)
        if run is None:
            raise JobFailed(f"run {self._run_id} is gone: somebody has deleted it", permanent=False)
        state = run.get("state")
        if state == SUCCEEDED:
            return
        if state in FAILED:
            raise self._failed(job, run)
        limit = self._operator.execution_timeout or LONGEST
        self._operator.defer(
            trigger=PipelineRunTrigger(
                conn_id=self._conn_id,
                run_id=self._run_id,
                deadline=time.time() + limit.total_seconds(),
                poll_seconds=float(self._hook.extra.get("poll_seconds", POLL_SECONDS)),
            ),
            method_name="trigger_reentry",
        )

    def _failed(self, job: Job, run: dict[str, Any]) -> JobFailed:
        """How it ended: what the step said last, and what Kubeflow says."""
        from flightline.hooks.lake import LakeHook

        tasks = [*(run.get("run_details") or {}).get("task_details", []), run]
        reasons = [
            f"{each['display_name']}: {error['message']}"
            for each in tasks
            if (error := each.get("error") or {}).get("message")
        ]
        told = cut(reasons[0], 500) if reasons else "no reason is told"
        record = LakeHook(getattr(self._operator, "lake_conn_id", LakeHook.default_conn_name))
        left = jobs.failure(record.lake, _failure(job, run["display_name"])) or {"code": None, "said": ""}
        # A container that could not leave its last words still has the exit code that Argo tells of.
        exit_code = left["code"] or next(iter(re.findall(r"exit code (\d+)", told)), "unknown")
        for line in left["said"].splitlines():
            self._operator.log.info("%s", line)
        last = "".join(f"\n  {cut(line, 300)}" for line in left["said"].splitlines()[-8:])
        message = f"run {run['display_name']} is {run['state']}, exit code {exit_code}: {told}{last}"
        return JobFailed(message, permanent=str(exit_code) == str(PERMANENT))


def pipeline_of(job: Job) -> str:
    """The pipeline, YAML, with what a job says of its image and what it needs."""
    template = TEMPLATES / ("train.yaml" if job.parts else "step.yaml")
    spec, platform = yaml.safe_load_all(template.read_text(encoding="utf-8"))
    needs = job.resources
    resources = {
        "resourceCpuRequest": needs.cpu,
        "resourceMemoryRequest": needs.memory,
        "resourceMemoryLimit": needs.memory,
        "accelerator": {"resourceType": GPU, "resourceCount": str(needs.gpus)} if needs.gpus else None,
    }
    asked = {key: value for key, value in resources.items() if value}
    for executor in spec["deploymentSpec"]["executors"].values():
        executor["container"] |= {"image": job.image, **({"resources": asked} if asked else {})}
    return yaml.safe_dump_all([spec, platform], sort_keys=True)


def _failure(job: Job, name: str) -> str:
    """Where the step's last words are left: beside the record, by the run's name."""
    if not (record := job.environment.get(RESULT)):
        raise InvalidInput(f"job {job.name} has no {RESULT}: where would it leave its record?")
    return f"{record.removesuffix('.json')}.{name.rpartition('-')[2]}.failure.json"
