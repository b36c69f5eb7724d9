"""### Score: the champion's answers for gold's rows, as a table of the lake

**Why** — not every question comes one at a time: reports, lists for the next day and comparisons read many answers at
once, and they must be the numbers that the endpoint gives.

**Starts** — on news in gold: once for each month that got some, however many days were built; by hand with a range.

**Order** — `choose` takes the champion (or the form's version) and looks which days its scores are missing of: days
that it never scored, and days that gold has replaced since. Without any, or before the first champion, the rest is
skipped. `score` is a pod: it answers these days' rows and replaces them in one commit. A version is answered for by its
own code: where `features.py` or `model.py` have changed since, `score` runs in the version's own image, and there makes
the features from silver if other code made gold. `announce` says how many rows there are now.

**Inputs** — table `gold.…` (else `silver.…`), the version's model file; Connections `lake`, `mlflow`, `cluster`.

**Outputs** — table `scores.…`, a row for each of gold's: `id`, `event_date`, `event_time`, the answer (`probability`;
`class` and `probabilities` in the order of the model file's classes; `value`), `version`, `model_digest`,
`gold_snapshot` (empty where the features were made from silver), `run_key`. A day's rows are of one version: a new
champion replaces them at the next news of that month, or by hand. The asset `scores.…`, one partition a month.

**Impact of failure** — the days' older scores stay, and so does what serves. Clear any task at any time: days that are
up to date are not scored again.

**When it fails**
- *there is no champion*, *gold has no rows* (by hand): promote a version, or run `features` on these days first.
- *gate is not passed*: only a version that passed its gates scores.
- *`choose`: the image cannot be had* or *holds other code*: bring back the image that the message names
  (docs/images.md).
- *the version's own code cannot read today's silver*, or *knows no step `score`* (the last line of the pod's log): the
  version is too old; score with a newer one.

**Form** — `start_date`, `end_date`: the days to score, both included; both empty: the month of the run's partition.
`version`: who answers; empty: the champion.
"""

from datetime import timedelta

from airflow.sdk import DAG, PartitionedAssetTimetable

from flightline import assets, forms, notes, period
from flightline.links.pages import ChosenVersionLink, MlflowVersionLink, linked
from flightline.operators.jobs import JobOperator
from flightline.tasks import score
from include.foundation.spec import load_all


def chosen(key: str) -> str:
    return f"{{{{ ti.xcom_pull('choose')['{key}'] }}}}"


for spec in load_all():
    with DAG(
        f"{spec.name}.score",
        description="The champion's answers for gold's rows",
        doc_md=__doc__,
        schedule=PartitionedAssetTimetable(assets=assets.gold(spec)),
        catchup=False,
        max_active_runs=1,
        tags=[spec.name, "score"],
        default_args={"owner": spec.owner, "retries": 2, "retry_delay": timedelta(seconds=20), **notes.IN_WORDS},
        params=period.range_params(spec, otherwise="the month of the run's partition") | forms.of(forms.Score()),
    ):
        answers = JobOperator(
            task_id="score",
            image=chosen("image"),
            arguments=[
                *("score", spec.name, "--version", chosen("version"), "--snapshot", chosen("snapshot")),
                *("--start", chosen("start"), "--end", chosen("end")),
            ],
            reads={"model": chosen("digest"), "scores": chosen("scores")},
        )
        answers.operator_extra_links = (ChosenVersionLink(),)
        linked(score.choose(spec.name), MlflowVersionLink()) >> answers
        score.announce.override(outlets=[assets.scores(spec)])(spec.name, answers.output)
