"""### Ingest: landing files and topics to bronze, quarantine and silver

**Why** — every later step reads silver, so only rows that satisfy the contract may be there, and every landed row must
be accounted for.

**Starts** — as the schedule of the spec says; by hand with a range of days (one run, one commit per table); by
backfill.

**Inputs** — `<landing>/<use case>/<source>/<day>.csv`, or as the spec's `sources` say; Connection `lake`; of sources
of `kind: topic` the topic's messages, Connection `kafka`.

**Outputs** — tables `bronze.…`, `quarantine.…`, `silver.…`; the assets `silver.…`, one partition a day, which start
`features`.

**Order** — `publish` parses and judges all rows first; then bronze, quarantine, silver, each one commit that replaces
exactly the run's days (of a source that lands as snapshots: days with a file, and days whose file has gone from landing
and so goes from the lake). Clear any task, run any range again, in any order: the same rows result. A crash between two
commits is finished by the rerun. `reconcile` compares the counts, sees that a day's rows are all of one run and of the
landed file, and only then announces the days.

**When it fails**
- *a file is missing*: retried, then fails naming the object, and what is there under nearly that name. Land it and
  clear `plan`.
- *files are malformed* (columns, encoding, truncated, empty): fails at once naming each file, line and cause. Nothing
  is published. Land good files and clear `plan`.
- *over the quarantine budget*: fails with a table of reasons. Nothing is published. Mend the data or the contract, or
  raise `quality.quarantine_budget` in the spec, then clear `plan`.
- *a day is unlike the days before it* (half its rows, a column without values or full of new ones): fails naming day,
  number and what is usual, or the new values; nothing is published. If the data are right, raise the levels of
  `quality.daily`, then clear `plan`. What is only strange is a warning in the log.
- *a file changed since the run was planned*: `publish` fails at once and nothing was published, or `reconcile` fails,
  naming the file. Clear `plan`.
- *other runs were at work on these days* (a backfill beside a run by hand): `reconcile` is retried, then fails naming
  the days. Nothing downstream was started; when the other runs have ended, clear `plan`.
- *the rows do not add up*: nothing downstream was started; clear `plan`.

**Sources that land hourly** — a run reads the hours that end within its data interval and no others; rows of the day's
other hours are taken from bronze as they are, and the day is judged whole. Sources that land daily are read by the run
that ends the day.

**Sources of `kind: topic`** — `consume` reads each topic from where bronze ends to the topic's end (where it is written
to all the time, to messages that are younger than the run) and appends it to bronze; the offsets are in the commit that
holds the rows. Silver and quarantine of the days that got rows are made anew from bronze, within no budget: more bad
rows than it allows are a warning. A message that is no row is in quarantine with its key, headers and bytes, and stops
nothing. Clear it at any time: nothing is lost or comes twice.
- *no broker answers*, *there is no such topic*: retried, then fails naming both.
- *the credentials are refused*: fails at once; mend the Connection `kafka` or the topic's ACL, and clear `consume`.
- *the schema registry does not answer*: retried, then fails; *another program answers*, *it refuses*: fails at once,
  naming the setting of the Connection. Of Avro, what names a schema that the registry lacks is in quarantine.
- *the broker deleted messages before they were read*: they are lost; a row in `quarantine.gaps` and a warning say
  which, and reading goes on behind them. Run it more often than the topic's retention.
- *the topic ends before what was read of it*: fails at once; it was made anew or restored. The message says what to do.

**Form** — `start_date`, `end_date`: the days to ingest, both included; both empty: the run's data interval. The logical
date says nothing else. Days without data are refused by `plan`. Of topics, silver and quarantine of these days are made
anew from bronze.
"""

from datetime import timedelta

from airflow.sdk import DAG

from flightline import assets, notes, notices, period
from flightline.tasks import ingest
from flightline.timetable import BoundedCron
from include.foundation.spec import load_all

for spec in load_all():
    with DAG(
        f"{spec.name}.ingest",
        description="Landing files and topics to bronze, quarantine and silver",
        doc_md=__doc__,
        schedule=BoundedCron(spec.schedule.cron, start=spec.schedule.start, end=spec.schedule.end),
        catchup=False,
        # Runs on one day at once may leave rows of an older file; `reconcile` finds that, but one by one they cannot.
        # A backfill's runs are not counted here, they have a limit of their own; among them no two share a day.
        max_active_runs=1,
        tags=[spec.name, "ingest"],
        deadline=notices.deadline(spec, "ingest"),
        default_args={"owner": spec.owner, "retries": 3, "retry_delay": timedelta(seconds=20), **notes.IN_WORDS},
        params=period.range_params(spec, otherwise="the run's data interval"),
    ):
        if spec.files:
            planned = ingest.plan(spec.name)
            published = ingest.published(spec, planned)
            published >> ingest.reconcile.override(outlets=[*assets.silver(spec, spec.files).values()])(
                spec.name, planned
            )
        if spec.topics:
            ingest.consume.override(outlets=[*assets.silver(spec, spec.topics).values()])(spec.name)
