"""### Sweep: workspaces that are over their time go

**Why** — a desk that nobody thinks of any more keeps processors, memory and GPUs from others.

**Starts** — every ten minutes; by hand.

**Order** — `sweep` looks at the workspaces' pods: those whose time is over (`flightline/until`) are deleted, those that
have ended (idle, stopped from inside, failed) are cleared away, with all that they own. One that does not say until
when it may go on counts as over. Homes stay. Should Airflow be down, the cluster itself ends each after seven days.

**Inputs** — Connection `cluster`; without `workspaces` in its extra `sweep` is skipped.

**Outputs** — none but the run's note.

**When it fails**
- *the cluster does not answer*: retried, and again in ten minutes; workspaces go on meanwhile.

**Form** — none.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable

from flightline import notes
from flightline.tasks import workspace

with DAG(
    "platform.sweep",
    description="Stop workspaces that are over their time",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("*/10 * * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["platform", "workspace"],
    default_args={"owner": "platform", "retries": 1, "retry_delay": timedelta(seconds=20), **notes.IN_WORDS},
):
    workspace.sweep()
