"""Publish the newest history to the online table."""

import logging
from datetime import UTC, date, datetime, time, timedelta

import polars as pl
from pydantic import BaseModel, ConfigDict

from include.foundation.history import table
from include.foundation.history.join import KNOWN_AT, conform
from include.foundation.lake import Lake
from include.foundation.spec import UseCase, View, blame, module
from include.stages.features.silver import Silver

log = logging.getLogger(__name__)
DAY = timedelta(days=1)
OFFSET = DAY  # a day of silver may be a local one: it begins and ends less than this from the UTC day of its date


class Publication(BaseModel):
    """What was published; JSON-able.

    Attributes:
        since: requests from this moment on find their history online.
        rows: view -> rows written.
        expired: rows deleted because no such request can see them.
    """

    model_config = ConfigDict(frozen=True)

    since: datetime
    rows: dict[str, int]
    expired: int


def publish_online(lake: Lake, spec: UseCase, start: date, end: date, *, dsn: str) -> Publication:
    """Publish history that depends on silver of `start` to `end`, as far as the online table keeps it.

    The table answers requests of the newest `retention_days` days of silver and later as batch does; what only older
    requests could see is left out. Publishing again, or ranges in any order, gives the same answers.

    Args:
        lake: the lake.
        spec: the use case.
        start: first day.
        end: last day, inclusive.
        dsn: libpq DSN of the online table.

    Raises:
        MissingInput: silver does not exist or is empty.
        InvalidInput: a view's frame does not conform to the view.
        ServiceUnavailable: PostgreSQL does not answer. Views before the failing one are published.
    """
    features = module(spec.name, "features")
    silver = Silver.current(lake, spec)
    last = silver.last_affected(start, end)
    newest = max(silver.days, default=last)
    oldest = newest - timedelta(days=spec.features.online.retention_days - 1)
    since = _midnight(oldest) - OFFSET
    rows: dict[str, int] = {}
    if last >= oldest:
        first = max(start, oldest)
        # The rows to replace begin and end up to an offset outside of these days, where local days are other days yet.
        with blame(features):
            history = features.history(silver.read(first - 2 * OFFSET, last + 2 * OFFSET))
        # Where silver ends so does nothing else: facts of its last days become known on the days after.
        end_of_rows = table.END if last >= newest else _midnight(last + DAY) + OFFSET
        for name, view in features.VIEWS.items():
            # A request of the first day sees rows as old as this, and the days before it tell them all.
            begin = _midnight(first) - OFFSET - view.max_age
            frame = _thin(conform(history[name], name=name, view=view), view, since)
            rows[name] = table.publish(
                dsn, use_case=spec.name, name=name, view=view, frame=frame, start=begin, end=end_of_rows
            )
    expired = table.expire(dsn, use_case=spec.name, before=since)
    log.info("%s: published %s, expired %d rows", spec.name, rows, expired)
    return Publication(since=since, rows=rows, expired=expired)


def histories(lake: Lake, spec: UseCase, *, days: int) -> tuple[datetime, dict[str, pl.DataFrame]]:
    """The history that requests of the newest days and later see: what the online table holds for as many days.

    Args:
        lake: the lake.
        spec: the use case.
        days: the newest days of silver.

    Returns:
        The moment from which on requests find their history, and each view's frame.

    Raises:
        MissingInput: silver does not exist or is empty.
        InvalidInput: a view's frame does not conform to the view.
    """
    features, silver = module(spec.name, "features"), Silver.current(lake, spec)
    newest = silver.days[-1]
    first = newest - timedelta(days=days - 1)
    since = _midnight(first) - OFFSET
    with blame(features):
        found = features.history(silver.read(first - 2 * OFFSET, newest + 2 * OFFSET))
    return since, {
        name: _thin(conform(found[name], name=name, view=view), view, since) for name, view in features.VIEWS.items()
    }


def _midnight(day: date) -> datetime:
    """The day's beginning in UTC."""
    return datetime.combine(day, time(), UTC)


def _thin(frame: pl.DataFrame, view: View, since: datetime) -> pl.DataFrame:
    """Of rows before `since` only each key's newest: no request from `since` on sees another."""
    before, after = frame.filter(pl.col(KNOWN_AT) <= since), frame.filter(pl.col(KNOWN_AT) > since)
    return pl.concat([before.unique(view.keys, keep="last", maintain_order=True), after])
