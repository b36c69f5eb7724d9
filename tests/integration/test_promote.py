"""Steps of `promote` against a real MLflow server."""

import json

import pytest
from airflow.sdk.exceptions import AirflowFailException
from mlflow import MlflowClient

from flightline.tasks import promote
from include.foundation.evidence.manifest import RunManifest, Window
from include.stages.registry import register, set_champion, tag
from include.stages.registry.versions import GATE, JUDGED_AGAINST

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def client(mlflow_url):
    return MlflowClient(tracking_uri=mlflow_url, registry_uri=mlflow_url)


@pytest.fixture(autouse=True)
def connection(mlflow_url, monkeypatch):
    host, _, port = mlflow_url.removeprefix("http://").partition(":")
    fields = {"conn_type": "http", "schema": "http", "host": host, "port": int(port)}
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW", json.dumps(fields))


def version(client, name, digest, *, judged_against):
    """A version that passed its gates, judged against a champion ("none", a version, or nothing said)."""
    tags = {"model_digest": digest, "model_uri": f"s3://models/{name}/{digest}/model.onnx"}
    run_id = client.create_run("0", tags=tags).info.run_id
    client.log_text(run_id, "all well", "gates/report.md")
    manifest = RunManifest(
        use_case=name,
        spec_digest="ab" * 32,
        snapshots={},
        window=Window(start="2013-01-01", validation_start="2013-01-02", holdout_start="2013-01-03", end="2013-01-04"),
        commit="c",
        dirty=False,
        image="i",
        serving_image="s",
        feature_code="f",
        run_id=run_id,
        seed=1,
        parameters={},
        parent_version=None,
        metrics={},
        artifacts={"model.onnx": digest},
    )
    made = register(client, name, run_id=run_id, tags=manifest.tags())
    verdict = {GATE: "passed"} | ({JUDGED_AGAINST: judged_against} if judged_against else {})
    tag(client, name, made.version, verdict)
    return made.version


@pytest.fixture(autouse=True)
def _images_are_there(monkeypatch):
    """There is no cluster here; tests/integration/test_versions.py asks one."""
    monkeypatch.setattr(promote.own_code, "require", lambda *_: None)


class Ti:
    def xcom_push(self, key, value):
        self.pushed = {key: value}


def choose(name, *, asset=None, form=None):
    return promote.choose.function(name, {"version": form}, partition_key=asset, ti=Ti())


def test_the_asset_starts_what_was_judged_against_todays_champion(client):
    one, two = (version(client, "fresh", digest, judged_against="none") for digest in ("aa", "bb"))
    chosen = choose("fresh", asset=one)
    assert (chosen["version"], chosen["champion"], chosen["report"]) == ("1", None, "all well")
    set_champion(client, "fresh", two)
    assert choose("fresh", asset=two)["champion"] == two, "the champion itself: a run that is cleared"
    three = version(client, "fresh", "cc", judged_against=two)
    assert choose("fresh", asset=three)["champion"] == two


def test_the_asset_does_not_start_what_was_judged_against_another_champion(client):
    one, two = (version(client, "stale", digest, judged_against="none") for digest in ("aa", "bb"))
    set_champion(client, "stale", two)
    with pytest.raises(
        AirflowFailException, match=r"stale version 1 was judged against champion none, but the champion is 2 now: run"
    ):
        choose("stale", asset=one)
    assert choose("stale", form=one)["version"] == one, "a person may go back"


def test_the_asset_does_not_start_what_an_older_release_judged(client):
    old = version(client, "older", "aa", judged_against=None)
    with pytest.raises(
        AirflowFailException, match=r"an unknown champion, by an older release, .* champion is none now"
    ):
        choose("older", asset=old)
