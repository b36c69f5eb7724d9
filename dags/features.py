"""### Features: silver to gold, and its newest history to the online table

**Why** — training and serving must see the same features, and only what was known when the prediction is asked.

**Starts** — on news in silver: once for each month that got some, however many days arrived; by hand with a range.

**Order** — `build` reads silver with the days before that history needs, joins each request with the newest facts known
at its time, checks for leaks, and replaces the days in gold in one commit. Days after the range that look back into it
and days before it whose labels it holds are redone too, so the order in which days arrive does not matter; days that
are up to date (the same silver, the same code) are not. Once `features.py` or what it imports has changed, the first
run makes all days again that training learns from (`window_days`), whatever its range. `publish` brings the newest
history to the online table, which serving reads, and announces the months of all these days.

**Inputs** — tables `silver.…`; Connections `lake`, `online`.

**Outputs** — table `gold.…`, table `online.history`; the asset `gold.…`, one partition a month, which starts `train`.

**When it fails**
- *a leak is found*: a feature used what was not known yet. Nothing is published; mend `features.py` of the use case.
- *silver has no rows*: run `ingest` on these days first.
- *the online table is down*: gold stands, `publish` is retried; clear it when PostgreSQL is back.

**Form** — `start_date`, `end_date`: the days to bring up to date, both included; both empty: the month of the run's
partition.
"""

from datetime import timedelta

from airflow.sdk import DAG, AssetAll, PartitionedAssetTimetable, StartOfMonthMapper

from flightline import assets, notes, notices, period
from flightline.tasks import features
from include.foundation.spec import load_all

for spec in load_all():
    with DAG(
        f"{spec.name}.features",
        description="Point-in-time features to gold, history to the online table",
        doc_md=__doc__,
        schedule=PartitionedAssetTimetable(
            assets=AssetAll(*assets.silver(spec).values()),
            default_partition_mapper=StartOfMonthMapper(input_format="%Y-%m-%d"),
        ),
        catchup=False,
        max_active_runs=1,
        tags=[spec.name, "features"],
        deadline=notices.deadline(spec, "features"),
        default_args={"owner": spec.owner, "retries": 3, "retry_delay": timedelta(seconds=20), **notes.IN_WORDS},
        params=period.range_params(spec, otherwise="the month of the run's partition"),
    ):
        features.publish.override(outlets=[assets.gold(spec)])(spec.name, features.built(spec))
