"""A training run for real: workers, fit and gate as processes of the trainer's environment, against real services."""

import json
import signal
import subprocess
import tempfile
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import polars as pl
import pytest
import sigopt
from mlflow import MlflowClient

from include.foundation import artifact
from include.foundation.artifact import named, store
from include.foundation.artifact.model_file import digest, open_model
from include.foundation.errors import DigestMismatch, InvalidInput, MissingInput
from include.foundation.evidence import code
from include.foundation.evidence.manifest import RunManifest
from include.foundation.lake import tables
from include.foundation.lake.commit import replace_days
from include.foundation.spec import load, module
from include.foundation.spec.monitoring import Monitoring, Retraining
from include.stages.features.stale import MADE_BY, made_by
from include.stages.registry import champion, get, set_champion, tag
from include.stages.training import fitting
from include.stages.training.runs import Training
from include.stages.training.settings import Settings
from include.steps.__main__ import PERMANENT
from include.steps.fit import fit
from include.steps.gate import gate
from include.steps.monitor import monitor
from include.steps.prepare import prepare
from include.steps.register import register_version
from include.steps.trial import trial
from sandbox.supervisor.service import REPO, python

pytestmark = [pytest.mark.integration, pytest.mark.long]
USE_CASE, TRIALS, DAYS, A_DAY = "flight_delays", 4, 20, 400


@pytest.fixture(scope="module")
def env(lake, mlflow_url, tuning_env, gold):
    """What the pod template and the Secret `flightline-trainer` give to a pod."""
    return {
        **lake.env(),
        **tuning_env,
        "MLFLOW_TRACKING_URI": mlflow_url,
        "FLIGHTLINE_IMAGE": "flightline/trainer:test",
        "FLIGHTLINE_ALLOW_DIRTY": "1",
        "PYTHONPATH": str(REPO),
        "PATH": "/usr/bin:/bin",
    }


@pytest.fixture(scope="module")
def gold(lake):
    """Twenty days of flights with random features; the label depends on carrier and one number."""
    put(lake, flights(datetime(2013, 1, 1, 6, tzinfo=UTC), DAYS))


def flights(first, days, *, turned=False):
    """Rows of gold; `turned`, the label depends on the same features the other way round."""
    spec, features = load(USE_CASE), module(USE_CASE, "features").FEATURES
    rng, rows = np.random.default_rng(first.toordinal() - date(2012, 12, 31).toordinal()), days * A_DAY
    columns = {}
    for name, dtype in features.items():
        if dtype == pl.String:
            columns[name] = pl.Series(rng.choice(["AA", "B6", "UA"], rows))
        else:
            columns[name] = pl.Series(rng.integers(0, 24, rows)).cast(dtype)
    for part in spec.gates.slices:
        columns.setdefault(part.by, pl.Series(rng.choice(["AA", "B6", "UA"], rows)))
    number = next(name for name, dtype in features.items() if dtype != pl.String)
    risk = (
        columns["carrier"].is_in(["AA"]).cast(pl.Float64).to_numpy() + columns[number].cast(pl.Float64).to_numpy() / 8
    )
    asked = [first + timedelta(days=n // A_DAY, minutes=2 * (n % A_DAY)) for n in range(rows)]
    return pl.DataFrame(columns).with_columns(
        id=pl.Series([f"{n:06}" for n in range(rows)]),
        event_time=pl.Series(asked),
        event_date=pl.Series([at.date() for at in asked]),
        label=pl.Series(rng.random(rows) < 1 / (1 + np.exp((risk - 2) if turned else (2 - risk)))).cast(pl.Int8),
        label_known_at=pl.Series([at + timedelta(hours=3) for at in asked]),
    )


def put(lake, frame):
    spec = load(USE_CASE)
    replace_days(lake, spec.gold, frame, frame["event_date"].unique(), {MADE_BY: made_by(spec)})


@pytest.fixture(scope="module")
def client(mlflow_url):
    return MlflowClient(tracking_uri=mlflow_url, registry_uri=mlflow_url)


@pytest.fixture
def start(env):
    """Start a pod's process; none outlives the test."""
    started = []

    def start(*arguments):
        command = [python("trainer"), "-m", "include.steps", *arguments]
        started.append(
            subprocess.Popen(command, cwd=REPO, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def finish(process):
    output, _ = process.communicate(timeout=200)
    assert process.returncode == 0, output
    return output


def last_line(process):
    return finish(process).strip().splitlines()[-1]


def kill_in_its_first_trial(process):
    for line in process.stdout:
        if line.startswith("trial 1/4 starts"):
            process.send_signal(signal.SIGKILL)
            break
    process.communicate()
    assert process.returncode == -signal.SIGKILL


@pytest.fixture
def found(client, lake, env):
    """A training run, in this process: what an Airflow task does between the pods."""
    connection = sigopt.Connection(client_token=env["SIGOPT_API_TOKEN"])
    connection.set_api_url(env["SIGOPT_API_URL"])
    settings = Settings.from_env(env)
    return lambda run_id: Training(run_id=run_id, client=client, connection=connection, lake=lake, settings=settings)


def prepared(training, **choices):
    services = {name: getattr(training, name) for name in ("client", "connection", "lake")}
    return prepare(USE_CASE, image=training.settings.image, **services, **choices)


def test_from_frozen_rows_to_a_judged_version(start, found, client, lake, mlflow_url, monkeypatch):
    opened = json.loads(
        last_line(start("prepare", USE_CASE, "--trials", str(TRIALS), "--serving-image", "flightline/serving:1"))
    )
    run_id = opened["run_id"]
    training = found(run_id)
    assert prepared(training, trials=TRIALS, serving_image="flightline/serving:1") == opened, "a retry rejoins"
    assert opened["frozen"]["rows"] == DAYS * A_DAY
    (data,) = client.get_run(run_id).inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("gold.flight_delays", str(opened["frozen"]["snapshot_id"]))

    # two workers; one dies in its first trial and comes back
    kill_in_its_first_trial(start("trial", "--run-id", run_id, "--worker", "0"))
    workers = [start("trial", "--run-id", run_id, "--worker", name) for name in ("0", "1")]
    assert "best 0." in "".join(finish(worker) for worker in workers)
    experiment = training.connection.experiments(opened["experiment_id"])
    observations = list(experiment.observations().fetch().iterate_pages())
    assert len(observations) == TRIALS
    assert sum(bool(each.failed) for each in observations) == 1, "only the trial that was running is lost"
    trials = client.search_runs([client.get_run(run_id).info.experiment_id], f"tags.mlflow.parentRunId = '{run_id}'")
    values = sorted(each.values[0].value for each in observations if not each.failed)
    assert sorted(each.data.metrics["auc"] for each in trials) == pytest.approx(values)
    assert all("num_leaves" in each.data.params for each in trials)

    fitted = json.loads(last_line(start("fit", "--run-id", run_id)))
    trials = client.search_runs([client.get_run(run_id).info.experiment_id], f"tags.mlflow.parentRunId = '{run_id}'")
    (killed,) = [each for each in trials if each.info.status != "FINISHED"]
    assert (killed.info.status, killed.info.run_name) == ("KILLED", "trial 1")
    assert killed.data.tags["failure"] == "the worker ended during the trial"
    assert {each.data.tags["flightline.suggestion"] for each in trials} == {each.suggestion for each in observations}
    assert json.loads(last_line(start("fit", "--run-id", run_id))) == fitted, "the same file, bit for bit"
    assert fitted["deviation"] < 1e-5
    assert register_version(training) == register_version(training)
    kept = training.tag("manifest_digest", "")
    fit(training)
    assert training.tag("manifest_digest", "") == kept, "a fit that is done again leaves the evidence alone"
    report = finish(start("gate", "--run-id", run_id, "--version", "1"))
    assert "gates passed" in report
    assert "no champion to beat" in report

    version = get(client, USE_CASE, "1")
    assert (version.digest, version.gate, version.run_id) == (fitted["digest"], "passed", run_id)
    assert (version.tags["gate_champion"], version.tags["form"]) == ("none", "float32")
    assert open_model(store.fetch(lake.objects(), version.uri, version.digest)).digest == version.digest
    manifest = version.manifest()
    assert manifest.snapshots == {"gold.flight_delays": str(opened["frozen"]["snapshot_id"])}
    assert manifest.run_id == run_id
    assert manifest.feature_code == code.feature_code(USE_CASE)
    assert manifest.serving_image == "flightline/serving:1"
    assert manifest.artifacts == {"model.onnx": version.digest}
    assert manifest.parent_version is None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(client.download_artifacts(run_id, "", folder))
        assert RunManifest.parse((path / "model/manifest.json").read_text()) == manifest
        assert digest((path / "model/model.onnx").read_bytes()) == version.digest
        assert json.loads((path / "gates/report.json").read_text())["passed"] is True
        assert {"features.json", "importance.json", "curves.json", "curves.html", "forms.csv"} <= {
            file.name for file in (path / "model").iterdir()
        }

    # What people see and stock clients load, by the registry's own address.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_url)
    registered = client.get_model_version(USE_CASE, "1")
    assert f"Trained on {manifest.window.start} to {manifest.window.end}" in registered.description
    assert "**Gates: passed**" in registered.description
    assert "| form of the file | float32 (" in registered.description
    assert version.tags["window"] == f"{manifest.window.start} to {manifest.window.end}"
    loaded = mlflow.pyfunc.load_model(f"models:/{USE_CASE}/1")
    matrix = np.full((1, len(loaded.metadata.metadata["features"])), np.nan, np.float32)
    scorer = open_model(store.fetch(lake.objects(), version.uri, version.digest))
    assert loaded.predict({"features": matrix})["probability"].tolist() == scorer.score(matrix).tolist()


def test_a_window_of_two_codes_is_refused_by_name(new_lake, lake, found):
    spec = load(USE_CASE)
    mixed = replace(found("none"), lake=new_lake())
    frame = tables.read(lake, spec.gold)
    days = frame["event_date"].unique().sort().to_list()
    replace_days(mixed.lake, spec.gold, frame, days, {MADE_BY: f"{'a' * 64} {'b' * 64}"})
    new = frame.filter(pl.col("event_date").is_in(days[-2:]))
    replace_days(mixed.lake, spec.gold, new, days[-2:], {MADE_BY: made_by(spec)})
    remedy = f"run flight_delays.features with start_date {days[0]} and end_date {days[-3]}, then train again"
    with pytest.raises(InvalidInput, match=rf"18 of 20 days of gold.flight_delays, .*\(a{{12}} b{{12}}\).*{remedy}"):
        prepared(mixed)


def test_a_deleted_experiment_is_named_with_its_remedy(found, client):
    opened = prepared(found(""), trials=1)
    experiment = client.get_run(opened["run_id"]).info.experiment_id
    client.delete_experiment(experiment)
    try:
        with pytest.raises(InvalidInput, match=f"{USE_CASE} .id {experiment}. was deleted: restore it"):
            prepared(found(""), trials=1)
    finally:
        client.restore_experiment(experiment)
    assert prepared(found(""), trials=1) == opened


def test_no_better_than_the_champion_is_a_verdict_and_no_error(found, client):
    opened = prepared(found(""), trials=1)
    training = found(opened["run_id"])
    assert trial(training, "0") == 1
    fit(training)
    version = register_version(training).version
    set_champion(client, USE_CASE, version)

    again = found(prepared(training, trials=1, rerun=1)["run_id"])
    assert again.run_id != training.run_id
    assert trial(again, "0") == 1
    fit(again)
    second = register_version(again).version
    report = gate(again, second)
    assert not report.passed
    assert f"champion version {version}" in report.reference
    assert [gate.name for gate in report.gates if not gate.passed] == ["champion"]
    assert get(client, USE_CASE, second).gate == "failed"
    assert get(client, USE_CASE, second).manifest().parent_version == version
    assert champion(client, USE_CASE).version == version
    # Judged again, the champion has no rival: it must not fail for being no better than itself.
    assert gate(training, version).reference.startswith("no champion to beat")


def test_workers_that_come_late_find_nothing_to_do(found):
    opened = prepared(found(""), trials=1, seed=5)
    assert [trial(found(opened["run_id"]), name) for name in ("0", "1")] == [1, 0]


def test_named_errors_are_one_line(start):
    process = start("trial", "--run-id", "0" * 32)
    output, _ = process.communicate(timeout=100)
    assert process.returncode == PERMANENT
    assert output.startswith("InvalidInput: there is no MLflow run"), output
    assert len(output.strip().splitlines()) == 1, output


def test_a_gate_judges_the_versions_own_run_and_no_verdict_outlives_a_broken_judgement(found, client, lake):
    opened = prepared(found(""), trials=1, rerun=2)
    training = found(opened["run_id"])
    assert trial(training, "0") == 1
    fit(training)
    version = register_version(training).version
    with pytest.raises(InvalidInput, match=r"version 1 is model .* judge it by its own run"):
        gate(training, "1")
    assert get(client, USE_CASE, "1").gate == "passed"

    gate(training, version)
    judged = get(client, USE_CASE, version)
    assert (judged.gate, judged.tags["gate_champion"]) == ("failed", champion(client, USE_CASE).version)
    tag(client, USE_CASE, version, {"gate": "passed"})
    stored = lake.objects().get(judged.uri)
    lake.objects().put(judged.uri, b"other bytes")
    with pytest.raises(DigestMismatch):
        gate(found(opened["run_id"]), version)
    lake.objects().put(judged.uri, stored)  # equal models are one file, which other runs stand on too
    assert get(client, USE_CASE, version).gate == "judging"


def test_another_fit_of_the_same_run_is_refused(found, monkeypatch):
    opened = prepared(found(""), trials=1, rerun=3)
    training = found(opened["run_id"])
    assert trial(training, "0") == 1
    fitted = fit(training)
    monkeypatch.setattr("include.steps.fit.fit_final", lambda *_, **__: replace(fitted, digest="0" * 64))
    with pytest.raises(InvalidInput, match="Raise `rerun`"):
        fit(training)
    assert training.tag("model_digest", "") == fitted.digest


def test_a_champion_that_cannot_answer_is_named_with_the_reason(found, monkeypatch):
    opened = prepared(found(""), trials=1, rerun=4)
    training = found(opened["run_id"])
    assert trial(training, "0") == 1
    fit(training)

    asked = []

    def answer(*given):
        asked.append(given)
        if len(asked) == 1:
            raise InvalidInput("no feature 'tide'")
        return fitting.answer(*given)

    monkeypatch.setattr("include.steps.gate.answer", answer)
    report = gate(training, None)
    assert "cannot answer on these rows: no feature 'tide'" in report.reference
    assert "promote a version that can" in report.reference
    assert "champion" in [gate.name for gate in report.gates if not gate.passed]


def test_the_champion_is_watched_and_trained_again_only_where_it_would_help(found, client, lake, monkeypatch):
    spec = load(USE_CASE)
    spec = spec.model_copy(
        update={
            "training": spec.training.model_copy(update={"window_days": 8}),
            "monitoring": Monitoring(
                window_days=1, compare_days=4, sigmas=5, retraining=Retraining(pause_days=5, margin=0.01)
            ),
        }
    )
    monkeypatch.setattr("include.stages.training.runs.load", lambda _: spec)
    services = {name: getattr(found(""), name) for name in ("client", "connection", "lake", "settings")}
    version = champion(client, USE_CASE)

    with pytest.raises(MissingInput, match="since 2013-01-21 there is no whole window of 1 days"):
        monitor(USE_CASE, **services)

    put(lake, flights(datetime(2013, 1, 21, 6, tzinfo=UTC), 3))
    seen = monitor(USE_CASE, **services)
    assert (seen["champion"], seen["end"], seen["train"]) == (version.version, "2013-01-23", False)
    assert seen["signals"] == []
    assert get(client, USE_CASE, version.version).tags["monitored"] == "2013-01-23: ordinary"

    put(lake, flights(datetime(2013, 1, 24, 6, tzinfo=UTC), 10, turned=True))
    seen = monitor(USE_CASE, **services)
    assert seen["signals"][0] == "performance"
    assert seen["train"], seen["reason"]
    assert "performance in 3 of the last 3 windows; a challenger gains +0." in seen["reason"]
    assert monitor(USE_CASE, **services) == seen

    kept = tables.read(lake, "monitoring.flight_delays").sort("event_date")
    assert kept["rows"].to_list() == [A_DAY] * 13
    assert kept["value"][:3].min() > 0.6 > 0.5 > kept["value"][3:].max()
    assert kept["signals"].to_list()[:3] == [[]] * 3
    with tempfile.TemporaryDirectory() as folder:
        report = Path(client.download_artifacts(version.run_id, "monitoring/2013-02-02.md", folder)).read_text()
    assert "train again" in report
    history = client.get_metric_history(version.run_id, "monitoring.auc")
    assert {each.step for each in history} == {*range(13)}


def test_the_watch_uses_what_was_really_answered_and_says_skew_by_name(found, client, lake, monkeypatch):
    spec = load(USE_CASE)
    spec = spec.model_copy(
        update={
            "training": spec.training.model_copy(update={"window_days": 8}),
            "monitoring": Monitoring(window_days=1, compare_days=4, sigmas=5),
        }
    )
    monkeypatch.setattr("include.stages.training.runs.load", lambda _: spec)
    version = champion(client, USE_CASE)
    metadata = store.scorer(lake.objects(), version.file(lake.models), version.digest).metadata
    newest = flights(datetime(2013, 2, 2, 6, tzinfo=UTC), 1)
    put(lake, newest)
    served = [named(metadata, row) for row in artifact.encoded(module(USE_CASE, "model"), metadata, newest)]
    for row in served[::4]:
        row["hour"] += 1
    said = {"event_date": "event_date", "asked_date": "event_date", "scored_at": "event_time"}
    log = newest.select("id", **said, label=pl.when(pl.int_range(pl.len()) < A_DAY // 2).then("label")).with_columns(
        version=pl.lit(version.version),
        model_digest=pl.lit(f"sha256:{version.digest}"),
        stage=pl.lit("production"),
        features=pl.Series([json.dumps(row) for row in served]),
        answer=pl.Series([[float(each)] for each in newest["label"]]),  # what nobody would answer: the truth
    )
    replace_days(lake, spec.predictions_table, log, log["event_date"], {})
    services = {name: getattr(found(""), name) for name in ("client", "connection", "lake", "settings")}

    seen = monitor(USE_CASE, **services)
    assert seen["reason"].endswith(f"; of {A_DAY} answers, served features differ from the lake's: hour in 25.00%")
    kept = tables.read(lake, spec.monitoring_table).sort("event_date").row(-1, named=True)
    assert (kept["value"], kept["skew_rows"], kept["skewed"], kept["skewed_shares"]) == (1.0, A_DAY, ["hour"], [0.25])
    (live,) = tables.read(lake, spec.live_table).to_dicts()
    assert (live["version"], live["stage"], live["rows"], live["labelled"]) == (
        version.version,
        "production",
        A_DAY,
        A_DAY // 2,
    )
    assert live["value"] == 1.0
    assert client.get_metric_history(version.run_id, "monitoring.skew")[-1].value == 0.25
    with tempfile.TemporaryDirectory() as folder:
        report = Path(client.download_artifacts(version.run_id, "monitoring/2013-02-02.md", folder)).read_text()
    assert f"| {version.version} | production | {A_DAY} | 50.0% | 1.0000 |" in report
