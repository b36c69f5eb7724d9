import pytest

from sandbox.cluster.admission import admit
from sandbox.cluster.resources import KINDS
from sandbox.cluster.status import ApiError


def faults(kind, body, old=None):
    body = {"metadata": {"name": "x"}, **body}
    with pytest.raises(ApiError) as caught:
        admit(KINDS[kind], body, old)
    assert caught.value.code == 422
    return {cause["field"] for cause in caught.value.details["causes"]}


def container(**more):
    return {"name": "a", "image": "i", **more}


def pod(**more):
    return {"spec": {"containers": [container(**more)]}}


def test_defaults_of_a_pod():
    body = {"metadata": {"name": "x"}, **pod(ports=[{"containerPort": 80}], readinessProbe={"httpGet": {"port": 80}})}
    admit(KINDS["Pod"], body)
    spec = body["spec"]
    assert (spec["restartPolicy"], spec["terminationGracePeriodSeconds"], spec["serviceAccountName"]) == (
        "Always",
        30,
        "default",
    )
    assert spec["containers"][0]["readinessProbe"] == {
        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
        "periodSeconds": 10,
        "timeoutSeconds": 1,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    before = repr(body)
    admit(KINDS["Pod"], body)
    assert repr(body) == before


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("a", "Always"),
        ("a:latest", "Always"),
        ("a:1", "IfNotPresent"),
        ("r:5000/a", "Always"),
        ("a@sha256:0", "IfNotPresent"),
    ],
)
def test_pull_policy_follows_the_tag(image, policy):
    body = {"metadata": {"name": "x"}, **pod(image=image)}
    admit(KINDS["Pod"], body)
    assert body["spec"]["containers"][0]["imagePullPolicy"] == policy


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "A_B"}, "spec.containers[0].name"),
        ({"image": ""}, "spec.containers[0].image"),
        ({"env": [{"name": "A", "value": 1}]}, "spec.containers[0].env[0].value"),
        ({"args": [1]}, "spec.containers[0].args"),
        ({"ports": [{"containerPort": 0}]}, "spec.containers[0].ports"),
        (
            {"resources": {"limits": {"memory": "1Mi"}, "requests": {"memory": "2Mi"}}},
            "spec.containers[0].resources.requests",
        ),
        ({"resources": {"limits": {"memory": "lots"}}}, "spec"),
        (
            {"readinessProbe": {"periodSeconds": 0, "tcpSocket": {"port": 1}}},
            "spec.containers[0].readinessProbe.periodSeconds",
        ),
        ({"readinessProbe": {}, "livenessProbe": {"periodSeconds": 1}}, "spec.containers[0].livenessProbe"),
        ({"livenessProbe": {"grpc": {"port": 1}}}, "spec.containers[0].livenessProbe.grpc"),
        ({"livenessProbe": {"httpGet": {"path": "/"}}}, "spec.containers[0].livenessProbe.httpGet.port"),
        ({"livenessProbe": {"tcpSocket": {"port": 65536}}}, "spec.containers[0].livenessProbe.tcpSocket.port"),
        ({"livenessProbe": {"tcpSocket": {"port": "a b"}}}, "spec.containers[0].livenessProbe.tcpSocket.port"),
        ({"startupProbe": {"exec": {"command": []}}}, "spec.containers[0].startupProbe.exec.command"),
        ({"startupProbe": {"exec": {"command": "true"}}}, "spec.containers[0].startupProbe.exec.command"),
        ({"lifecycle": {"preStop": {"exec": {"x": 1}}}}, "spec.containers[0].lifecycle.preStop.exec.command"),
        ({"lifecycle": {"postStart": {"exec": {}}}}, "spec.containers[0].lifecycle.postStart"),
        ({"volumeMounts": [{"name": "absent", "mountPath": "/x"}]}, "spec.containers[0].volumeMounts"),
        ({"env": "text"}, "spec"),
    ],
)
def test_what_is_wrong_with_a_container_is_named(change, field):
    assert faults("Pod", pod(**change)) == {field}


def test_what_is_wrong_with_other_objects_is_named():
    assert faults("Pod", {"spec": {"containers": [container(), container()]}}) == {"spec.containers[1].name"}
    assert faults("Pod", {"spec": []}) == {"spec"}
    assert faults("ConfigMap", {"metadata": {"name": "Bad Name"}}) == {"metadata.name"}
    assert faults("ConfigMap", {"metadata": {"name": "x", "labels": {"a": "b c"}}}) == {"metadata.labels"}
    assert faults("ConfigMap", {"data": {"a": 1}}) == {"data[a]"}
    assert faults("Secret", {"data": {"a": "not base64!"}}) == {"data[a]"}
    assert faults("Service", {"spec": {"ports": [{"port": 1}, {"port": 2}]}}) == {
        "spec.ports[0].name",
        "spec.ports[1].name",
    }
    assert faults("Service", {"spec": {"type": "ExternalName", "ports": [{"port": 1}]}}) == {"spec.type"}
    template = {"metadata": {"labels": {"a": "b"}}, **pod()}
    unselected = {"selector": {"matchLabels": {"a": "c"}}, "template": template}
    assert faults("Deployment", {"spec": unselected}) == {"spec.template.metadata.labels"}
    assert faults("Deployment", {"spec": {"template": template}}) == {"spec.selector"}
    assert faults("Job", {"spec": {"template": pod()}}) == {"spec.template.spec.restartPolicy"}


OWNER = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "1"}


@pytest.mark.parametrize("key", OWNER)
@pytest.mark.parametrize("value", [None, "", 1])
def test_an_owner_is_named_in_full(key, value):
    metadata = {"name": "x", "ownerReferences": [OWNER, OWNER | {key: value}]}
    assert faults("ConfigMap", {"metadata": metadata}) == {f"metadata.ownerReferences[1].{key}"}


@pytest.mark.parametrize(
    ("part", "value"), [("finalizers", "x"), ("finalizers", [1]), ("ownerReferences", "x"), ("ownerReferences", 1)]
)
def test_finalizers_and_owners_are_lists(part, value):
    assert faults("ConfigMap", {"metadata": {"name": "x", part: value}}) == {f"metadata.{part}"}


def test_an_event_says_what_it_is_about_and_when():
    about = {"kind": "Pod", "name": "p"}
    admit(KINDS["Event"], {"metadata": {"name": "x"}, "involvedObject": about, "lastTimestamp": "2026-01-01T00:00:00Z"})
    assert faults("Event", {"reason": "Told"}) == {"involvedObject"}
    assert faults("Event", {"involvedObject": {"name": "p"}}) == {"involvedObject"}
    assert faults("Event", {"involvedObject": about, "count": "2"}) == {"event.count"}
    assert faults("Event", {"involvedObject": about, "lastTimestamp": "today"}) == {"spec"}


def test_a_running_pod_can_only_change_its_image():
    old = {"metadata": {"name": "x"}, **pod()}
    admit(KINDS["Pod"], old)
    admit(KINDS["Pod"], {"metadata": {"name": "x"}, **pod(image="other")} | {"spec": old["spec"]}, old)
    assert faults("Pod", pod(args=["new"]), old) == {"spec"}


def test_secrets_take_text_and_keep_base64():
    body = {"metadata": {"name": "x"}, "stringData": {"a": "b"}, "data": {"c": "ZA=="}}
    admit(KINDS["Secret"], body)
    assert body == {"metadata": {"name": "x"}, "type": "Opaque", "data": {"a": "Yg==", "c": "ZA=="}}
