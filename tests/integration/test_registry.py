"""The registry against a real MLflow server."""

import pytest
from mlflow import MlflowClient

from include.foundation.errors import DigestMismatch, InvalidInput
from include.foundation.evidence.manifest import RunManifest
from include.stages.registry import aliased, champion, get, last_champion, newest, register, set_champion, tag

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def client(mlflow_url):
    return MlflowClient(tracking_uri=mlflow_url, registry_uri=mlflow_url)


@pytest.fixture(scope="module")
def run_id(client):
    tags = {"model_digest": "aa", "model_uri": "s3://models/toy/aa/model.onnx", "flightline.key": "of the run"}
    return client.create_run(client.create_experiment("toy"), tags=tags).info.run_id


def tags(digest):
    return {"model_digest": digest, "model_uri": f"s3://models/toy/{digest}/model.onnx", "other": "kept"}


def test_registering_again_returns_the_same_version(client, run_id):
    first = register(client, "again", run_id=run_id, tags=tags("aa"))
    assert (first.version, first.digest, first.run_id, first.gate) == ("1", "aa", run_id, None)
    assert first.uri == "s3://models/toy/aa/model.onnx"
    assert first.tags == tags("aa")
    assert register(client, "again", run_id=run_id) == first
    assert register(client, "again", run_id=run_id, tags=tags("bb")).version == "2"
    later = register(client, "again", run_id=run_id, tags={"dag_run": "manual", "other": "not this"})
    assert later.tags == tags("aa") | {"dag_run": "manual"}, "what it has stays"
    assert get(client, "again", "1") == later


def test_newest_is_the_last_registered_by_number(client, run_id):
    assert newest(client, "numbers") is None
    for number in range(11):
        register(client, "numbers", run_id=run_id, tags=tags(f"a{number}"))
    assert newest(client, "numbers").version == "11"
    assert newest(client, "numbers").digest == "a10"
    assert newest(client, "numbers", tagged="manifest_digest") is None, "none was registered by a train Dag"
    tag(client, "numbers", "9", {"manifest_digest": "m"})
    assert newest(client, "numbers", tagged="manifest_digest").version == "9"


def test_unfinished_fit_is_not_registered(client):
    unfinished = client.create_run("0").info.run_id
    with pytest.raises(InvalidInput, match="did not finish"):
        register(client, "unfinished", run_id=unfinished, tags={"model_digest": "aa"})


MANIFEST = RunManifest(
    use_case="told",
    spec_digest="ab",
    snapshots={"gold.told": "7"},
    window={
        "start": "2013-01-01",
        "validation_start": "2013-01-02",
        "holdout_start": "2013-01-03",
        "end": "2013-01-04",
    },
    commit="c",
    dirty=False,
    image="i",
    serving_image="s",
    feature_code="f",
    run_id="",
    seed=1,
    parameters={},
    parent_version=None,
    metrics={},
    artifacts={"model.onnx": "aa"},
)


def test_a_manifest_speaks_for_its_own_bytes_run_and_name_only(client, run_id):
    manifest = MANIFEST.model_copy(update={"run_id": run_id})
    one = register(client, "told", run_id=run_id, tags=tags("aa") | manifest.tags())
    assert one.manifest() == manifest
    other = register(client, "told", run_id=run_id, tags=tags("bb") | manifest.tags())
    with pytest.raises(DigestMismatch, match=r"told version 2 .* its tags were changed"):
        other.manifest()
    elsewhere = register(client, "elsewhere", run_id=run_id, tags=tags("aa") | manifest.tags())
    with pytest.raises(DigestMismatch, match="elsewhere version 1"):
        elsewhere.manifest()
    bare = register(client, "by hand", run_id=run_id, tags=tags("aa"))
    with pytest.raises(InvalidInput, match="by hand version 1 was not registered by its train Dag"):
        bare.manifest()


def test_no_champion_is_none(client, run_id):
    assert champion(client, "unheard-of") is None
    register(client, "young", run_id=run_id, tags=tags("aa"))
    assert champion(client, "young") is None


def test_champion_moves_and_remembers(client, run_id):
    one, two = (register(client, "moves", run_id=run_id, tags=tags(digest)) for digest in ("aa", "bb"))
    assert set_champion(client, "moves", one.version) is None
    assert champion(client, "moves").version == one.version
    for _ in range(2):  # the second time is a retry
        assert set_champion(client, "moves", two.version).version == one.version
        assert champion(client, "moves").version == two.version
        assert champion(client, "moves").tags["previous_champion"] == one.version
    assert set_champion(client, "moves", one.version).version == two.version


def test_a_lost_alias_is_not_a_first_time(client, run_id):
    one, two = (register(client, "lost", run_id=run_id, tags=tags(digest)) for digest in ("aa", "bb"))
    assert last_champion(client, "lost") is None
    set_champion(client, "lost", two.version)
    set_champion(client, "lost", one.version)
    assert last_champion(client, "lost").version == one.version
    client.delete_registered_model_alias("lost", "champion")
    assert aliased(client, "lost") is None
    with pytest.raises(InvalidInput, match=r"the alias `champion`, but version 1 had it since .* promote version 1"):
        champion(client, "lost")
    set_champion(client, "lost", one.version)
    assert champion(client, "lost").version == one.version


def test_unknown_version_cannot_be_champion(client, run_id):
    one = register(client, "careful", run_id=run_id, tags=tags("aa"))
    set_champion(client, "careful", one.version)
    with pytest.raises(InvalidInput, match="no version 7"):
        set_champion(client, "careful", "7")
    assert champion(client, "careful").version == one.version


def test_verdict_is_a_tag(client, run_id):
    one = register(client, "judged", run_id=run_id, tags=tags("aa"))
    tag(client, "judged", one.version, {"gate": "failed"})
    assert get(client, "judged", one.version).gate == "failed"
