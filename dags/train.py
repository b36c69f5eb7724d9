"""### Train: from frozen gold to a registered version that passed its gates, or not

**Why** — a version is only worth promoting when its data, search, fit and verdict can be explained and repeated.

**Starts** — on news in gold, if the spec's policy (`training.policy`) finds enough new days, else it skips the rest; on
the asset `retrain.…`; by hand with a form.

**Order** — `freeze` pins the gold snapshot and opens the MLflow run and the tuning experiment of exactly this input (a
retry or a second trigger rejoins them). `trial` runs the workers: pods that each loop suggest, fit, observe until the
budget is spent. `fit` refits the best parameters, exports to ONNX, checks that the file answers as the model does and
ships its fastest form (float32, optimized, int8) whose metric is near enough (`export` in the spec).
`register` makes the version. `gate` judges it on the holdout. `verdict` prints the report and announces the version.
With `training.one_job` of the spec, `train` does trials, fit, registration and gate as one job (on Kubeflow one
pipeline of them), and `register` finds the version that it made.

**Inputs** — table `gold.…`; Connections `lake`, `mlflow`, `sigopt`, `cluster`. `training.backend` of the spec moves the
jobs to another system; its Connection then says where that is.

**Outputs** — an MLflow run with nested trials, model file, manifest and report; a registered version tagged `gate`; on
`passed` the asset `model.…`, partition = version, which starts `promote`.

**When it fails**
- *`freeze`: days were made by other code*: somebody changed `features.py` or what it imports, and no run of `features`
  came since. Start one (its form with any of these days), then train: a window is of one code.
- *a worker is killed*: its open trial counts as failed, the retried pod goes on. Nothing is to be done.
- *a task is cleared*: it is done again. A retry, or a run of the same form on the same input, rejoins the job that runs
  or takes the answer of the one that has finished, and says so in its log.
- *a pod ends with exit code 65*: no retry can help, the last line of its log names the thing and the remedy.
- *`fit`: the export differs*: the model file would answer differently from the model; nothing is registered.
- *`verdict`*: a gate failed; the table in its log and in MLflow says which. The champion keeps serving. Failing closed
  is the point: a missing number fails too.

**Form** — trials, parallelism, window, last day, seed; `rerun` trains again on input that was already trained.
"""

from datetime import timedelta

from airflow.sdk import DAG, FixedKeyMapper, PartitionedAssetTimetable

from flightline import assets, forms, notes
from flightline.links.pages import MlflowRunLink, MlflowVersionLink, linked
from flightline.operators.jobs import JobOperator
from flightline.tasks import train
from include.foundation.spec import load_all

RUN = "{{ ti.xcom_pull('freeze')['run_id'] }}"
IMAGE = "{{ ti.xcom_pull('freeze')['frozen']['image'] }}"

for spec in load_all():
    with DAG(
        f"{spec.name}.train",
        description="Freeze, tune in pods, fit, register, gate",
        doc_md=__doc__,
        schedule=PartitionedAssetTimetable(
            assets=assets.gold(spec) | assets.retrain(spec), default_partition_mapper=FixedKeyMapper("news")
        ),
        catchup=False,
        max_active_runs=1,
        tags=[spec.name, "train"],
        default_args={"owner": spec.owner, "retries": 2, "retry_delay": timedelta(seconds=10), **notes.IN_WORDS},
        params=forms.of(spec.training, "trials", "parallelism", "window_days", "seed") | forms.of(forms.Train()),
    ):
        prepared = linked(train.freeze(spec.name), MlflowRunLink())
        training = spec.training
        job = {
            "image": IMAGE,
            "backend": training.backend,
            "runtime": training.runtime,
            "pool": training.pool,
        }
        workers = train.workers(prepared)
        version = linked(train.register(spec.name, prepared), MlflowRunLink(), MlflowVersionLink())
        judged = linked(
            train.verdict.override(outlets=[assets.model(spec)])(spec.name, prepared, version), MlflowRunLink()
        )
        train.due(spec.name) >> prepared
        if training.one_job:
            whole = JobOperator(
                task_id="train",
                **job,
                arguments=["train", "--run-id", RUN],
                parts={"trials": workers, **{step: [step, "--run-id", RUN] for step in ("fit", "register", "gate")}},
                reads={"champion": "{{ ti.xcom_pull('freeze', key='champion') }}"},
            )
            whole >> version >> judged
        else:
            trials = JobOperator.partial(task_id="trial", **job, max_active_tis_per_dagrun=32).expand(arguments=workers)
            fit = JobOperator(task_id="fit", **job, arguments=["fit", "--run-id", RUN])
            gate = JobOperator(
                task_id="gate",
                **job,
                arguments=["gate", "--run-id", RUN, "--version", "{{ ti.xcom_pull('register') }}"],
                reads={"champion": "{{ ti.xcom_pull('register', key='champion') }}"},
            )
            trials >> fit >> version >> gate >> judged
