"""Tasks of `<use case>.ingest`."""

import logging
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import task

from flightline import assets, lineage, notes, period
from flightline.failing import failing_fast
from flightline.operators.data import DataJobOperator
from include.engine import RUNTIMES
from include.foundation.spec import UseCase, load
from include.foundation.spec.topics import Topic
from include.foundation.spec.use_case import AnySource

if TYPE_CHECKING:
    from include.foundation.lake import Lake

log = logging.getLogger(__name__)


@task
@failing_fast
def plan(
    use_case: str,
    params: Mapping[str, Any],
    data_interval_start: datetime | None = None,
    data_interval_end: datetime | None = None,
) -> dict[str, Any]:
    """Find the landed files of the run's days.

    Raises:
        MissingInput: a file has not landed (yet); retried.
    """
    from flightline.hooks.lake import LakeHook
    from include.stages.ingest.plan import Plan

    spec = load(use_case)
    hourly = any(source.every == "hour" for source in spec.sources)
    asked = params.get("start_date") or params.get("end_date")
    if hourly and not asked and data_interval_start and data_interval_end:
        days, hours = period.ended(spec, interval_start=data_interval_start, interval_end=data_interval_end)
        found = Plan.of(LakeHook().lake, spec, days, hours=hours)
    else:
        first, last = period.requested(params, spec, interval_start=data_interval_start, interval_end=data_interval_end)
        found = Plan.of(LakeHook().lake, spec, period.days(first, last))
    for source, files in found.files.items():
        log.info("%s: %d files, %.1f MB", source, len(files), sum(file.size for file in files) / 1e6)
    return found.model_dump(mode="json")


@task
@failing_fast
def publish(use_case: str, planned: Mapping[str, Any], run_id: str | None = None) -> list[dict[str, Any]]:
    """Parse and judge every row; within budget, commit bronze, quarantine and silver of each source.

    Raises:
        AirflowFailException: a file is malformed or the budget is exceeded; nothing was published.
    """
    from flightline.hooks.lake import LakeHook
    from include.stages.ingest.plan import Plan
    from include.stages.ingest.publish import publish as commit

    published = commit(LakeHook().lake, load(use_case), Plan(**planned), run_id=str(run_id))
    for part in published:
        log.info("%s: %d rows landed, %d quarantined", part.source, part.landed, part.quarantined)
        for warning in part.warnings:
            log.warning("%s: %s", part.source, warning)
        for reason, rows in part.reasons.items():
            log.info("%s: quarantined %d rows: %s", part.source, rows, reason)
    return [part.model_dump(mode="json") for part in published]


def published(spec: UseCase, planned: Any) -> Any:
    """The task `publish`: in this worker, or a job where the spec's engine has a runtime of its own."""
    if spec.engine.name not in RUNTIMES:
        return publish(spec.name, planned)
    days = "{{ ti.xcom_pull('plan')['days'] | join(',') }}"
    job = DataJobOperator(
        task_id="publish",
        spec=spec,
        arguments=["ingest", spec.name, "--days", days, "--run-id", "{{ run_id }}"],
        reads={"files": "{{ ti.xcom_pull('plan')['files'] }}"},
    )
    planned >> job
    return job


@task
@failing_fast
def reconcile(
    use_case: str, planned: Mapping[str, Any], run_id: str | None = None, outlet_events: Any = None, ti: Any = None
) -> dict[str, dict[str, int]]:
    """Check that landed rows are silver rows plus quarantined rows, all of one run, then announce the days.

    Raises:
        RetryableError: other runs were at work on these days; retried.
        AirflowFailException: the rows do not add up.
    """
    from flightline.hooks.lake import LakeHook
    from flightline.hooks.pushgateway import PushgatewayHook
    from include.foundation.lake import tables
    from include.stages.ingest.plan import Plan
    from include.stages.ingest.reconcile import reconcile as compare
    from include.stages.observability import pushed

    spec, found = load(use_case), Plan(**planned)
    lake, silver = LakeHook().lake, [spec.table("silver", source.name) for source in spec.files]
    totals = compare(lake, spec, found, run_id=str(run_id))
    for name, asset in assets.silver(spec, spec.files).items():
        outlet_events[asset].add_partitions([day.isoformat() for day in found.days])
        outlet_events[asset].extra = {"days": period.words(found.days), **totals[name]}
    counts = "; ".join(
        f"{name} {rows['landed']:,} landed, {rows['silver']:,} in silver, {rows['quarantined']:,} in quarantine"
        for name, rows in totals.items()
    )
    notes.say(ti, "%s, rows: %s", period.words(found.days), counts)
    PushgatewayHook().push(
        ti,
        {
            pushed.LANDED: {name: rows["landed"] for name, rows in totals.items()},
            pushed.QUARANTINED: {name: rows["quarantined"] for name, rows in totals.items()},
            pushed.DATA_END: pushed.ends({table: tables.days(lake, table) for table in silver}),
        },
    )
    lineage.tell_of_tables(ti, lake, made_of_bronze(spec, spec.files))
    return totals


def made_of_bronze(spec: UseCase, sources: Iterable[AnySource]) -> list[tuple[str, str]]:
    """Bronze and what is made of it, for each source."""
    return [
        (spec.table("bronze", source.name), spec.table(layer, source.name))
        for source in sources
        for layer in ("silver", "quarantine")
    ]


@task
@failing_fast
def consume(
    use_case: str, params: Mapping[str, Any], run_id: str | None = None, outlet_events: Any = None, ti: Any = None
) -> list[dict[str, Any]]:
    """Read every topic to its end into bronze, then make silver and quarantine of the days that got rows.

    Days of the form are made anew from bronze too. All these days are announced.

    Raises:
        MissingInput: there is no such topic (yet); retried.
        ServiceUnavailable: no broker answers; retried.
        AirflowFailException: the credentials are refused, or the topic is not the one that was read before.
    """
    from flightline.hooks.lake import LakeHook
    from flightline.hooks.pushgateway import PushgatewayHook
    from include.stages.observability import pushed

    spec, lake, done = load(use_case), LakeHook().lake, []
    asked = params.get("start_date") or params.get("end_date")
    days = period.days(*period.requested(params, spec)) if asked else []
    for source in spec.topics:
        read, changed = read_topic(lake, spec, source, run_id=str(run_id), days=days)
        if changed:
            asset = assets.silver(spec, [source])[source.name]
            outlet_events[asset].add_partitions([day.isoformat() for day in changed])
        done.append(read)
    notes.say(ti, "%s", "; ".join(f"{each['source']}: {each['messages']:,} messages" for each in done))
    PushgatewayHook().push(
        ti,
        {
            pushed.LANDED: {each["source"]: each["messages"] for each in done},
            pushed.QUARANTINED: {each["source"]: each["quarantined"] for each in done},
            pushed.LOST: {each["source"]: each["lost"] for each in done},
        },
    )
    lineage.tell_of_tables(ti, lake, made_of_bronze(spec, spec.topics))
    return done


def read_topic(
    lake: "Lake", spec: UseCase, source: Topic, *, run_id: str, days: Collection[date] = ()
) -> tuple[dict[str, Any], tuple[date, ...]]:
    """Read a topic to its end; what was done, and the days of silver and quarantine that were made anew.

    Raises as `consume` does.
    """
    from flightline.hooks.kafka import KafkaHook
    from include.stages.ingest.topics.bronze import consume as read
    from include.stages.ingest.topics.silver import derive

    kafka = KafkaHook()
    taken, gaps = read(lake, spec, source, kafka.settings, run_id=run_id, registry=kafka.registry)
    log.info("%s: %d messages of %s", source.name, taken, source.topic)
    for gap in gaps:
        log.warning("%s: messages %d to %d of %s are lost", source.name, gap.first, gap.last, gap.partition)
    made = derive(lake, spec, source, run_id=run_id, days=days)
    if made.over_budget:
        log.warning("%s: more rows are quarantined than `quality.quarantine_budget` allows", source.name)
    for reason, rows in made.reasons.items():
        log.info("%s: quarantined %d rows: %s", source.name, rows, reason)
    lost = sum(gap.last - gap.first + 1 for gap in gaps)
    return {"messages": taken, "lost": lost, **made.model_dump(mode="json")}, made.days
