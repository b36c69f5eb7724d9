"""Steps of `promote` against a real MLflow server."""

import json
from collections import defaultdict
from hashlib import sha256
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException
from mlflow import MlflowClient

from flightline.tasks import promote
from include.foundation.evidence.manifest import RunManifest, Window
from include.foundation.evidence.verdict import Verdict, text_digest
from include.foundation.spec import load
from include.stages.registry import aliased, register, set_champion, tag
from include.stages.registry.versions import CHAMPION, GATE, JUDGED_AGAINST
from sandbox.git import gitops

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def client(mlflow_url):
    return MlflowClient(tracking_uri=mlflow_url, registry_uri=mlflow_url)


@pytest.fixture(autouse=True)
def connections(mlflow_url, monkeypatch, tmp_path):
    host, _, port = mlflow_url.removeprefix("http://").partition(":")
    fields = {"conn_type": "http", "schema": "http", "host": host, "port": int(port)}
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW", json.dumps(fields))
    lake = {"catalog": {"type": "sql"}, "landing": "s3://landing", "models": "s3://models"}
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", json.dumps({"conn_type": "aws", "extra": lake}))
    monkeypatch.setenv("AIRFLOW_CONN_CLUSTER", json.dumps({"conn_type": "kubernetes"}))
    monkeypatch.setenv("AIRFLOW_CONN_ARGOCD", json.dumps({"conn_type": "http", "host": "argocd.example"}))
    gitops.create(tmp_path / "gitops.git")
    url = (tmp_path / "gitops.git").as_uri()
    monkeypatch.setenv("AIRFLOW_CONN_GITOPS", json.dumps({"conn_type": "git", "host": url}))
    # The versions of each test are of a model of its own; stages and title are those of the real use case.
    monkeypatch.setattr(promote, "load", lambda name: load("flight_delays").model_copy(update={"name": name}))


def version(client, name, digest, *, judged_against):
    """A version that passed its gates, judged against a champion ("none", a version, or nothing said)."""
    tags = {"model_digest": digest, "model_uri": f"s3://models/{name}/{digest}/model.onnx"}
    run_id = client.create_run("0", tags=tags).info.run_id
    texts = {"gates/report.md": "all well", "gates/report.json": '{"rows": 300}'}
    for path, text in texts.items():
        client.log_text(run_id, text, path)
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
    verdict = Verdict(
        gate="passed",
        champion=judged_against or "none",
        run_manifest=manifest.digest,
        model=digest,
        reports={path: text_digest(text) for path, text in texts.items()},
    )
    judged = {JUDGED_AGAINST: judged_against} if judged_against else {}
    tag(client, name, made.version, {**verdict.tags(), GATE: "passed", **judged})
    return made.version


@pytest.fixture(autouse=True)
def _images_are_there(monkeypatch):
    """There is no cluster here; tests/integration/test_versions.py asks one."""
    monkeypatch.setattr(promote.own_code, "require", lambda *_: None)


TAGS = {"model_digest": "aa", "model_uri": "s3://models/forged/aa/model.onnx"}


class Ti:
    def xcom_push(self, key, value):
        self.pushed = {key: value}


def choose(name, *, asset=None, form=None):
    return promote.choose.function(name, {"version": form, "until": "production"}, partition_key=asset, ti=Ti())


def test_the_asset_starts_what_was_judged_against_todays_champion(client):
    one, two = (version(client, "fresh", digest, judged_against="none") for digest in ("aa", "bb"))
    chosen = choose("fresh", asset=one)
    assert (chosen["version"], chosen["champion"]) == ("1", None)
    for part in ("there is no champion today", "all well", "production in Argo CD](https://argocd.example/app"):
        assert part in chosen["body"]
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


def test_a_champion_whose_alias_was_taken_away_is_not_a_first_time(client):
    one, two = (version(client, "robbed", digest, judged_against="none") for digest in ("aa", "bb"))
    set_champion(client, "robbed", one)
    client.delete_registered_model_alias("robbed", CHAMPION)
    for how in ({"asset": two}, {"form": two}):
        with pytest.raises(AirflowFailException, match="but version 1 had it: promote version 1 to give it back"):
            choose("robbed", **how)
    assert choose("robbed", form=one)["version"] == one


def test_a_verdict_report_or_uri_that_was_forged_is_refused_by_name(client):
    bare = register(client, "forged", run_id=client.create_run("0").info.run_id, tags=TAGS).version
    tag(client, "forged", bare, {GATE: "passed"})
    with pytest.raises(AirflowFailException, match="forged version 1 has gate=passed, but there is no verdict"):
        choose("forged", form=bare)

    two = version(client, "forged", "bb", judged_against="none")
    tag(client, "forged", two, {JUDGED_AGAINST: "7"})
    with pytest.raises(AirflowFailException, match="not the verdict of its gates on this model and run manifest"):
        choose("forged", form=two)
    tag(client, "forged", two, {JUDGED_AGAINST: "none", "model_uri": "file:///etc/passwd"})
    with pytest.raises(AirflowFailException, match="has model_uri=file:///etc/passwd, but its model file is s3://mod"):
        choose("forged", form=two)

    three = version(client, "forged", "cc", judged_against="none")
    run_id = client.get_model_version("forged", three).run_id
    client.log_text(run_id, "even better", "gates/report.md")
    with pytest.raises(AirflowFailException, match=r"gates/report\.md has SHA-256 .*: it was changed"):
        choose("forged", form=three)


def test_each_answer_is_kept(client):
    one = version(client, "asked", "aa", judged_against="none")
    chosen, params, events = choose("asked", form=one), {"until": "production"}, defaultdict(SimpleNamespace)

    def answer(option, at):
        given = {"chosen_options": [option], "responded_by_user": {"id": "1", "name": "ada"}, "responded_at": at}
        ti = SimpleNamespace(run_id="manual__1", xcom_push=lambda *_: None)
        return promote.record_answer.function("asked", chosen, given, params, ti=ti, outlet_events=events)

    rejected = answer("Reject", "2026-01-01 10:00:00+00:00")
    assert rejected == {"answer": "rejected", "by": "ada", "at": "2026-01-01 10:00:00+00:00"}
    with pytest.raises(AirflowFailException, match="asked version 1 was rejected by ada at 2026-01-01 10:00"):
        promote.verify.function("asked", chosen, rejected)
    for _ in range(2):  # the second time is a retry
        answer("Approve", "2026-01-02 10:00:00+00:00")
    tags = client.get_model_version("asked", one).tags
    assert {key: value for key, value in tags.items() if key.startswith("answer.")} == {
        "answer.2026-01-01 10:00:00Z": "rejected by ada up to production, in run manual__1",
        "answer.2026-01-02 10:00:00Z": "approved by ada up to production, in run manual__1",
    }
    (event,) = events.values()
    assert event.extra["answer"] == "approved"


def test_a_model_file_that_was_overwritten_since_is_not_deployed(client, lake, monkeypatch):
    s3 = lake.s3
    extra = {"endpoint_url": s3.endpoint, "catalog": {"type": "sql"}, "landing": lake.landing, "models": "s3://models"}
    fields = {"conn_type": "aws", "login": s3.access_key, "password": s3.secret_key, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", json.dumps(fields))
    data, objects = b"the model", lake.objects()
    digest = sha256(data).hexdigest()
    uri = f"s3://models/overwritten/{digest}/model.onnx"
    objects.put(uri, data)
    one = version(client, "overwritten", digest, judged_against="none")
    chosen, answer = choose("overwritten", form=one), {"answer": "approved", "by": "ada", "at": "now"}
    assert promote.verify.function("overwritten", chosen, answer)
    objects.put(uri, b"another")
    with pytest.raises(AirflowFailException, match=digest[:12]):
        promote.verify.function("overwritten", chosen, answer)


def test_what_changed_since_the_approver_looked_is_asked_about_again(client):
    one, two = (version(client, "moved", digest, judged_against="none") for digest in ("aa", "bb"))
    chosen, answer = choose("moved", form=one), {"answer": "approved", "by": "ada", "at": "now"}
    with pytest.raises(AirflowFailException, match="was changed after moved version 1 was shown"):
        promote.verify.function("moved", chosen | {"folder": "another"}, answer)
    set_champion(client, "moved", two)
    assert aliased(client, "moved").version == two
    with pytest.raises(AirflowFailException, match="approved while the champion was None, but it is 2 now: ask again"):
        promote.verify.function("moved", chosen, answer)
