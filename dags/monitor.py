"""### Monitor: is the champion still as good as it was, and would training again help?

**Why** — what a model learnt from goes on changing. Not every change costs anything, and where it does, a new model is
not always better.

**Starts** — every morning at 05:47 UTC; by hand.

**Order** — `due` looks whether there is a champion and a whole window of gold (`monitoring.window_days`) that was not
looked at yet; if not, the rest is skipped. By hand it looks again, and fails with the reason where there is nothing to
look at. `watch` is a pod: it holds each window of gold since the champion's training against the training window and
the holdout, and keeps what it saw. A window that was judged stands until its rows in gold or in the log change, a label
that has matured among them; by another version, code or rules all are judged anew. Where production's answers were
logged (`predictions`) it judges these, elsewhere what the champion would answer. `verdict` says it. `retrain` starts
`train` if the policy (`monitoring.retraining`) says so, and is skipped if not.

**Signals** — *performance*: the metric on matured labels is worse than the holdout's windows make likely; *features*:
many of them are distributed otherwise; *answers*: so are the champion's; *age*: it is older than `max_age_days`.
Signals only ask the question: they must last, the last training must be some time ago, the year's budget must not be
spent. Then a challenger is fitted on the window that a training would have had before the newest days, and only if it
is better on these days, by an interval and a margin, is a training started.

**Skew** — answers must be made of the features that gold has for the same row, to the bit. Where they are not, the
verdict names the features and their shares: look at the online table (is `features` late?) and at the image. No
training mends it, so it starts none.

**Inputs** — tables `gold.…` and, if there is one, `predictions.…`; the champion's run and model file; Connections
`lake`, `mlflow`, `cluster`.

**Outputs** — tables `monitoring.…`, a row a window, and `monitoring.…__live`, a row a window, version and stage; in the
champion's MLflow run a metric a window and a report in `monitoring/`; the version's tag `monitored`; the asset
`retrain.…`, whose event carries the reason.

**When it fails**
- *the holdout has too few windows*: `training.holdout_days` must hold three windows of `monitoring.window_days`.
- *the code here is not what was frozen*: the champion was trained by other code. Train anew, and promote.
- *labels that the champion does not know*: a class has appeared. Train anew.

**Form** — none: what is new since the last look is looked at.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable

from flightline import assets, notes
from flightline.operators.grafana import GrafanaAnnotationOperator
from flightline.operators.jobs import JobOperator
from flightline.tasks import monitor
from include.foundation.spec import load_all

for spec in load_all():
    with DAG(
        f"{spec.name}.monitor",
        description="Watch the champion, and train again where it would help",
        doc_md=__doc__,
        schedule=CronTriggerTimetable("47 5 * * *", timezone="UTC"),
        catchup=False,
        max_active_runs=1,
        tags=[spec.name, "monitor"],
        default_args={"owner": spec.owner, "retries": 2, "retry_delay": timedelta(seconds=20), **notes.IN_WORDS},
    ):
        watch = JobOperator(
            task_id="watch", arguments=["monitor", spec.name], reads={"input": "{{ ti.xcom_pull('due', key='input') }}"}
        )
        verdict = monitor.verdict(spec.name, watch.output)
        monitor.due(spec.name) >> watch
        retrain = monitor.retrain.override(outlets=[assets.retrain(spec)])(spec.name, watch.output)
        reason = "training again: {{ ti.xcom_pull('watch')['reason'] }}"
        verdict >> retrain >> GrafanaAnnotationOperator(task_id="annotate", text=reason, tags=["retrain"])
