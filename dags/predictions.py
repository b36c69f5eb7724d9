"""### Predictions: what was really answered, and what came of it

**Why** — serving writes each answer to the topic `predictions.<use case>`. Only in the lake is it kept, and only joined
with its label does it say how good a version was.

**Starts** — hourly, at minute 17; by hand. More often than brokers delete what is old.

**Order** — `consume` reads the topic from where bronze ends to its end, as `ingest` reads every topic: bronze, silver
and quarantine of the source `predictions`, whose contract follows from the use case. `join` looks for each answer in
gold: the same was asked, the moment included. Labels are joined from `label_known_at` on, never before; days of which
log, gold or known labels have changed are joined again, each replaced as a whole. Clear any task at any time.

**Inputs** — the topic, Connection `kafka`; table `gold.…`, Connection `lake`.

**Outputs** — tables `bronze.…__predictions`, `silver.…__predictions`, `quarantine.…__predictions`, `predictions.…`,
which `monitor` reads.

**When it fails**
- *skipped* (by hand: fails): there is no Connection `kafka`, or nothing was logged yet.
- *no broker answers*: retried, then fails. Serving goes on answering; what does not fit into its buffer is lost and
  counted (`flightline_serving_predictions_dropped_total`).
- *the credentials are refused*, *the topic ends before what was read of it*: fails at once and says what to do.
- *messages were deleted before they were read*: a row in `quarantine.gaps` and a warning say which.

**Form** — none.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable

from flightline import notes
from flightline.tasks import predictions
from include.foundation.spec import load_all

for spec in load_all():
    if not spec.predictions:
        continue
    with DAG(
        f"{spec.name}.predictions",
        description="The prediction log to the lake, joined with labels",
        doc_md=__doc__,
        schedule=CronTriggerTimetable("17 * * * *", timezone="UTC"),
        catchup=False,
        max_active_runs=1,
        tags=[spec.name, "predictions"],
        default_args={"owner": spec.owner, "retries": 3, "retry_delay": timedelta(seconds=20), **notes.IN_WORDS},
    ):
        predictions.consume(spec.name) >> predictions.join(spec.name)
