import pytest

from sandbox.cluster import tables

META = {"name": "x", "creationTimestamp": "2026-01-01T00:00:00Z"}


def cells(kind, **item):
    table = tables.table(kind, [{"metadata": META, **item}], "7")
    names = [column["name"] for column in table["columnDefinitions"]]
    return dict(zip(names, table["rows"][0]["cells"], strict=True))


def pod(state, ready=True, **status):
    statuses = [{"name": "a", "state": state, "ready": ready, "restartCount": 3}]
    return {"spec": {"containers": [{}]}, "status": {"phase": "Running", "containerStatuses": statuses, **status}}


@pytest.mark.parametrize(
    ("item", "ready", "status"),
    [
        (pod({"running": {}}), "1/1", "Running"),
        (pod({"waiting": {"reason": "ImagePullBackOff"}}, ready=False), "0/1", "ImagePullBackOff"),
        (pod({"terminated": {"reason": "OOMKilled"}}, ready=False, phase="Failed"), "0/1", "OOMKilled"),
        (pod({"terminated": {"reason": "Completed"}}, ready=False, phase="Succeeded"), "0/1", "Completed"),
        ({"spec": {"containers": [{}]}, "status": {"phase": "Pending"}}, "0/1", "Pending"),
    ],
)
def test_pods(item, ready, status):
    shown = cells("Pod", **item)
    assert (shown["Name"], shown["Ready"], shown["Status"]) == ("x", ready, status)


def test_deployments_and_services():
    status = {"readyReplicas": 1, "updatedReplicas": 2}
    shown = cells("Deployment", spec={"replicas": 2}, status=status)
    assert [shown[key] for key in ("Ready", "Up-to-date", "Available")] == ["1/2", 2, 0]
    ports = [{"port": 80, "nodePort": 30000, "protocol": "TCP"}, {"port": 81, "protocol": "TCP"}]
    assert cells("Service", spec={"type": "NodePort", "ports": ports})["Port(s)"] == "80:30000/TCP,81/TCP"


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (119, "119s"), (120, "2m"), (7200, "2h"), (172800, "2d")])
def test_age(monkeypatch, seconds, text):
    monkeypatch.setattr(tables.time, "time", lambda: tables.parse(META["creationTimestamp"]) + seconds)
    assert tables.age({"metadata": META}) == text


def test_only_who_prefers_a_table_gets_one():
    assert tables.wanted("application/json;as=Table;v=v1;g=meta.k8s.io,application/json")
    assert not tables.wanted("application/json")
    assert not tables.wanted("")
