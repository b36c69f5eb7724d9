"""What was really answered, and what came of it: the prediction log, joined with gold.

A row of the log and a row of gold are about the same when all that was asked is the same, the moment included. A label
is joined when it is known, never before. A day is that of the answer, as in the log, and is replaced as a whole: it is
joined again when the log or the gold that it asks about has changed, or a label of it has matured.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
from pydantic import BaseModel, ConfigDict, ValidationError

from include.foundation.errors import MissingInput
from include.foundation.lake import Lake, tables
from include.foundation.lake.change import Replace
from include.foundation.lake.commit import TableWriter
from include.foundation.lake.commit_log import RUN_KEY, changed_since, log
from include.foundation.lake.layout import DAY
from include.foundation.spec import FeaturesModule, UseCase, module
from include.foundation.spec.use_case import PREDICTIONS

MOMENT = pl.Datetime("us", "UTC")
LOGGED = ("request_id", "row", "version", "model_digest", "stage", "scored_at", "features")
LABELS = ("label", "label_known_at")
LOG, GOLD = "log_snapshot", "gold_snapshot"


class Joined(BaseModel):
    """What a run did; JSON-able. Of the days that were joined: the rows, those that gold has, those with a label."""

    model_config = ConfigDict(frozen=True)

    days: tuple[date, ...]
    rows: int = 0
    found: int = 0
    labelled: int = 0


def join(lake: Lake, spec: UseCase, *, at: datetime, run_id: str) -> Joined:
    """Bring the table `predictions.<use case>` up to date.

    Args:
        lake: the lake.
        spec: the use case.
        at: the moment up to which labels are known.
        run_id: the run, as people look it up.

    Raises:
        MissingInput: nothing was logged yet, or there is no gold.
    """
    source = spec.table("silver", PREDICTIONS)
    snapshots = {LOG: tables.current_snapshot_id(lake, source), GOLD: tables.current_snapshot_id(lake, spec.gold)}
    todo = sorted(_todo(lake, spec, at))
    if not todo:
        return Joined(days=())
    schema = pl.Schema(
        {
            DAY: pl.Date(),
            **tables.read(lake, source, start=date.max, columns=LOGGED).schema,
            "answer": pl.List(pl.Float64()),
            "asked_date": pl.Date(),
            **_gold(lake, spec, [], snapshots[GOLD]).select("id", *LABELS).schema,
        }
    )
    writer = TableWriter(lake, spec.predictions_table, schema=schema, change=Replace(frozenset(todo)))
    done = Joined(days=tuple(todo))
    features = module(spec.name, "features")
    try:
        for day in todo:
            logged = tables.read(lake, source, start=day, end=day, snapshot_id=snapshots[LOG])
            asked = [_request(features, text) for text in logged["record"]]
            gold = _gold(lake, spec, [_day(each) for each in asked if each], snapshots[GOLD])
            rows = joined(logged, asked, gold, at=at).select(schema.names()).cast(schema)
            writer.write(rows)
            done = done.model_copy(
                update={
                    "rows": done.rows + rows.height,
                    "found": done.found + rows["id"].count(),
                    "labelled": done.labelled + rows["label"].count(),
                }
            )
        summary = {name: str(each) for name, each in snapshots.items()}
        writer.commit({RUN_KEY: f"{run_id} {at.isoformat()}", "run_id": run_id, **summary})
    finally:
        writer.discard()
    return done


def joined(
    logged: pl.DataFrame, asked: Sequence[BaseModel | None], gold: pl.DataFrame, *, at: datetime
) -> pl.DataFrame:
    """Rows of the log with what gold says of them.

    Args:
        logged: rows of the log, [n].
        asked: what they asked, [n]; None for a tensor's row, and one that the code of here cannot read.
        gold: rows of gold: `event_date`, `id`, `label`, `label_known_at` and the columns of `Request`.
        at: labels that became known later are null.

    Returns:
        The same rows, [n], with `answer` as a list; `asked_date`, the day that is asked about (as gold has it; else in
        UTC, and null where it is unknown what was asked); and gold's `id`, `label` and `label_known_at`, null where
        gold has no such row, or several.
    """
    places = _places(type(next(filter(None, asked))), gold) if any(asked) else {}
    answers = [each if isinstance(each := json.loads(text), list) else [each] for text in logged["answer"]]
    return (
        logged.with_columns(
            _place=pl.Series([places.get(_key(each)) if each else None for each in asked], dtype=pl.UInt32),
            answer=pl.Series(answers, dtype=pl.List(pl.Float64)),
            asked_date=pl.Series([_day(each) if each else None for each in asked], dtype=pl.Date),
        )
        .join(
            gold.with_row_index("_place").select("_place", "id", *LABELS, _day=DAY),
            on="_place",
            how="left",
            maintain_order="left",
        )
        .with_columns(
            asked_date=pl.coalesce("_day", "asked_date"),
            label=pl.when(pl.col("label_known_at") <= at).then("label"),
        )
    )


def asked(lake: Lake, spec: UseCase, start: date, end: date, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """What was answered about the days from `start` to `end`, a day of the log at a time; nothing where none was.

    Only days of the log are read whose files may have such rows, so it costs the same however long the log is.
    """
    try:
        days = tables.days_within(lake, spec.predictions_table, "asked_date", _number(start), _number(end))
    except MissingInput:
        return
    names = [*dict.fromkeys((*columns, "asked_date"))]
    for day in sorted(days):
        rows = tables.read(lake, spec.predictions_table, start=day, end=day, columns=names)
        yield rows.filter(pl.col("asked_date").is_between(start, end)).select(columns)


def _todo(lake: Lake, spec: UseCase, at: datetime) -> set[date]:
    """The days of the log that are to be joined (again)."""
    source = spec.table("silver", PREDICTIONS)
    there = {*tables.days(lake, source)}
    try:
        table = tables.load(lake, spec.predictions_table)
    except MissingInput:
        return there
    made_from = next((each.summary for each in log(table) if LOG in each.summary), {})
    changed, gold = (_changed(lake, name, made_from.get(key)) for name, key in ((source, LOG), (spec.gold, GOLD)))
    if changed is None or gold is None:
        return there
    # What could be known at the last join was joined then.
    since, until = (int(moment.timestamp() * 1_000_000) for moment in (_joined_at(made_from), at))
    news = tables.days_within(lake, spec.predictions_table, "label_known_at", since, until)
    if about := sorted(_beside(gold)):
        first, last = _number(about[0]), _number(about[-1])
        news |= tables.days_within(lake, spec.predictions_table, "asked_date", first, last)
    matured = pl.col("label").is_null() & (pl.col("label_known_at") <= at)
    touched = pl.col("asked_date").is_in(about) | matured

    def waits(day: date) -> bool:
        rows = tables.read(lake, spec.predictions_table, start=day, end=day, columns=["asked_date", *LABELS])
        return not rows.filter(touched).is_empty()

    # One day at a time, and of those that may wait, for the log only grows.
    return {day for day in there if day in changed or (day in news and waits(day))}


def _joined_at(summary: Mapping[str, str]) -> datetime:
    """The moment up to which labels were known to a join."""
    return datetime.fromisoformat(summary[RUN_KEY].rpartition(" ")[2])


def _number(day: date) -> int:
    """As Iceberg has a date."""
    return (day - date(1970, 1, 1)).days


def _changed(lake: Lake, identifier: str, since: str | None) -> frozenset[date] | None:
    """Days of a table that were changed after a snapshot; None if that cannot be told."""
    return None if since is None else changed_since(tables.load(lake, identifier), int(since))


def _gold(lake: Lake, spec: UseCase, days: Sequence[date], snapshot_id: int | None) -> pl.DataFrame:
    """Gold's rows of these days and those beside them, for it may count days in another zone.

    No days in between: callers may ask about any two.
    """
    columns = [DAY, "id", *LABELS, *module(spec.name, "features").Request.model_fields]
    asked = {*days}
    there = [day for day in tables.days(lake, spec.gold, snapshot_id=snapshot_id) if _beside([day]) & asked]
    return pl.concat(
        tables.read(lake, spec.gold, start=day, end=day, columns=columns, snapshot_id=snapshot_id)
        for day in there or [date.max]
    )


def _beside(days: Collection[date]) -> set[date]:
    return {day + timedelta(days=n) for day in days for n in (-1, 0, 1)}


def _request(features: FeaturesModule, record: str | None) -> BaseModel | None:
    try:
        found = None if record is None else features.Request.model_validate_json(record)
        return found if found and _day(found) else None
    except (ValidationError, ArithmeticError):  # another version's, or a moment beyond all calendars
        return None


def _day(request: Any) -> date:
    found: date = request.event_time.astimezone(UTC).date()
    return found


def _key(request: BaseModel) -> tuple[Any, ...]:
    """All that was asked; moments are equal in every zone."""
    return tuple(vars(request).values())


def _places(request: type[BaseModel], gold: pl.DataFrame) -> dict[tuple[Any, ...], int | None]:
    """What gold's rows ask -> their place; None for what several rows ask."""
    places: dict[tuple[Any, ...], int | None] = {}
    for place, row in enumerate(gold.select(*request.model_fields).iter_rows(named=True)):
        try:
            key = _key(request.model_validate(row))
        except ValidationError:  # nobody can ask about it
            continue
        places[key] = None if key in places else place
    return places
