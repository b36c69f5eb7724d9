"""Pods that run the project's own images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

from flightline.links.pages import MlflowRunLink

TEMPLATES = Path(__file__).parents[3] / "deploy" / "pods"


class TrainerPodOperator(KubernetesPodOperator):
    """Run `python -m include.training …` in a pod of the profile that the `cluster` Connection names.

    The profile (extra `profile`: `cpu`, `gpu`, `sandbox`; a folder of `deploy/pods/`) chooses image, accelerator and nodes. The
    pod is rejoined after a lost worker or scheduler, deleted when the task is killed, and its log is shown while it runs.
    """

    operator_extra_links = (MlflowRunLink(),)

    def __init__(self, *, arguments: list[str], conn_id: str = "cluster", **kwargs: Any) -> None:
        profile = f"{{{{ conn.{conn_id}.extra_dejson.get('profile', 'cpu') }}}}"
        defaults: dict[str, Any] = {
            "kubernetes_conn_id": conn_id,
            "pod_template_file": f"{TEMPLATES}/{profile}/trainer.yaml",
            "arguments": ["-m", "include.training", *arguments],
            "deferrable": True,
            "durable": True,
            "poll_interval": 1,
            "logging_interval": 15,
            "startup_check_interval_seconds": 1,
            "startup_timeout_seconds": 600,
            "log_events_on_startup": False,
            "log_events_on_failure": True,
            "container_name_log_prefix_enabled": False,
            "on_finish_action": "delete_succeeded_pod",
            "on_kill_action": "delete_pod",
        }
        super().__init__(**{**defaults, **kwargs})

    template_ext: Sequence[str] = ()
