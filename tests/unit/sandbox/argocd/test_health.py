"""The ladders of gitops-engine's pkg/health, one rung each."""

import pytest

from sandbox.argocd import health


def deployment(*, generation=2, observed=2, conditions=(), **status):
    return {
        "kind": "Deployment",
        "metadata": {"name": "web", "generation": generation},
        "spec": {"replicas": 2},
        "status": {"observedGeneration": observed, "conditions": list(conditions), **status},
    }


FULL = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}
LATE = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}


@pytest.mark.parametrize(
    ("live", "status", "message"),
    [
        (deployment(**FULL), "Healthy", ""),
        (deployment(**FULL, observed=1), "Progressing", "observed deployment generation less than desired"),
        (deployment(**FULL, observed=1, conditions=[LATE]), "Progressing", "observed deployment generation"),
        (
            deployment(**{**FULL, "availableReplicas": 0}, conditions=[LATE]),
            "Degraded",
            "exceeded its progress deadline",
        ),
        (deployment(**{**FULL, "updatedReplicas": 1}), "Progressing", "1 out of 2 new replicas have been updated"),
        (deployment(**{**FULL, "replicas": 3}), "Progressing", "1 old replicas are pending termination"),
        (deployment(**{**FULL, "availableReplicas": 1}), "Progressing", "1 of 2 updated replicas are available"),
        (deployment(), "Progressing", "0 out of 2"),
    ],
)
def test_deployment(live, status, message):
    judged = health.assess(live)
    assert judged.status == status
    assert message in judged.message


def test_paused_deployment_is_suspended():
    live = deployment(**FULL)
    live["spec"]["paused"] = True
    assert health.assess(live).status == "Suspended"


def pod(phase, *, policy="Always", ready=None, message=None, **container):
    status = {"phase": phase, "containerStatuses": [{"name": "main", **container}]}
    if ready is not None:
        status["conditions"] = [{"type": "Ready", "status": str(ready)}]
    if message:
        status["message"] = message
    return {"kind": "Pod", "metadata": {"name": "p"}, "spec": {"restartPolicy": policy}, "status": status}


@pytest.mark.parametrize(
    ("live", "status", "message"),
    [
        (pod("Running", ready=True), "Healthy", ""),
        (pod("Running", ready=False), "Progressing", ""),
        (pod("Running", policy="Never", ready=True), "Progressing", ""),
        (pod("Pending", message="no room"), "Progressing", "no room"),
        (pod("Succeeded", policy="Never"), "Healthy", ""),
        (
            pod("Failed", policy="Never", state={"terminated": {"exitCode": 3}}),
            "Degraded",
            'container "main" failed with exit code 3',
        ),
        (
            pod("Failed", policy="Never", state={"terminated": {"exitCode": 137, "reason": "OOMKilled"}}),
            "Degraded",
            "OOMKilled",
        ),
        (pod("Failed", policy="Never", message="Evicted"), "Degraded", "Evicted"),
        (
            pod("Pending", state={"waiting": {"reason": "ErrImagePull", "message": "no such image"}}),
            "Degraded",
            "no such image",
        ),
        (pod("Running", state={"waiting": {"reason": "CrashLoopBackOff"}}), "Degraded", "CrashLoopBackOff"),
        (pod("Pending", state={"waiting": {"reason": "ContainerCreating"}}), "Progressing", ""),
        (pod("Pending", policy="Never", state={"waiting": {"reason": "ErrImagePull"}}), "Progressing", ""),
        (
            pod("Running", ready=False, lastState={"terminated": {"exitCode": 1}}),
            "Degraded",
            'container "main" failed with exit code 1',
        ),
    ],
)
def test_pod(live, status, message):
    assert health.assess(live) == health.Health(status, message)


def job(*conditions):
    listed = [{"type": kind, "status": "True", "message": "why"} for kind in conditions]
    return {"kind": "Job", "metadata": {"name": "j"}, "spec": {}, "status": {"conditions": listed}}


def route(*statuses, observed=2):
    conditions = [{"type": "Accepted", "status": status, "observedGeneration": observed} for status in statuses]
    parents = {"parents": [{"conditions": conditions}]} if statuses else {}
    return {"kind": "HTTPRoute", "metadata": {"generation": 2}, "status": parents}


@pytest.mark.parametrize(
    ("live", "status"),
    [
        (job(), "Progressing"),
        (job("Complete"), "Healthy"),
        (job("Failed"), "Degraded"),
        (job("Suspended"), "Suspended"),
        ({"kind": "Service", "metadata": {}, "spec": {"type": "ClusterIP"}}, "Healthy"),
        ({"kind": "Service", "metadata": {}, "spec": {"type": "LoadBalancer"}}, "Progressing"),
        ({"kind": "PersistentVolumeClaim", "metadata": {}, "status": {"phase": "Lost"}}, "Degraded"),
        (
            {
                "kind": "ReplicaSet",
                "metadata": {"generation": 1},
                "spec": {"replicas": 1},
                "status": {"observedGeneration": 1},
            },
            "Progressing",
        ),
        (
            {
                "kind": "StatefulSet",
                "metadata": {"generation": 1},
                "spec": {"replicas": 1},
                "status": {"observedGeneration": 1, "readyReplicas": 1},
            },
            "Healthy",
        ),
        ({"kind": "ConfigMap", "metadata": {"deletionTimestamp": "now"}}, "Progressing"),
        (route(), "Progressing"),
        (route("True"), "Healthy"),
        (route("True", "False"), "Degraded"),
        (route("True", "False", observed=1), "Healthy"),
    ],
)
def test_others(live, status):
    assert health.assess(live).status == status


def test_kinds_without_health():
    assert health.assess({"kind": "ConfigMap", "metadata": {}}) is None
    assert not health.judged("ConfigMap")
    assert health.judged("Deployment")


@pytest.mark.parametrize(
    ("statuses", "worst"),
    [
        ([], "Healthy"),
        (["Healthy", "Suspended"], "Suspended"),
        (["Progressing", "Suspended"], "Progressing"),
        (["Progressing", "Missing"], "Missing"),
        (["Degraded", "Missing"], "Degraded"),
        (["Degraded", "Unknown"], "Unknown"),
    ],
)
def test_worst(statuses, worst):
    assert health.worst(statuses) == worst
