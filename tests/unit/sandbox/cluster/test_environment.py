import base64

import pytest

from sandbox.cluster import environment
from sandbox.cluster.environment import ConfigError
from sandbox.cluster.images import Image

POD = {
    "metadata": {"name": "p", "namespace": "n", "uid": "u", "labels": {"app": "web"}, "annotations": {}},
    "spec": {"nodeName": "sandbox"},
    "status": {"podIP": "127.0.0.1"},
}
IMAGE = Image(path="/image/bin", env={"FROM": "image"})


def secret(registry, name, **entries):
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in entries.items()}
    registry.create("secrets", "n", {"metadata": {"name": name}, "data": encoded})


def variables(store, extra=None, **container):
    return environment.variables(store, POD, {"resources": {}, **container}, IMAGE, extra or {})


def field(name, path):
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def test_only_four_variables_are_inherited(store, monkeypatch):
    monkeypatch.setenv("SECRET", "x")
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.setenv("TMPDIR", "/t")
    seen = variables(store)
    assert seen["PATH"] == "/image/bin:/usr/bin"
    assert seen["TMPDIR"] == "/t"
    assert seen.keys() <= {"PATH", "HOME", "LANG", "TMPDIR", "HOSTNAME", "FROM"}


def test_later_sources_win_and_ports_cannot_be_overridden(store, registry):
    secret(registry, "s", FROM="secret", A="1", PORT="1", **{"1x": "x"})
    sources = [{"secretRef": {"name": "s"}, "prefix": "P_"}, {"secretRef": {"name": "s"}}]
    env = [{"name": "A", "value": "2"}, {"name": "PORT", "value": "80"}, {"name": "B", "value": "$(A)/$(PORT)/$(C)"}]
    seen = variables(store, {"PORT": "4711"}, envFrom=sources, env=env)
    expected = {"FROM": "secret", "P_A": "1", "A": "2", "PORT": "4711", "B": "2/4711/$(C)"}
    assert {key: seen[key] for key in expected} == expected
    assert "1x" not in seen


def test_fields_and_resources(store, registry):
    registry.create("nodes", "", {"metadata": {"name": "node"}})
    store.change("nodes", "", "node", lambda node: node.update(status={"allocatable": {"memory": "8Gi"}}))
    limits = {"resources": {"limits": {"cpu": "1500m"}}}
    env = [
        field("NAME", "metadata.name"),
        field("APP", "metadata.labels['app']"),
        field("IP", "status.podIP"),
        field("NODE", "spec.nodeName"),
        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        {"name": "MEMORY", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Gi"}}},
    ]
    seen = variables(store, env=env, **limits)
    assert [seen[key] for key in ("NAME", "APP", "IP", "NODE", "CPU", "MEMORY")] == [
        "p",
        "web",
        "127.0.0.1",
        "sandbox",
        "2",
        "8",
    ]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "no", "key": "a"}}}]}, 'secret "no" not found'),
        (
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "a"}}}]},
            "couldn't find key a in Secret n/s",
        ),
        ({"envFrom": [{"configMapRef": {"name": "no"}}]}, 'configmap "no" not found'),
        ({"env": [{"name": "A", "valueFrom": {"fileKeyRef": {}}}]}, "left out"),
    ],
)
def test_what_is_missing_is_named_unless_it_is_optional(store, registry, source, message):
    secret(registry, "s", B="1")
    with pytest.raises(ConfigError, match=message):
        variables(store, **source)
    for item in source.get("env", ()):
        for reference in item["valueFrom"].values():
            reference["optional"] = True
    for item in source.get("envFrom", ()):
        item["configMapRef"]["optional"] = True
    if message != "left out":
        assert "A" not in variables(store, **source)


def test_expansion():
    known = {"A": "1", "B": "$(A)"}
    assert environment.expand("$(A) $$(A) $(B) $(NO) $A $", known) == "1 $(A) $(A) $(NO) $A $"


def test_command_and_args_replace_those_of_the_image():
    image = Image(entrypoint=("run",), cmd=("default",))
    assert environment.command({}, image, {}) == ["run", "default"]
    assert environment.command({"args": ["$(A)"]}, image, {"A": "1"}) == ["run", "1"]
    assert environment.command({"command": ["other"]}, image, {}) == ["other"]
    with pytest.raises(ConfigError, match="no command"):
        environment.command({}, Image(), {})


def test_volumes_become_directories(store, registry, tmp_path):
    secret(registry, "s", a="1", b="2")
    volumes = [
        {"name": "scratch", "emptyDir": {}},
        {"name": "my-secret", "secret": {"secretName": "s", "items": [{"key": "a", "path": "deep/x"}]}},
        {"name": "none", "configMap": {"name": "absent", "optional": True}},
    ]
    told = environment.make_volumes(store, POD | {"spec": {"volumes": volumes}}, tmp_path, tmp_path / "claims")
    assert told == {
        "VOLUME_SCRATCH": str(tmp_path / "scratch"),
        "VOLUME_MY_SECRET": str(tmp_path / "my-secret"),
        "VOLUME_NONE": str(tmp_path / "none"),
    }
    assert [
        path.relative_to(tmp_path / "my-secret") for path in (tmp_path / "my-secret").rglob("*") if path.is_file()
    ] == [(tmp_path / "deep/x").relative_to(tmp_path)]
    assert (tmp_path / "my-secret" / "deep" / "x").read_text() == "1"
    for volume, message in (
        ({"persistentVolumeClaim": {"claimName": "x"}}, 'persistentvolumeclaim "x" not found'),
        ({"hostPath": {"path": "/"}}, "hostPath is left out"),
        ({"secret": {"secretName": "absent"}}, 'secret "absent" not found'),
        ({"secret": {"secretName": "s", "items": [{"key": "a", "path": "../../x"}]}}, "leaves the volume"),
        ({"secret": {"secretName": "s", "items": [{"key": "no", "path": "x"}]}}, "non-existent key no"),
    ):
        with pytest.raises(ConfigError, match=message):
            environment.make_volumes(store, POD | {"spec": {"volumes": [{"name": "v", **volume}]}}, tmp_path, tmp_path)


def test_a_claims_directory_does_not_go_with_the_pod(store, registry, tmp_path):
    registry.create("persistentvolumeclaims", "n", {"metadata": {"name": "home"}})
    volumes = [{"name": "home", "persistentVolumeClaim": {"claimName": "home"}}]
    told = environment.make_volumes(
        store, POD | {"spec": {"volumes": volumes}}, tmp_path / "pod/volumes", tmp_path / "claims"
    )
    assert told == {"VOLUME_HOME": str(tmp_path / "claims/n/home")}
    assert (tmp_path / "claims/n/home").is_dir()
