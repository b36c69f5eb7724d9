"""The pod that a profile asks for, as KubernetesPodOperator builds it from the template."""

import json

import pytest
import yaml

from flightline.operators.pods import TEMPLATES, TrainerPodOperator

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
    assert container.args == ["-m", "include.training", "trial", "--run-id", "r1"]
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
