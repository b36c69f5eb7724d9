"""### Maintain: compact, expire and tidy the lake's tables

**Why** — every commit leaves a snapshot, and every small batch a file: without upkeep reading and committing slow down
and storage grows.

**Starts** — every night at 03:17 UTC; by hand, also as a dry run that changes nothing and says what would be done.

**Inputs** — all tables of all use cases that exist; tables of others in the same catalog are left alone. Connection
`lake`.

**Outputs** — the same rows in fewer files and snapshots. No asset is updated: no row changes.

**Order** — each table is a task of its own (`maintain`, mapped): small files of a day that lie side by side are merged,
then small manifests; snapshots that were replaced more than `keep_days` ago expire; files that no snapshot needs and
that are older than `orphan_days` are deleted. What a tag names (every frozen training input) never expires. What the
commits said (run keys, days, positions of streams) is carried on in the table's property `flightline.commit-log`.
Writers and readers may run meanwhile: a day that a writer replaces is left as that writer made it. At the end the task
compares the rows of each day with those before, except of days that writers changed.

**When it fails**
- *another program changed the layout* of a table: it is named, the others are done; set its partition spec back.
- *other writers were faster for five minutes*: retried; what was done is done.
- *rows changed while no writer was at work*: fails at once and names table, days and the snapshot with the rows as they
  were. Pause the Dags of that use case, roll the table back to that snapshot, and report it.
- *needed files have gone*: something else deletes in the table's folder. Stop that; ingest these days again.

**Form** — `keep_days`, `orphan_days`, `min_files`: the bounds above; `dry_run`: change nothing. To free the rows of a
retired training run, drop its tag (`train-<key>` of the gold table); the next run does the rest.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable

from flightline import forms, notes
from flightline.tasks import maintain

with DAG(
    "platform.maintain",
    description="Compact, expire and tidy the lake's tables",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("17 3 * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["platform", "maintain"],
    default_args={"owner": "platform", "retries": 3, "retry_delay": timedelta(seconds=20), **notes.IN_WORDS},
    params=forms.of(forms.Maintain()),
):
    maintain.maintain.expand(table=maintain.tables())
