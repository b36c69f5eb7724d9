"""Tasks of `platform.replay`."""

import logging
from collections.abc import Mapping
from datetime import date
from typing import Any

from airflow.sdk import task

from flightline import assets, notes, period
from flightline.failing import failing_fast
from include.foundation.spec import UseCase, load, load_all

log = logging.getLogger(__name__)


def tables() -> dict[str, tuple[UseCase, str]]:
    """The quarantine tables of all use cases: identifier -> use case and source."""
    return {
        spec.table("quarantine", source.name): (spec, source.name) for spec in load_all() for source in spec.ingested
    }


@task
@failing_fast
def plan(params: Mapping[str, Any]) -> dict[str, Any]:
    """Find the days of the quarantined rows that the form asks for.

    Raises:
        AirflowFailException: there are no such rows.
    """
    from flightline.hooks.lake import LakeHook
    from include.stages.ingest.replay import Replay

    spec, source = tables()[params["table"]]
    start, end = (date.fromisoformat(params[name]) if params[name] else None for name in ("start_date", "end_date"))
    chosen = {name: params[name] for name in ("run", "reason")}
    found = Replay.of(LakeHook().lake, spec, source, **chosen, start=start, end=end)
    log.info("%s: %d rows of %d days are judged again", params["table"], found.rows, len(found.days))
    return found.model_dump(mode="json")


@task
@failing_fast
def judge(planned: Mapping[str, Any], run_id: str | None = None, ti: Any = None) -> dict[str, Any]:
    """Judge the days by today's contract; commit silver, then quarantine.

    Raises:
        RetryableError: other runs are at work on these days; retried.
        AirflowFailException: more rows than before would be quarantined; nothing was published.
    """
    from flightline.hooks.lake import LakeHook
    from include.stages.ingest.replay import Replay, replay

    found = Replay(**planned)
    done = replay(LakeHook().lake, load(found.use_case), found, run_id=str(run_id))
    for reason, rows in done.reasons.items():
        log.info("%s: %d rows stay in quarantine: %s", found.source, rows, reason)
    notes.say(
        ti,
        "%s %s of %s: %s of %s quarantined rows are in silver now, %s stay",
        *(found.use_case, found.source, period.words(found.days)),
        *(f"{number:,}" for number in (done.before - done.quarantined, done.before, done.quarantined)),
    )
    return done.model_dump(mode="json")


@task
@failing_fast
def reconcile(planned: Mapping[str, Any], outlet_events: Any = None, ti: Any = None) -> dict[str, int]:
    """Check that landed rows are silver rows plus quarantined rows, day by day; then announce the days to `features`.

    Raises:
        RetryableError: other runs were at work on these days; retried.
        AirflowFailException: the rows do not add up.
    """
    from flightline.hooks.lake import LakeHook
    from include.stages.ingest.replay import Replay
    from include.stages.ingest.replay import reconcile as compare

    found = Replay(**planned)
    spec = load(found.use_case)
    totals = compare(LakeHook().lake, spec, found)
    # Of this use case alone: an outlet that no event was made for would be announced without days. All its daily
    # tables, for features of a month starts when each of them has news; and none for the prediction log, no source.
    told = assets.silver(spec) if found.source_of(spec) in spec.sources else {}
    ti.task.outlets = [*told.values()]
    for asset in told.values():
        outlet_events[asset].add_partitions([day.isoformat() for day in found.days])
        outlet_events[asset].extra = {"days": period.words(found.days), "replayed": found.source, **totals}
    log.info("rows: %s", totals)
    return totals
