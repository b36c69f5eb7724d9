"""Which columns of silver each column of gold is made of: silver's are changed one at a time, and gold is made again.

A use case's code is any Python, so it is asked rather than read. What is found is true: with nothing else changed, that
column of gold became another. What some days' rows do not show is not found. It is kept as a property of gold's table,
once for each code.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from functools import cache

import polars as pl

from include.foundation.echo import cause
from include.foundation.errors import FlightlineError, MissingInput
from include.foundation.evidence.code import digest
from include.foundation.lake import Lake, tables
from include.foundation.spec import FeaturesModule, UseCase, module
from include.stages.features.gold import join_history
from include.stages.features.silver import Silver

log = logging.getLogger(__name__)
PROPERTY = "flightline.columns"
ROWS = 20_000  # the last ones of a source: what is seen on them is seen on more
AWAY = "400d"  # another year too, and beyond all history
Columns = Mapping[str, tuple[tuple[str, str], ...]]  # column of gold -> (source, column of silver)


def known(lake: Lake, spec: UseCase) -> Columns:
    """What was found for the code of here; empty where nobody has looked yet, or there is no gold."""
    try:
        said = json.loads(tables.load(lake, spec.gold).properties.get(PROPERTY, "{}"))
    except MissingInput:
        return {}
    if said.get("code") != _code(spec.name):
        return {}
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for source, columns in said["columns"].items():
        for column, below in columns.items():
            for name in below:
                found[name] = (*found.get(name, ()), (source, column))
    return found


def look(lake: Lake, spec: UseCase) -> Columns:
    """The same; looks on silver's newest days where nobody has for this code, and keeps it beside gold.

    Whatever goes wrong is told in the log: lineage is no reason to fail.
    """
    try:
        if found := known(lake, spec):
            return found
        silver = Silver.current(lake, spec)
        last = silver.days[-1]
        frames = {name: frame.tail(ROWS) for name, frame in silver.read(last - timedelta(days=1), last).items()}
        traced = trace(module(spec.name, "features"), frames)
        text = json.dumps({"code": _code(spec.name), "columns": traced})
        with tables.load(lake, spec.gold).transaction() as change:
            change.set_properties({PROPERTY: text})
        log.info("%s is made of %d columns", spec.gold, sum(map(len, traced.values())))
        return known(lake, spec)
    except Exception as error:  # noqa: BLE001 (the use case's code; or a faster commit, and the next run looks again)
        log.warning("%s: not known of which columns it is made: %s", spec.gold, cause(error))
        return {}


def trace(features: FeaturesModule, silver: Mapping[str, pl.DataFrame]) -> dict[str, dict[str, list[str]]]:
    """Source -> its columns that gold is made of -> the columns of gold that each one changes.

    Each column is emptied, has each value put in the place of the next greater one (so what is unique stays unique),
    and moved into another year where it is a time. Rows that the code refuses say nothing.

    Args:
        features: the use case's module of that name.
        silver: source -> rows of some days: of more than history reaches back, and of more than one weekday.

    Raises:
        InvalidInput: the rows as they are are refused.
    """
    before, found = _gold(features, silver), dict[str, dict[str, list[str]]]()
    for source, frame in silver.items():
        for column in frame.columns:
            changed = set[str]()
            for values in _changes(frame[column]):
                try:
                    after = _gold(features, {**silver, source: frame.with_columns(values)})
                except (FlightlineError, pl.exceptions.PolarsError):
                    continue
                changed |= _differ(before, after)
            if changed:
                found.setdefault(source, {})[column] = [name for name in before.columns if name in changed]
    return found


def _gold(features: FeaturesModule, silver: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The columns of gold that the use case makes, in the order of its requests: rows stay in their place."""
    joined = join_history(features, silver, date.min, date.max)
    computed, labels = features.features(joined), features.labels(silver)
    asked = [name for name in features.Request.model_fields if name not in computed.columns]
    made = joined.select("id", "event_time", *asked).hstack(computed)
    return made.join(labels.select("id", "label", "label_known_at"), on="id", how="left", maintain_order="left")


def _changes(values: pl.Series) -> Iterator[pl.Series]:
    yield pl.Series(values.name, [None], values.dtype).new_from_index(0, len(values))
    if values.dtype.is_nested():
        return
    there = values.drop_nulls().unique().sort()
    if len(there) > 1:
        following = pl.DataFrame({values.name: there, "next": there.shift(-1, fill_value=there[0])})
        yield (
            values.to_frame()
            .join(following, on=values.name, how="left", maintain_order="left")["next"]
            .alias(values.name)
        )
    if values.dtype in (pl.Date, pl.Datetime):
        yield values.dt.offset_by(AWAY)


def _differ(before: pl.DataFrame, after: pl.DataFrame) -> set[str]:
    """Columns of which some row has another value; where rows came or went, of those that both have."""
    if before.height != after.height:
        before, after = (
            one.join(other.select("id"), on="id", how="semi").sort("id")
            for one, other in ((before, after), (after, before))
        )
    return {name for name in before.columns if not before[name].equals(after[name])}


@cache
def _code(use_case: str) -> str:
    return digest(__name__, f"include.use_cases.{use_case}.features")
