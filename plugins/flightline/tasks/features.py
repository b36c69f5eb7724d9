"""Tasks of `<use case>.features`."""

import logging
from collections.abc import Mapping
from datetime import date
from typing import Any

from airflow.sdk import task

from flightline import assets, lineage, notes, period
from flightline.failing import failing_fast
from flightline.operators.data import DataJobOperator
from include.engine import RUNTIMES
from include.foundation.spec import UseCase, load

log = logging.getLogger(__name__)


@task
@failing_fast
def build(use_case: str, params: Mapping[str, Any], partition_key: str | None = None, ti: Any = None) -> dict[str, Any]:
    """Gold of the run's days, of those that look back into them, and of those whose labels they hold.

    Raises:
        LeakFound: a feature used what was not known when the prediction is asked; nothing was published.
    """
    from flightline.hooks.lake import LakeHook
    from include.stages.features.build import build as compute

    spec = load(use_case)
    start, end = period.requested(params, spec, month=partition_key)
    report = compute(LakeHook().lake, spec, start, end)
    if report.days:
        notes.say(
            ti,
            "gold of %s: %s rows, %s of them labelled",
            period.words(report.days),
            *map("{:,}".format, (report.rows, report.labelled)),
        )
    else:
        notes.say(ti, "gold of %s was up to date", period.words([start, end]))
    return {"start": start.isoformat(), "end": end.isoformat(), **report.model_dump(mode="json")}


def built(spec: UseCase) -> Any:
    """The task `build`: in this worker, or a job where the spec's engine has a runtime of its own."""
    if spec.engine.name not in RUNTIMES:
        return build(spec.name)  # type: ignore[call-arg]  # Airflow gives `params`
    named = {name: f"{{{{ ti.xcom_pull('span')['{name}'] }}}}" for name in ("start", "end", "silver")}
    job = DataJobOperator(
        task_id="build",
        spec=spec,
        arguments=["features", spec.name, "--start", named["start"], "--end", named["end"]],
        reads={"silver": named["silver"]},
    )
    span(spec.name) >> job  # type: ignore[call-arg]  # Airflow gives `params`
    return job.output


@task
@failing_fast
def span(use_case: str, params: Mapping[str, Any], partition_key: str | None = None) -> dict[str, Any]:
    """The run's days, and the states of silver that a job would read: with others it is another job."""
    from flightline.hooks.lake import LakeHook
    from include.stages.features.silver import Silver

    spec = load(use_case)
    start, end = period.requested(params, spec, month=partition_key)
    silver = {source: str(snapshot) for source, snapshot in Silver.current(LakeHook().lake, spec).snapshots.items()}
    return {"start": start.isoformat(), "end": end.isoformat(), "silver": silver}


@task
@failing_fast
def publish(use_case: str, built: Mapping[str, Any], outlet_events: Any = None, ti: Any = None) -> dict[str, Any]:
    """Bring the newest history to the online table, then announce the months of all days that the run was about."""
    from flightline.hooks.lake import LakeHook
    from flightline.hooks.online import OnlineHook
    from flightline.hooks.pushgateway import PushgatewayHook
    from include.foundation.lake import tables
    from include.stages.features.columns import look
    from include.stages.features.online import publish_online
    from include.stages.observability import pushed

    spec, lake = load(use_case), LakeHook().lake
    start, end, first, last = (date.fromisoformat(built[name]) for name in ("start", "end", "first", "last"))
    # From `first`, which lies far back where gold was made anew because its code has changed.
    published = publish_online(lake, spec, min(first, start), end, dsn=OnlineHook().get_conn())
    # Not of the days that were built: a retry after gold's commit finds none to build, and the news would be lost.
    days = period.days(max(first, spec.schedule.start), min(max(last, end), spec.schedule.end or date.max))
    outlet_events[assets.gold(spec)].add_partitions(sorted({day.strftime("%Y-%m") for day in days}))
    outlet_events[assets.gold(spec)].extra = {
        "days": period.words(days),
        "rows": built["rows"],
        "labelled": built["labelled"],
        "snapshot": str(built["snapshot_id"]),
    }
    rows = ", ".join(f"{view} {count:,}" for view, count in published.rows.items()) or "no view"
    log.info("online history, rows: %s; requests from %s on find theirs", rows, f"{published.since:%Y-%m-%d %H:%M}")
    PushgatewayHook().push(ti, {pushed.DATA_END: pushed.ends({spec.gold: tables.days(lake, spec.gold)})})
    silver = {source.name: spec.table("silver", source.name) for source in spec.sources}
    columns = {name: [(silver[of], each) for of, each in made] for name, made in look(lake, spec).items()}
    lineage.tell_of_tables(ti, lake, [(table, spec.gold) for table in silver.values()], columns)
    return published.model_dump(mode="json")
