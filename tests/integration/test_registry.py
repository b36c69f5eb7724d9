"""The registry against a real MLflow server."""

import pytest
from mlflow import MlflowClient

from include.errors import InvalidInput
from include.registry import champion, get, newest, register, set_champion, tag

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
    assert get(client, "again", "1") == first


def test_newest_is_the_last_registered_by_number(client, run_id):
    assert newest(client, "numbers") is None
    for number in range(11):
        register(client, "numbers", run_id=run_id, tags=tags(f"a{number}"))
    assert newest(client, "numbers").version == "11"
    assert newest(client, "numbers").digest == "a10"


def test_unfinished_fit_is_not_registered(client):
    unfinished = client.create_run("0").info.run_id
    with pytest.raises(InvalidInput, match="did not finish"):
        register(client, "unfinished", run_id=unfinished, tags={"model_digest": "aa"})


def test_no_champion_is_none(client, run_id):
    assert champion(client, "unheard-of") is None
    register(client, "young", run_id=run_id, tags=tags("aa"))
    assert champion(client, "young") is None


def test_champion_moves_and_remembers(client, run_id):
    one, two = (register(client, "moves", run_id=run_id, tags=tags(digest)) for digest in ("aa", "bb"))
    assert set_champion(client, "moves", one.version) is None
    assert champion(client, "moves") == one
    for _ in range(2):  # the second time is a retry
        assert set_champion(client, "moves", two.version).version == one.version
        assert champion(client, "moves").version == two.version
        assert champion(client, "moves").tags["previous_champion"] == one.version
    assert set_champion(client, "moves", one.version).version == two.version


def test_unknown_version_cannot_be_champion(client, run_id):
    one = register(client, "careful", run_id=run_id, tags=tags("aa"))
    set_champion(client, "careful", one.version)
    with pytest.raises(InvalidInput, match="no version 7"):
        set_champion(client, "careful", "7")
    assert champion(client, "careful") == one


def test_verdict_is_a_tag(client, run_id):
    one = register(client, "judged", run_id=run_id, tags=tags("aa"))
    tag(client, "judged", one.version, {"gate": "failed"})
    assert get(client, "judged", one.version).gate == "failed"
