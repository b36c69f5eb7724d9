"""The pod that a profile asks for, as KubernetesPodOperator builds it from the template."""

import json
from types import SimpleNamespace

import pytest
import yaml
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import BaseOperator
from kubernetes import client as k8s_client
from kubernetes.client import models as k8s

from flightline.backends.keyed_pod import LABEL
from flightline.backends.pods import TEMPLATES, Pods, asking
from flightline.backends.protocol import JobFailed
from flightline.exceptions import ClusterUnavailable
from flightline.hooks.lake import LakeHook
from flightline.hooks.rancher import RancherHook
from flightline.hooks.rancher_cluster import Cluster
from flightline.operators.data import DataJobOperator
from include.foundation.errors import InvalidInput
from include.foundation.jobs import PERMANENT, Job, Resources
from include.foundation.spec import load_all
from include.foundation.spec.engine import Engine

PROFILES = sorted(path.name for path in TEMPLATES.iterdir())
RUNTIMES = ("spark", "torch", "trainer")


CLUSTER = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "c",
    "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
    "users": [{"name": "u", "user": {}}],
    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
}


JOB = Job(name="trial", arguments=("-m", "include.steps", "trial", "--run-id", "r1"), image="flightline/trainer:1")


@pytest.fixture(autouse=True)
def profile(monkeypatch):
    """Call it to set the Connection's profile."""

    def use(name):
        extra = {"kube_config": CLUSTER, "profile": name}
        monkeypatch.setenv("AIRFLOW_CONN_CLUSTER", json.dumps({"conn_type": "kubernetes", "extra": extra}))

    use("cpu")
    return use


@pytest.fixture
def pod_of(profile):
    def build(name, job=JOB):
        profile(name)
        return Pods(BaseOperator(task_id="trial"), conn_id="cluster").pod(job).build_pod_request_obj()

    return build


def test_there_are_the_three_profiles():
    assert PROFILES == ["cpu", "gpu", "sandbox"]


def test_the_gpu_profile_asks_for_a_gpu_and_nothing_else_may_take_its_node(pod_of):
    pod = pod_of("gpu")
    container = pod.spec.containers[0]
    assert str(container.resources.limits["nvidia.com/gpu"]) == "1"
    assert str(container.resources.requests["nvidia.com/gpu"]) == "1"
    assert pod.spec.node_selector == {"nvidia.com/gpu.present": "true"}
    assert [(each.key, each.operator, each.effect) for each in pod.spec.tolerations] == [
        ("nvidia.com/gpu", "Exists", "NoSchedule")
    ]
    assert {each.name: each.value for each in container.env}["FLIGHTLINE_DEVICE"] == "gpu"


def test_a_job_of_two_gpus_keeps_the_rest_of_its_template(pod_of):
    job = JOB.model_copy(update={"runtime": "torch", "resources": Resources(gpus=2)})
    one, two = (pod_of("gpu", each).spec.containers[0] for each in (JOB.model_copy(update={"runtime": "torch"}), job))
    for kind in ("requests", "limits"):
        asked = getattr(one.resources, kind)
        assert getattr(two.resources, kind) == {**asked, "nvidia.com/gpu": "2"} != asked
    assert {each.mount_path for each in two.volume_mounts} == {"/tmp", "/dev/shm"}


@pytest.mark.parametrize("name", PROFILES)
def test_a_pod_runs_the_trainer_without_privileges(pod_of, name):
    pod = pod_of(name)
    (container,) = pod.spec.containers
    assert container.image == "flightline/trainer:1"
    assert {each.name: each.value for each in container.env}["FLIGHTLINE_IMAGE"] == "flightline/trainer:1"
    assert container.command == ["python"]
    assert container.args == ["-m", "include.steps", "trial", "--run-id", "r1"]
    assert pod.metadata.namespace == "flightline"
    assert pod.spec.security_context.run_as_non_root
    assert not pod.spec.automount_service_account_token
    assert container.security_context.capabilities.drop == ["ALL"]
    assert [each.secret_ref.name for each in container.env_from] == ["flightline-trainer"]
    assert container.resources.limits["memory"]


@pytest.mark.parametrize("name", ["cpu", "gpu"])
def test_a_pod_in_a_container_writes_nowhere_but_to_its_scratch_folder(pod_of, name):
    """A pod of the sandbox is a process: it has no root file system of its own."""
    pod = pod_of(name)
    (container,), (volume,) = pod.spec.containers, pod.spec.volumes
    assert container.security_context.read_only_root_filesystem
    assert [(mount.name, mount.mount_path) for mount in container.volume_mounts] == [(volume.name, "/tmp")]
    assert volume.empty_dir.size_limit


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", [each for each in PROFILES if each != "gpu"])
def test_other_profiles_ask_for_no_gpu(name, runtime):
    text = (TEMPLATES / name / f"{runtime}.yaml").read_text()
    assert "nvidia.com/gpu" not in text
    assert yaml.safe_load(text)["kind"] == "Pod"


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_has_a_template_for_each_runtime_and_no_other(pod_of, monkeypatch, name):
    monkeypatch.setenv("FLIGHTLINE_COMMIT", "c0ffee")
    assert sorted(path.stem for path in (TEMPLATES / name).iterdir()) == [*RUNTIMES]
    assert {spec.training.runtime for spec in load_all()} <= {*RUNTIMES}
    for runtime in RUNTIMES:
        assert Pods.image("cluster", runtime).startswith(f"flightline/{runtime}")


def test_a_runtime_without_a_template_is_named(profile):
    profile("gpu")
    with pytest.raises(InvalidInput, match=r"profile 'gpu' of Connection cluster has no jax.yaml in deploy/pods"):
        Pods.image("cluster", "jax")


def test_a_pod_of_several_processes_has_memory_that_they_share(pod_of):
    pod = pod_of("gpu", JOB.model_copy(update={"runtime": "torch"}))
    (mount,) = [each for each in pod.spec.containers[0].volume_mounts if each.mount_path == "/dev/shm"]
    (volume,) = [each for each in pod.spec.volumes if each.name == mount.name]
    assert (volume.empty_dir.medium, volume.empty_dir.size_limit) == ("Memory", "2Gi")


def test_a_pod_is_found_by_what_it_does_and_carries_what_the_job_says(pod_of):
    job = JOB.model_copy(
        update={"environment": {"A": "b"}, "resources": Resources(cpu="2", memory="3Gi", gpus=1), "image": "other:2"}
    )
    pod = pod_of("cpu", job)
    (container,) = pod.spec.containers
    assert pod.metadata.labels[LABEL] == job.key[:63] != JOB.key[:63]
    assert container.image == "other:2"
    assert {each.name: each.value for each in container.env}["A"] == "b"
    assert {each.name for each in container.env} > {"FLIGHTLINE_DEVICE", "POD_NAME"}, "the template's stay"
    assert container.resources.requests == {"cpu": "2", "memory": "3Gi", "nvidia.com/gpu": "1"}
    assert container.resources.limits == {"memory": "3Gi", "nvidia.com/gpu": "1"}

    found = Pods(BaseOperator(task_id="trial"), conn_id="cluster").pod(job)
    assert found._build_find_pod_label_selector({}) == f"{LABEL}={job.key[:63]},already_checked!=True"


def test_no_secret_of_the_connection_goes_into_the_trigger(monkeypatch):
    deferred = []
    monkeypatch.setattr(BaseOperator, "defer", lambda self, **options: deferred.append(options))
    pod = Pods(BaseOperator(task_id="trial"), conn_id="cluster").pod(JOB)
    pod.pod = k8s.V1Pod(metadata=k8s.V1ObjectMeta(name="p", namespace="n"))
    pod.invoke_defer_method()
    (options,) = deferred
    _, fields = options["trigger"].serialize()
    assert fields["kubernetes_conn_id"] == "cluster"
    assert not fields["connection_extras"]
    assert "kube_config" not in json.dumps(fields, default=str)


@pytest.mark.parametrize("name", PROFILES)
def test_a_pod_that_is_asked_runs_as_those_that_train_but_waits_for_no_gpu(profile, tmp_path, monkeypatch, name):
    template = yaml.safe_load((TEMPLATES / name / "trainer.yaml").read_text())
    template["spec"]["imagePullSecrets"] = [{"name": "registry"}]
    template["metadata"].pop("namespace")
    (tmp_path / name).mkdir()
    (tmp_path / name / "trainer.yaml").write_text(yaml.safe_dump(template))
    monkeypatch.setattr("flightline.backends.pods.TEMPLATES", tmp_path)
    profile(name)
    pod = asking("cluster", "i:1", ["-c", "1"], seconds=9)
    (container,), (given,) = pod["spec"].pop("containers"), template["spec"].pop("containers")
    assert pod["spec"] == {**template["spec"], "activeDeadlineSeconds": 9}
    assert pod["metadata"] == {**template["metadata"], "namespace": "flightline", "generateName": "ask-"}
    resources, most = container.pop("resources"), given.pop("resources")["limits"]
    assert container == {**given, "image": "i:1", "args": ["-c", "1"]}
    assert resources["limits"] == {"memory": most["memory"]}
    assert {*resources["requests"]} == {"cpu", "memory"}


@pytest.fixture
def rancher(monkeypatch):
    """The Connection leads to Rancher, with two clusters; which has the job's pod, and which are down."""
    said = {"having": None, "down": set(), "asked": []}
    east, west = (Cluster(id=f"c-m-{name}", name=name, state="active") for name in ("east", "west"))

    def choose(self, selection, *, gpus=0):
        said["asked"].append((selection, gpus))
        found = [each for each in (east, west) if each.name not in said["down"]]
        if not found:
            raise ClusterUnavailable("cluster east is unavailable; cluster west is unavailable")
        return found[0]

    extra = {"cluster": {"tier": "training"}, "profile": "cpu"}
    connection = {"conn_type": "rancher", "host": "rancher", "password": "token-a:s3cr3t", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_CLUSTER", json.dumps(connection))
    monkeypatch.setattr(RancherHook, "clusters", lambda _: [east, west])
    monkeypatch.setattr(RancherHook, "having", lambda self, selection, pods: said["having"])
    monkeypatch.setattr(RancherHook, "choose", choose)
    return said


def test_a_job_s_pod_is_followed_where_it_is_and_no_token_goes_along(rancher, monkeypatch):
    deferred = []
    monkeypatch.setattr(BaseOperator, "defer", lambda self, **options: deferred.append(options))
    pods = Pods(BaseOperator(task_id="trial"), conn_id="cluster")
    assert pods._choose(JOB) == "c-m-east"
    assert rancher["asked"] == [({"tier": "training"}, 0)]
    rancher["having"] = Cluster(id="c-m-west", name="west", state="active")
    assert pods._choose(JOB) == "c-m-west"
    pod = pods.pod(JOB, cluster="c-m-west")
    assert pod.hook.cluster == "c-m-west"
    pod.pod = k8s.V1Pod(metadata=k8s.V1ObjectMeta(name="p", namespace="n"))
    pod.invoke_defer_method()
    (options,) = deferred
    path, fields = options["trigger"].serialize()
    assert path.endswith("ClusterPodTrigger")
    assert fields["cluster"] == fields["trigger_kwargs"]["cluster"] == "c-m-west"
    assert "s3cr3t" not in json.dumps(fields, default=str)
    assert "s3cr3t" not in json.dumps({name: getattr(pod, name) for name in pod.template_fields}, default=str)


def test_gpus_are_asked_for_as_the_job_or_its_template_says(rancher, monkeypatch):
    pods = Pods(BaseOperator(task_id="trial"), conn_id="cluster")
    pods._choose(JOB.model_copy(update={"resources": Resources(gpus=2)}))
    extra = {"cluster": "east", "profile": "gpu"}
    connection = {"conn_type": "rancher", "host": "rancher", "password": "x", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_CLUSTER", json.dumps(connection))
    pods._choose(JOB)
    assert rancher["asked"] == [({"tier": "training"}, 2), ("east", 1)]


def test_a_spark_job_goes_to_a_cluster_of_rancher_s_as_any_job(rancher, monkeypatch):
    monkeypatch.setattr("include.foundation.evidence.code.image", lambda name: f"{name}:1")
    monkeypatch.setattr(LakeHook, "lake", SimpleNamespace(models="s3://models"))
    spec = load_all()[0].model_copy(update={"engine": Engine(name="spark", backend="pods")})
    task = DataJobOperator(task_id="publish", spec=spec, arguments=["publish"], reads={}, conn_id="cluster")
    ti = SimpleNamespace(dag_id="d", task_id="publish", run_id="r", max_tries=0, map_index=-1, try_number=1)
    job = task.job({"ti": ti})
    assert (job.image, task.runner._choose(job)) == ("flightline/spark:1", "c-m-east")
    pod = task.runner.pod(job, cluster="c-m-east")
    assert (pod.hook.cluster, pod.arguments[:2]) == ("c-m-east", ["-m", "include.steps.data"])


def test_a_cluster_that_is_lost_is_named_and_another_try_may_help(rancher, monkeypatch):
    gone = k8s_client.ApiException(status=503, reason="Service Unavailable")
    gone.body = '{"Code":{"Code":"ClusterUnavailable","Status":503},"Message":"cluster agent disconnected"}'

    def lost(self, *arguments):
        raise gone

    lost.__wrapped__ = lost
    monkeypatch.setattr(KubernetesPodOperator, "execute", lost)
    monkeypatch.setattr(KubernetesPodOperator, "trigger_reentry", lost)
    pods = Pods(BaseOperator(task_id="trial"), conn_id="cluster")
    for work in (lambda: pods.run(JOB, {}), lambda: pods.resume(JOB, {}, {"cluster": "c-m-east"})):
        with pytest.raises(JobFailed, match=r"cluster c-m-east: its API answered 503 through Rancher: .*agent") as said:
            work()
        assert not said.value.permanent
    rancher["down"] |= {"east", "west"}
    with pytest.raises(JobFailed, match="cluster west is unavailable") as said:
        pods.run(JOB, {})
    assert not said.value.permanent


@pytest.mark.parametrize("method", ["execute", "trigger_reentry"])
def test_a_pod_says_by_its_exit_code_whether_a_retry_can_help(monkeypatch, method):
    pods = Pods(BaseOperator(task_id="trial"), conn_id="cluster")
    ends = {"execute": lambda: pods.run(JOB, {}), "trigger_reentry": lambda: pods.resume(JOB, {}, {})}[method]
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

    monkeypatch.setattr(KubernetesPodOperator, method, ended(PERMANENT))
    last = SimpleNamespace(data="gold ends é\n".encode())
    logs = SimpleNamespace(read_namespaced_pod_log=lambda *_, **options: last)
    monkeypatch.setattr(KubernetesPodOperator, "client", logs)
    with pytest.raises(JobFailed, match=rf"^gold ends é \(.*exit code {PERMANENT}") as caught:
        ends()
    assert caught.value.permanent

    def gone(*_, **options):
        raise k8s_client.ApiException(404)

    logs.read_namespaced_pod_log = gone
    with pytest.raises(JobFailed, match=f"^Pod p returned exit code {PERMANENT}") as caught:
        ends()
    assert caught.value.permanent
    monkeypatch.setattr(KubernetesPodOperator, method, ended(1))
    with pytest.raises(JobFailed, match="returned a failure") as caught:
        ends()
    assert not caught.value.permanent
