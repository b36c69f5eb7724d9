import json
from string import Template

import pytest
import yaml

from include.foundation import spec
from include.foundation.errors import InvalidInput
from include.foundation.spec.promotion import Stage
from include.stages.promotion import manifests
from include.stages.promotion.routing import Split

FLIGHTS = spec.load("flight_delays")
STAGING, PRODUCTION = FLIGHTS.promotion.stages
VERSION = {
    "model_uri": f"s3://models/flight_delays/{'a' * 64}/model.onnx",
    "digest": "a" * 64,
    "image": "flightline/serving:0.1.0",
    "manifest_digest": "b" * 64,
    "feature_code": "d" * 64,
    "run_id": "r1",
}


ALONE = Split(candidate="3")


def _render(
    stage: Stage = PRODUCTION, split: Split = ALONE, before: dict[str, str] | None = None, **changes: str
) -> dict:
    return manifests.render(FLIGHTS, stage, split, before=before or {}, parent="flightline/main", **VERSION | changes)


def _rendered(stage: Stage = PRODUCTION, version: str = "3", **changes: str) -> dict[str, dict]:
    files = _render(stage, Split(candidate=version), **changes)
    return {
        path.rpartition("/")[2].removesuffix(".yaml").partition("-")[0]: yaml.safe_load(text)
        for path, text in files.items()
        if path.endswith(".yaml")
    }


def test_a_deployment_names_the_cluster_it_goes_to() -> None:
    stage = Stage(name="edge", cluster="cluster_west")
    assert _rendered(stage)["deployment"]["metadata"]["annotations"]["flightline/cluster"] == "cluster_west"
    application = manifests.application(FLIGHTS, stage, "x", server="https://west.example:6443")
    assert application["spec"]["destination"] == {
        "server": "https://west.example:6443",
        "namespace": "flightline-edge",
    }


def test_files_of_a_stage_lie_where_its_application_looks() -> None:
    application = manifests.application(FLIGHTS, STAGING, "file:///srv/gitops.git")
    assert set(_render(STAGING)) == {
        "flight-delays/staging/deployment-3.yaml",
        "flight-delays/staging/service-3.yaml",
        "flight-delays/staging/route.yaml",
        "flight-delays/staging/README.md",
    }
    assert application["metadata"]["name"] == "flight-delays-staging"
    assert application["spec"] == {
        "project": "default",
        "destination": {"server": "https://kubernetes.default.svc", "namespace": "flightline-staging"},
        "source": {"repoURL": "file:///srv/gitops.git", "path": "flight-delays/staging", "targetRevision": "main"},
        "syncPolicy": {"syncOptions": ["CreateNamespace=true", "PruneLast=true"]},
    }
    assert {m["metadata"]["namespace"] for m in _rendered(STAGING).values()} == {"flightline-staging"}


def test_the_same_version_gives_the_same_text() -> None:
    assert _render() == _render()


def test_another_version_changes_only_what_names_it() -> None:
    def leaves(node: object, at: str = "") -> dict[str, object]:
        items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else None
        if items is None:
            return {at: node}
        return {path: leaf for key, child in items for path, leaf in leaves(child, f"{at}.{key}").items()}

    before, after = leaves(_rendered()), leaves(_rendered(version="4", digest="c" * 64))
    changed = {path.rpartition(".")[2] for path in before if before[path] != after[path]}
    assert before.keys() == after.keys()
    named = {"flightline/model-version", "flightline/model-digest", "value", "name", "io/version"}
    assert changed == named


def test_the_pod_gets_the_pin_and_the_spec() -> None:
    deployment = _rendered()["deployment"]
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert deployment["spec"]["replicas"] == PRODUCTION.replicas == 2
    assert container["image"] == "flightline/serving:0.1.0"
    assert container["command"] == ["python", "-m", "include.services.serving"]
    assert {item["name"]: item["value"] for item in container["env"] if "value" in item} == {
        "FLIGHTLINE_USE_CASE": "flight_delays",
        "FLIGHTLINE_STAGE": "production",
        "FLIGHTLINE_MODEL_URI": VERSION["model_uri"],
        "FLIGHTLINE_MODEL_DIGEST": "a" * 64,
        "FLIGHTLINE_MODEL_VERSION": "3",
        "FLIGHTLINE_MODEL_RUN": "r1",
        "FLIGHTLINE_FEATURE_CODE": "d" * 64,
        "FLIGHTLINE_KAFKA": "{}",
    }
    assert container["envFrom"] == [{"secretRef": {"name": "flightline-serving"}}]
    assert container["resources"]["requests"] == {"cpu": FLIGHTS.serving.cpu, "memory": FLIGHTS.serving.memory}


def test_the_pod_has_no_rights_and_rolls_without_a_gap() -> None:
    deployment = _rendered()["deployment"]["spec"]
    pod = deployment["template"]["spec"]
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["containers"][0]["readinessProbe"]["httpGet"]["path"] == "/v2/health/ready"


def test_the_service_selects_the_pods() -> None:
    rendered = _rendered()
    labels = rendered["deployment"]["spec"]["template"]["metadata"]["labels"]
    service = rendered["service"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert rendered["deployment"]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert (service["metadata"]["name"], service["spec"]["type"]) == ("flight-delays-v3", "NodePort")
    assert [(port["port"], port["targetPort"]) for port in service["spec"]["ports"]] == [(80, 8080)]


@pytest.mark.parametrize("value", ["3: {evil: true}", "'\"\n- x", "${image}", "!!python", "007", "null"])
def test_a_value_stays_a_string(value: str) -> None:
    deployment = _rendered(version=value)["deployment"]
    assert deployment["metadata"]["annotations"]["flightline/model-version"] == value


def test_every_annotation_and_variable_is_a_string() -> None:
    deployment = _rendered()["deployment"]
    pod = deployment["spec"]["template"]
    values = [
        *deployment["metadata"]["annotations"].values(),
        *pod["metadata"]["annotations"].values(),
        *(item.get("value", "of a Secret") for item in pod["spec"]["containers"][0]["env"]),
    ]
    assert all(isinstance(value, str) for value in values)
    assert not Template(json.dumps(_rendered())).get_identifiers()


def test_names_of_a_stage_with_an_underscore_are_valid() -> None:
    stage = Stage(name="pre_production", replicas=1)
    assert stage.namespace == "flightline-pre-production"
    assert manifests.application(FLIGHTS, stage, "x")["metadata"]["name"] == "flight-delays-pre-production"


def test_a_deployment_says_where_predictions_are_logged_and_only_names_the_secret() -> None:
    kafka = '{"bootstrap.servers": "a:9092"}'
    env = _rendered(kafka=kafka)["deployment"]["spec"]["template"]["spec"]["containers"][0]["env"]
    named = {each["name"]: each for each in env}
    assert named["FLIGHTLINE_KAFKA"]["value"] == kafka
    assert named["FLIGHTLINE_KAFKA_PASSWORD"] == {
        "name": "FLIGHTLINE_KAFKA_PASSWORD",
        "valueFrom": {"secretKeyRef": {"name": "flightline-kafka", "key": "password", "optional": True}},
    }
    assert '"name": "FLIGHTLINE_KAFKA", "value": "{}"' in json.dumps(_rendered())


def test_the_stable_version_stays_as_it_was_until_the_candidate_serves_alone() -> None:
    before = _render()
    both = _render(split=Split(candidate="4", stable="3", weight=10), before=before)
    kept = {path for path in before if "-3.yaml" in path}
    assert len(kept) == 2
    assert all(both[path] == before[path] for path in kept)
    assert manifests.deployed(FLIGHTS, PRODUCTION, both).version == "3"
    assert manifests.deployed(FLIGHTS, PRODUCTION, both).replicas == {"3": 2, "4": 2}
    alone = _render(split=Split(candidate="4"), before=both)
    assert {path for path, text in alone.items() if text is None} == kept
    found = manifests.deployed(FLIGHTS, PRODUCTION, {path: text for path, text in alone.items() if text})
    assert (found.version, found.stable("5"), found.stable("4")) == ("4", "4", None)


def test_a_stable_version_whose_files_are_lost_is_named() -> None:
    with pytest.raises(
        InvalidInput, match=r"flight-delays/production/deployment-3\.yaml is not in the GitOps repository"
    ):
        _render(split=Split(candidate="4", stable="3", weight=10))


def test_a_folder_of_an_older_layout_is_replaced_at_once() -> None:
    old = yaml.safe_dump({"metadata": {"annotations": {"flightline/model-version": "2"}}, "spec": {"replicas": 1}})
    before = {"flight-delays/production/deployment.yaml": old, "flight-delays/production/service.yaml": "x"}
    found = manifests.deployed(FLIGHTS, PRODUCTION, before)
    assert (found.version, found.stable("3"), found.foreign) == ("2", None, ())
    assert {path for path, text in _render(before=before).items() if text is None} == set(before)
