"""The pod that a profile asks for, as KubernetesPodOperator builds it from the template."""

import json

import pytest
import yaml
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from kubernetes.client import models as k8s

from flightline.operators.pods import PERMANENT, TEMPLATES, TrainerPodOperator
from include.steps.__main__ import PERMANENT as SAID

PROFILES = sorted(path.name for path in TEMPLATES.iterdir())


CLUSTER = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "c",
    "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
    "users": [{"name": "u", "user": {}}],
    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
}


@pytest.fixture(autouse=True)
def _connection(monkeypatch):
    connection = {"conn_type": "kubernetes", "extra": {"kube_config": CLUSTER}}
    monkeypatch.setenv("AIRFLOW_CONN_CLUSTER", json.dumps(connection))


def pod_of(profile):
    operator = TrainerPodOperator(task_id="trial", arguments=["trial", "--run-id", "r1"])
    assert "conn.cluster.extra_dejson" in operator.pod_template_file
    operator.pod_template_file = str(TEMPLATES / profile / "trainer.yaml")  # what the template renders to
    return operator.pod.build_pod_request_obj()


def test_there_are_the_three_profiles():
    assert PROFILES == ["cpu", "gpu", "sandbox"]


def test_the_gpu_profile_asks_for_a_gpu_and_nothing_else_may_take_its_node():
    pod = pod_of("gpu")
    container = pod.spec.containers[0]
    assert str(container.resources.limits["nvidia.com/gpu"]) == "1"
    assert str(container.resources.requests["nvidia.com/gpu"]) == "1"
    assert pod.spec.node_selector == {"nvidia.com/gpu.present": "true"}
    assert [(each.key, each.operator, each.effect) for each in pod.spec.tolerations] == [
        ("nvidia.com/gpu", "Exists", "NoSchedule")
    ]
    assert {each.name: each.value for each in container.env}["FLIGHTLINE_DEVICE"] == "gpu"


@pytest.mark.parametrize("profile", PROFILES)
def test_a_pod_runs_the_trainer_without_privileges(profile):
    pod = pod_of(profile)
    (container,) = pod.spec.containers
    assert container.command == ["python"]
    assert container.args == ["-m", "include.steps", "trial", "--run-id", "r1"]
    assert pod.metadata.namespace == "flightline"
    assert pod.spec.security_context.run_as_non_root
    assert not pod.spec.automount_service_account_token
    assert container.security_context.capabilities.drop == ["ALL"]
    assert [each.secret_ref.name for each in container.env_from] == ["flightline-trainer"]
    assert container.resources.limits["memory"]


@pytest.mark.parametrize("profile", ["cpu", "gpu"])
def test_a_pod_in_a_container_writes_nowhere_but_to_its_scratch_folder(profile):
    """A pod of the sandbox is a process: it has no root file system of its own."""
    pod = pod_of(profile)
    (container,), (volume,) = pod.spec.containers, pod.spec.volumes
    assert container.security_context.read_only_root_filesystem
    assert [(mount.name, mount.mount_path) for mount in container.volume_mounts] == [(volume.name, "/tmp")]
    assert volume.empty_dir.size_limit


@pytest.mark.parametrize("profile", [name for name in PROFILES if name != "gpu"])
def test_other_profiles_ask_for_no_gpu(profile):
    text = (TEMPLATES / profile / "trainer.yaml").read_text()
    assert "nvidia.com/gpu" not in text
    assert yaml.safe_load(text)["kind"] == "Pod"


@pytest.mark.parametrize("method", ["execute", "trigger_reentry"])
def test_a_pod_that_says_that_no_retry_helps_fails_the_task_for_good(monkeypatch, method):
    assert PERMANENT == SAID
    operator = TrainerPodOperator(task_id="trial", arguments=["trial"])
    for name in (
        "is_istio_enabled",
        "patch_already_checked",
        "process_pod_deletion",
        "_read_pod_container_states",
        "_read_pod_events",
    ):
        monkeypatch.setattr(KubernetesPodOperator, name, lambda *arguments, **options: None)

    def ended(code):
        terminated = k8s.V1ContainerState(terminated=k8s.V1ContainerStateTerminated(exit_code=code))
        status = k8s.V1ContainerStatus(
            name="base", image="i", image_id="i", ready=False, restart_count=0, state=terminated
        )
        pod = k8s.V1Pod(
            metadata=k8s.V1ObjectMeta(name="p"),
            spec=k8s.V1PodSpec(containers=[]),
            status=k8s.V1PodStatus(phase="Failed", container_statuses=[status]),
        )

        def ends(self, *arguments):
            self.cleanup(pod, pod)

        ends.__wrapped__ = ends
        return ends

    arguments = ({},) if method == "execute" else ({}, {})
    monkeypatch.setattr(KubernetesPodOperator, method, ended(PERMANENT))
    with pytest.raises(AirflowFailException, match=f"exit code {PERMANENT}"):
        getattr(operator, method)(*arguments)
    monkeypatch.setattr(KubernetesPodOperator, method, ended(1))
    with pytest.raises(AirflowException, match="returned a failure") as caught:
        getattr(operator, method)(*arguments)
    assert not isinstance(caught.value, AirflowFailException)
