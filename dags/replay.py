"""### Replay: quarantined rows once more, after a fix

**Why** — a contract that was too strict, or could not read a new way of writing, keeps good rows out of silver. Once it
is mended they come in without landing their files again.

**Starts** — by hand only: a person has mended the contract and says which rows it was about.

**Order** — `plan` finds the quarantined rows of the form and their days. `judge` takes these days from bronze and
judges them by today's contract, whole, since uniqueness is over a day: what passes enters silver, what fails stays in
quarantine with the reasons of today and this run's id. One commit per table, silver first. `reconcile` compares the
counts of each day (landed = silver + quarantine) and only then announces the days, so that `features` makes gold anew.
Files and topics are replayed alike.

**Inputs** — tables `bronze.…`, `quarantine.…`; Connection `lake`.

**Outputs** — tables `silver.…`, `quarantine.…`; the assets `silver.…` of the use case, one partition a day (none
for the prediction log, of which no features are made).

**Impact of failure** — bronze is never touched, so nothing is lost: clear the task, or start the Dag again with the
same form. After a crash between the two commits rows are in both tables until then. Frozen training inputs stay as they
are.

**When it fails**
- *there are no such rows*, *nothing was ingested* (`plan`): nothing is in quarantine for this run, reason and range;
  look at the table.
- *more rows than are in quarantine* (`judge`): the contract of today is stricter than the one of then, and refuses rows
  that are in silver. Nothing was published. Mend it, or ingest the days again if that is meant.
- *no such column* (`judge`): bronze lacks a column that the contract has now. Ingest the days again.
- *silver was not made of yet* (a topic): run `ingest`, then clear `plan`.
- *other runs were at work on these days*: when they have ended, clear `plan`.
- *the rows do not add up*: nothing downstream was started; clear `plan`.

**Form** — `table`: the quarantine table; `run`, `reason`: only rows that this run quarantined, or with this text in a
reason; `start_date`, `end_date`: only of these days, both included. Empty fields choose everything.
"""

from datetime import timedelta

from airflow.sdk import DAG

from flightline import assets, forms, notes
from flightline.tasks import replay
from include.foundation.spec import load_all

tables = [*replay.tables()]
OF_DAYS = {"description": "Only rows of these days, both included. Empty: all days."}

with DAG(
    "platform.replay",
    description="Judge quarantined rows again, by today's contract",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    max_active_runs=1,
    tags=["platform", "replay"],
    default_args={"owner": "platform", "retries": 3, "retry_delay": timedelta(seconds=20), **notes.IN_WORDS},
    params=forms.of(
        forms.Replay(table=next(iter(tables), "")), table={"enum": tables or [""]}, start_date=OF_DAYS, end_date=OF_DAYS
    ),
):
    planned = replay.plan()
    judged = replay.judge(planned)
    silver = [asset for spec in load_all() for asset in assets.silver(spec).values()]
    judged >> replay.reconcile.override(outlets=silver)(planned)
