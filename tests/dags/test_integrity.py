"""Every Dag is listed here. An unlisted Dag, a missing one or one that does not say what it is fails."""

import subprocess
import sys
from pathlib import Path

import pytest
from airflow.sdk.exceptions import ParamValidationError

from include.foundation.spec import UseCase, load, loading, names

ROOT = Path(__file__).parents[2]
STAGES = {
    "ingest": {"plan", "publish", "reconcile"},
    "features": {"build", "publish"},
    "train": {"due", "freeze", "workers", "trial", "fit", "register", "gate", "verdict"},
    "score": {"choose", "score", "announce"},
    "predictions": {"consume", "join"},
    "monitor": {"due", "watch", "verdict", "retrain", "annotate"},
    "promote": {
        "choose",
        "approve",
        "record_answer",
        "verify",
        "prepare",
        "set_champion",
        "annotate",
        *(f"revert.{step}" for step in ("undo", "restore", "annotate", "resync", "report_failure")),
    },
}
PLATFORM = {  # not of one use case
    "maintain": {"tables", "maintain"},
    "replay": {"plan", "judge", "reconcile"},
    "workspace": {"start", "ready"},
    "sweep": {"sweep"},
}
STEPS = ("wanted", "render", "commit", "sync", "smoke")  # of each stage of `promote`
HEAVY = (
    "kubernetes",
    "mlflow",
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "pyiceberg",
    "sagemaker",
    "sigopt",
    "git",
    "boto3",
)


@pytest.fixture(scope="module")
def bag():
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(ROOT / "dags")


def test_no_file_fails_to_import(bag):
    assert bag.import_errors == {}


def test_exactly_the_listed_dags_exist(bag):
    ours = {f"{use_case}.{stage}" for use_case in names() for stage in STAGES}
    assert set(bag.dags) == ours | {f"platform.{name}" for name in PLATFORM}


def test_a_use_case_that_cannot_be_loaded_is_an_import_error_and_leaves_the_others_alone(bag, monkeypatch):
    from airflow.dag_processing.dagbag import DagBag

    monkeypatch.setattr(loading, "names", lambda root: ["flight_delays", "rain"])
    spoilt = DagBag(ROOT / "dags")
    sound = {name for name in bag.dags if name.startswith(("flight_delays.", "platform."))}
    assert sound == set(spoilt.dags)
    ((path, error),) = spoilt.import_errors.items()
    assert path.endswith("specs.py")
    assert "no use case 'rain'" in error


def test_every_step_says_a_sentence_and_no_returned_value(bag):
    silent = [task for dag in bag.dags.values() for task in dag.tasks if hasattr(task, "show_return_value_in_logs")]
    assert {task.task_id for task in silent} >= {"plan", "freeze", "register", "choose", "rollout.staging.smoke"}
    assert not [task for task in silent if task.show_return_value_in_logs]


def test_airflow_takes_the_widest_spec(monkeypatch):
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization

    name = "a" * 52
    sound = load("flight_delays").model_dump(mode="json")
    change = {
        "name": name,
        "title": "é" * 200,
        "owner": ",'\"\\" * 50,
        "schedule": {"cron": "0 0 29 2 *", "start": "2199-12-31", "end": "9999-12-31"},
        "sources": [{"name": "b" * 63, "contract": "C"}, {"name": "ingest", "contract": "D"}],
        "quality": {},
        "promotion": {"stages": [{"name": "c" * 52}, {"name": "a"}, {"name": "a_b"}], "approval_hours": 366 * 24},
    }
    widest = UseCase.model_validate(sound | change)
    monkeypatch.setattr("include.foundation.spec.load_all", lambda: [widest])
    bag = DagBag(ROOT / "dags")
    assert bag.import_errors == {}
    assert set(bag.dags) == {f"{name}.{stage}" for stage in STAGES} | {f"platform.{name}" for name in PLATFORM}
    for dag in bag.dags.values():
        stored = DagSerialization.from_dict(DagSerialization.to_dict(dag))
        assert stored.task_ids == dag.task_ids
        stored.next_dagrun_info(last_automated_run_info=None)
        assert len(dag.owner) <= 2000, "as the metadata database keeps it"


def test_a_training_of_one_job_gives_it_its_parts_once_they_are_known(monkeypatch):
    from airflow.dag_processing.dagbag import DagBag

    spec = load("flight_delays")
    whole = spec.model_copy(update={"training": spec.training.model_copy(update={"one_job": True})})
    monkeypatch.setattr("include.foundation.spec.load_all", lambda: [whole])
    dag = DagBag(ROOT / "dags").dags["flight_delays.train"]
    assert set(dag.task_ids) == (STAGES["train"] - {"trial", "fit", "gate"}) | {"train"}
    train = dag.get_task("train")
    assert train.upstream_task_ids == {"workers"}
    assert train.downstream_task_ids == {"register"}
    assert list(train.parts) == ["trials", "fit", "register", "gate"]


def walked(spec):
    """The tasks of the last stage's steps, which are named by what the spec says."""
    place = f"rollout.{spec.promotion.stages[-1].name}"
    names = [*(step.name for step in spec.promotion.steps), "full"]
    each = {f"{place}.{name}.{task}" for name in names for task in ("render", "commit", "sync", "observe")}
    return each | {f"{place}.way", f"{place}.{names[0]}.smoke"}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("use_case", names())
def test_a_dag_has_its_tasks_and_says_what_it_is(bag, use_case, stage):
    dag = bag.dags[f"{use_case}.{stage}"]
    spec = load(use_case)
    steps = (
        {f"rollout.{place.name}.{step}" for place in spec.promotion.stages for step in STEPS} | walked(spec)
        if stage == "promote"
        else set()
    )
    assert set(dag.task_ids) == STAGES[stage] | steps
    assert dag.doc_md.startswith(f"### {stage.capitalize()}")
    for part in ("**Why**", "**Starts**", "**Inputs**", "**Outputs**", "**When it fails**", "**Form**"):
        assert part in dag.doc_md
    assert dag.description
    assert use_case in dag.tags
    assert not dag.catchup
    assert {task.owner for task in dag.tasks} == {spec.owner}


@pytest.mark.parametrize("name", PLATFORM)
def test_a_dag_of_the_platform_has_its_tasks_and_says_what_it_is(bag, name):
    dag = bag.dags[f"platform.{name}"]
    assert set(dag.task_ids) == PLATFORM[name]
    assert dag.doc_md.startswith(f"### {name.capitalize()}")
    for part in ("**Why**", "**Starts**", "**Inputs**", "**Outputs**", "**When it fails**", "**Form**"):
        assert part in dag.doc_md
    assert dag.description
    assert "platform" in dag.tags
    assert not dag.catchup


@pytest.mark.parametrize(
    "dag_id", [*(f"flight_delays.{stage}" for stage in STAGES), *(f"platform.{name}" for name in PLATFORM)]
)
def test_every_field_of_a_form_has_a_type_and_help(bag, dag_id):
    params = bag.dags[dag_id].params
    for name in params:
        field = params.get_param(name)
        assert field.schema.get("type") or field.schema.get("enum"), name
        assert field.schema.get("title"), name
        assert field.description, name


def test_no_logical_date_leaves_a_task_out(bag):
    """A run that lacks its tasks is green: what a task may not do, the task refuses."""
    from airflow.serialization.serialized_objects import DagSerialization

    for name, dag in bag.dags.items():
        stored = DagSerialization.from_dict(DagSerialization.to_dict(dag))
        dates = {task.task_id: (task.start_date, task.end_date) for task in stored.tasks}
        assert dates == dict.fromkeys(dag.task_ids, (None, None)), name


def test_forms_have_the_bounds_of_the_spec(bag):
    spec = load("flight_delays").training
    form = bag.dags["flight_delays.train"].params
    assert {name: form.get_param(name).value for name in ("trials", "parallelism", "window_days", "seed")} == {
        "trials": spec.trials,
        "parallelism": spec.parallelism,
        "window_days": spec.window_days,
        "seed": spec.seed,
    }
    for name, outside in (("trials", 0), ("trials", 501), ("parallelism", 33), ("window_days", 2), ("seed", -1)):
        with pytest.raises(ParamValidationError):
            form.get_param(name).resolve(outside)


def test_a_sync_survives_tries_that_airflow_loses(bag):
    syncs = [task for task in bag.dags["flight_delays.promote"].tasks if task.task_id.endswith("sync")]
    assert {"rollout.staging.sync", "rollout.production.full.sync", "revert.resync"} < {task.task_id for task in syncs}
    assert {task.retries for task in syncs} == {3}


@pytest.mark.parametrize("task_id", ["rollout.staging.sync", "rollout.production.sync", "revert.resync"])
def test_a_verdict_of_argo_cd_is_not_asked_for_again(bag, task_id):
    from airflow.sdk import RetryAction

    from flightline import exceptions

    task = bag.dags["flight_delays.promote"].get_task(task_id)
    policy = task.partial_kwargs["retry_policy"] if task.is_mapped else task.retry_policy

    def action(error):
        return policy.evaluate(error("web: why"), try_number=1, max_tries=3).action

    for name in ("Superseded", "Timeout", "Unhealthy", "SyncFailed"):
        assert action(getattr(exceptions, f"ArgoCD{name}")) is RetryAction.FAIL
    assert action(exceptions.ArgoCDUnavailable) is RetryAction.DEFAULT


def test_every_external_job_can_be_killed(bag):
    from flightline.operators.argocd import ArgoCDSyncOperator
    from flightline.operators.jobs import JobOperator

    for operator in (JobOperator, ArgoCDSyncOperator):
        assert "on_kill" in vars(operator), operator


def test_parsing_imports_nothing_heavy(tmp_path):
    code = (
        "import sys; import airflow.sdk as sdk; sdk.DAG, sdk.task, sdk.Param\n"
        "before = set(sys.modules)\n"
        "import runpy, pathlib\n"
        "for path in sorted(pathlib.Path('dags').glob('*.py')): runpy.run_path(str(path))\n"
        f"print([name for name in {HEAVY!r} if name in set(sys.modules) - before])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={
            "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}",
            "PATH": "/usr/bin:/bin",
            "HOME": "/nonexistent",
            "AIRFLOW_HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip().splitlines()[-1] == "[]"
