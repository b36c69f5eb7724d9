"""Pods that run the project's own images."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from airflow.sdk import BaseHook, BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from flightline.links.pages import MlflowRunLink

if TYPE_CHECKING:
    from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
    from airflow.sdk import Context

TEMPLATES = Path(__file__).parents[3] / "deploy" / "pods"
PERMANENT = 65  # include/steps/__main__.py


def trainer_image(conn_id: str = "cluster") -> str:
    """The image of the profile that the Connection names."""
    profile = BaseHook.get_connection(conn_id).extra_dejson.get("profile", "cpu")
    template = yaml.safe_load((TEMPLATES / profile / "trainer.yaml").read_text(encoding="utf-8"))
    return str(template["spec"]["containers"][0]["image"])


class TrainerPodOperator(BaseOperator):
    """Run `python -m include.steps …` in a pod, by KubernetesPodOperator (deferrable, durable).

    The profile (extra `profile` of the `cluster` Connection: a folder of `deploy/pods/`) chooses image, accelerator and
    nodes. A pod is rejoined after a lost worker or scheduler, deleted when the task is killed, and its log is shown
    while it runs. A pod that says by its exit code that a retry cannot help fails the task at once.

    It holds a KubernetesPodOperator instead of being one, because the import of both Kubernetes clients costs seconds,
    which every parse of the Dag file, and so every light task of the same Dag, would pay.

    Args:
        arguments: what follows `python -m include.steps`.
        conn_id: Connection of type `kubernetes`.
    """

    template_fields: Sequence[str] = ("arguments", "conn_id", "pod_template_file")
    operator_extra_links = (MlflowRunLink(),)
    ui_color = "#cfe2ff"

    def __init__(self, *, arguments: list[str], conn_id: str = "cluster", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.arguments = arguments
        self.conn_id = conn_id
        self.pod_template_file = f"{TEMPLATES}/{{{{ conn.{conn_id}.extra_dejson.get('profile', 'cpu') }}}}/trainer.yaml"

    @cached_property
    def pod(self) -> "KubernetesPodOperator":
        """The operator that does the work; to be asked only once the templates are rendered."""
        from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

        return KubernetesPodOperator(
            task_id=self.task_id,
            execution_timeout=self.execution_timeout,
            kubernetes_conn_id=self.conn_id,
            pod_template_file=self.pod_template_file,
            name=self.task_id.replace(".", "-").replace("_", "-"),
            arguments=["-m", "include.steps", *map(str, self.arguments)],
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

    def execute(self, context: "Context") -> Any:
        """Start the pod, or rejoin the one that an earlier try started."""
        # Past the guard that warns of operators called by hand: this one is called for the task itself.
        with _failing():
            return type(self.pod).execute.__wrapped__(self.pod, context)  # type: ignore[attr-defined]

    def trigger_reentry(self, context: "Context", event: dict[str, Any]) -> Any:
        """Go on after the trigger: show the log, wait again or end. KubernetesPodOperator defers to this name."""
        with _failing():
            return self.pod.trigger_reentry(context, event)

    def on_kill(self) -> None:
        """Delete the pod."""
        self.pod.on_kill()


@contextmanager
def _failing() -> Iterator[None]:
    """KubernetesPodOperator can skip a task by exit code, but not fail it for good: turn the one into the other."""
    try:
        yield
    except AirflowSkipException as error:
        raise AirflowFailException(f"a retry cannot help, the log above says why: {error}") from error
