"""Jobs as pods, by the provider's KubernetesPodOperator (deferrable, durable).

The profile (extra `profile` of the Connection: a folder of `deploy/pods/`) chooses image, accelerator and nodes, in a
template for each runtime.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from flightline.backends.protocol import JobFailed
from flightline.hooks.rancher import RancherHook
from include.foundation.echo import cut
from include.foundation.errors import InvalidInput
from include.foundation.evidence import code
from include.foundation.jobs import GPU, PERMANENT, TRAINER, Job, Resources

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context
    from kubernetes.client import V1ResourceRequirements

    from flightline.backends.keyed_pod import KeyedPod

TEMPLATES = Path(__file__).parents[3] / "deploy" / "pods"
CLUSTER = "cluster"
NAMESPACE = "flightline"  # where a template names none


class Pods:
    """A job's pod. It is deleted when the task is killed, and its log is shown while it runs."""

    default_conn_id = "cluster"

    def __init__(self, operator: "BaseOperator", *, conn_id: str) -> None:
        self._operator, self._conn_id = operator, conn_id
        self._pod: KeyedPod | None = None

    @staticmethod
    def image(conn_id: str, runtime: str = TRAINER) -> str:
        """The image of the profile that the Connection names, with the code that is running."""
        return code.image(_template(conn_id, runtime)["spec"]["containers"][0]["image"])

    def pod(self, job: Job, *, cluster: str = "") -> "KeyedPod":
        """The operator that does the work, in a cluster of Rancher's where that is said."""
        from kubernetes.client import V1EnvVar

        from flightline.backends.keyed_pod import LABEL, KeyedPod

        environment = {"FLIGHTLINE_IMAGE": job.image, **job.environment}
        self._pod = KeyedPod(
            task_id=self._operator.task_id,
            execution_timeout=self._operator.execution_timeout,
            kubernetes_conn_id=self._conn_id,
            pod_template_file=str(_file(self._conn_id, job.runtime)),
            cluster=cluster,
            trigger_kwargs={CLUSTER: cluster} if cluster else {},  # they come back with the trigger's event
            name=job.name,
            labels={LABEL: job.label},
            image=job.image,
            arguments=list(job.arguments),
            env_vars=[V1EnvVar(name, value) for name, value in environment.items()],
            container_resources=_requirements(job.resources, _asked(self._conn_id, job.runtime)),
            deferrable=True,
            durable=True,
            poll_interval=1,
            logging_interval=15,
            startup_check_interval_seconds=1,
            startup_timeout_seconds=600,
            log_events_on_failure=True,
            container_name_log_prefix_enabled=False,
            on_finish_action="delete_pod",
            on_kill_action="delete_pod",
            skip_on_exit_code=PERMANENT,
        )
        return self._pod

    def run(self, job: Job, context: "Context") -> None:
        """Start the pod, or rejoin the one with the job's key."""
        with _failing(""):
            cluster = self._choose(job)
        pod = self.pod(job, cluster=cluster)
        # Past the guard that warns of operators called by hand: this one is called for the task itself.
        with _failing(cluster):
            type(pod).execute.__wrapped__(pod, context)  # type: ignore[attr-defined]

    def resume(self, job: Job, context: "Context", event: dict[str, Any]) -> None:
        """Go on after the trigger: show the log, wait again or end."""
        cluster = str(event.get(CLUSTER, ""))
        with _failing(cluster):
            self.pod(job, cluster=cluster).trigger_reentry(context, event)

    def _choose(self, job: Job) -> str:
        """The id of the cluster for a job's pod: the one that has it already, else the one with room for it.

        Empty where the Connection is a cluster's own.

        Raises:
            ClusterUnavailable: none of those that are meant can take it now.
        """
        connection = BaseHook.get_connection(self._conn_id)
        if connection.conn_type != RancherHook.conn_type:
            return ""
        from flightline.backends.keyed_pod import LABEL

        rancher = RancherHook(connection=connection)
        requests = _asked(self._conn_id, job.runtime).get("requests", {})
        chosen = rancher.having(rancher.selection, f"{LABEL}={job.label}") or rancher.choose(
            rancher.selection, gpus=job.resources.gpus or int(requests.get(GPU, 0))
        )
        self._operator.log.info("the pod runs in cluster %s", chosen)
        return chosen.id

    def kill(self) -> None:
        """Delete the pod."""
        if self._pod:
            self._pod.on_kill()


def asking(conn_id: str, image: str, arguments: Sequence[str], *, seconds: int) -> dict[str, Any]:
    """A pod, as the API takes it, that is asked something where and as training pods run.

    It requests little, and no accelerator, not to wait behind those that train.
    """
    template = _template(conn_id, TRAINER)
    container, *others = template["spec"]["containers"]
    limits = (container.get("resources") or {}).get("limits") or {}
    resources = {
        "requests": {"cpu": "100m", "memory": "256Mi"},
        "limits": {name: most for name, most in limits.items() if "/" not in name},  # `nvidia.com/gpu`
    }
    return {
        "metadata": {"namespace": NAMESPACE, **template.get("metadata", {}), "generateName": "ask-"},
        "spec": {
            **template["spec"],
            "activeDeadlineSeconds": seconds,
            "containers": [{**container, "image": image, "args": [*arguments], "resources": resources}, *others],
        },
    }


def _template(conn_id: str, runtime: str) -> dict[str, Any]:
    """The pod of a runtime in the profile that the Connection names."""
    found: dict[str, Any] = yaml.safe_load(_file(conn_id, runtime).read_text(encoding="utf-8"))
    return found


def _file(conn_id: str, runtime: str) -> Path:
    """The pod template of a profile and runtime. Raises InvalidInput if the profile has none for it."""
    profile = str(BaseHook.get_connection(conn_id).extra_dejson.get("profile", "cpu"))
    path = TEMPLATES / profile / f"{runtime}.yaml"
    if not path.is_file():
        raise InvalidInput(f"profile {profile!r} of Connection {conn_id} has no {runtime}.yaml in deploy/pods")
    return path


def _requirements(resources: Resources, template: Mapping[str, Any]) -> "V1ResourceRequirements | None":
    """What the job asks for, and the template where it asks for nothing; None leaves all to the template."""
    from kubernetes.client import V1ResourceRequirements

    gpus = {GPU: str(resources.gpus)} if resources.gpus else {}
    asked = {name: value for name, value in (("cpu", resources.cpu), ("memory", resources.memory)) if value}
    if not asked and not gpus:
        return None
    limits = gpus | ({"memory": resources.memory} if resources.memory else {})
    return V1ResourceRequirements(
        requests={**template.get("requests", {}), **asked, **gpus}, limits={**template.get("limits", {}), **limits}
    )


def _asked(conn_id: str, runtime: str) -> dict[str, Any]:
    """Requests and limits of a template."""
    return _template(conn_id, runtime)["spec"]["containers"][0].get("resources") or {}


@contextmanager
def _failing(cluster: str) -> Iterator[None]:
    """Say by one error how the pod ended: the provider can skip a task by exit code, but not fail it for good."""
    from kubernetes.client import ApiException

    where = f"cluster {cluster}: " if cluster else ""
    try:
        yield
    except AirflowSkipException as error:
        raise JobFailed(f"{where}{error}", permanent=True) from error
    except AirflowException as error:
        raise JobFailed(f"{where}{error}", permanent=isinstance(error, AirflowFailException)) from error
    except ApiException as error:
        if not cluster:
            raise
        # What Rancher's proxy says of a cluster that it cannot reach is no Status of Kubernetes.
        said = cut(" ".join(str(error.body or error.reason).split()), 300)
        raise JobFailed(f"{where}its API answered {error.status} through Rancher: {said}", permanent=False) from error
