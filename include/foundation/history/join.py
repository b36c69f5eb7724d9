"""The as-of join: to each request the newest row of every view that was known when the request was asked."""

from collections.abc import Mapping

import polars as pl
from polars._typing import PolarsDataType

from include.foundation.errors import InvalidInput
from include.foundation.spec import View

UTC = pl.Datetime("us", "UTC")
EVENT_TIME = "event_time"
KNOWN_AT = "known_at"
_ROW = "__row"


def conform(frame: pl.DataFrame, *, name: str, view: View) -> pl.DataFrame:
    """Check a view's frame, and bring it to the form in which batch and online hold the same bits.

    Args:
        frame: what the use case's `history` returned for the view.
        name: the view's name, for messages.
        view: the view.

    Returns:
        Its keys, `known_at` and values, ordered by `known_at`; negative zeros are zeros (JSON in PostgreSQL has none).

    Raises:
        InvalidInput: columns are missing or of another type, a key or `known_at` is null, a key has two rows for one
            moment, or a float is NaN or infinite.
    """
    if missing := {*view.keys, KNOWN_AT, *view.values} - {*frame.columns}:
        raise InvalidInput(f"view {name} lacks the columns {sorted(missing)}")
    frame = frame.select(*view.keys, KNOWN_AT, *view.values)
    types = frame.schema
    wrong = [f"{n} is {types[n]}, not {t}" for n, t in {KNOWN_AT: UTC, **view.values}.items() if types[n] != t]
    wrong += [f"no key is {types[key]}: {key}" for key in view.keys if not _is_key(types[key])]
    wrong += [f"no value is {types[value]}: {value}" for value in view.values if not _is_value(types[value])]
    if wrong:
        raise InvalidInput(f"view {name}: {'; '.join(wrong)}")
    reals = [value for value in view.values if types[value].is_float()]
    faults = {
        "a key or known_at is null": pl.any_horizontal(pl.col(*view.keys, KNOWN_AT).is_null()),
        "a float is NaN or infinite": pl.any_horizontal(pl.lit(False), ~pl.col(reals).is_finite()),
        "a key has two rows known at one moment": pl.struct(*view.keys, KNOWN_AT).is_duplicated(),
    }
    for fault, rows in faults.items():
        if not (bad := frame.filter(rows)).is_empty():
            raise InvalidInput(f"view {name}: {fault}: {bad.row(0, named=True)}")
    # Polars takes `x + 0.0` for `x`.
    zeros = pl.when(pl.col(reals) != 0).then(pl.col(reals)).otherwise(pl.col(reals).abs())
    return frame.with_columns(zeros).sort(KNOWN_AT)


def as_of(requests: pl.DataFrame, histories: Mapping[str, pl.DataFrame], views: Mapping[str, View]) -> pl.DataFrame:
    """Join every view to the requests, each row as of its own `event_time`.

    Args:
        requests: `event_time` and the views' keys; other columns stay.
        histories: the views' frames, as `conform` gives them.
        views: the views.

    Returns:
        The requests, row for row, with `<view>__known_at` and `<view>__<value>` of every view; nulls where nothing was
        known, and where a key is null.

    Raises:
        InvalidInput: the requests lack a view's key, or have it of another type.
    """
    joined = requests.with_row_index(_ROW).sort(EVENT_TIME)
    for name, view in views.items():
        known_at = f"{name}__{KNOWN_AT}"
        history = _keys_as(requests, histories[name], name=name, view=view)
        joined = joined.join_asof(
            history.rename({column: f"{name}__{column}" for column in (KNOWN_AT, *view.values)}),
            left_on=EVENT_TIME,
            right_on=known_at,
            by=list(view.keys),
            tolerance=view.max_age,
            coalesce=False,
            check_sortedness=False,  # both are sorted; with `by` polars cannot see it and warns
        )
    return joined.sort(_ROW).select(*requests.columns, *columns(views))


def _keys_as(requests: pl.DataFrame, history: pl.DataFrame, *, name: str, view: View) -> pl.DataFrame:
    """The view's frame with the requests' types of keys: whole numbers of any width are one key, as they are online.

    Raises:
        InvalidInput: the requests lack a key, or one is a number here and a text there.
    """
    for key in view.keys:
        asked, known = requests.schema.get(key), history.schema[key]
        if asked is None:
            raise InvalidInput(f"view {name}: requests have no column {key}, its key")
        if asked == known:
            continue
        if not (asked.is_integer() and known.is_integer()):
            raise InvalidInput(f"view {name}: its key {key} is {known}, the requests' is {asked}")
        # A key that the requests' type cannot hold is none of theirs.
        history = history.with_columns(pl.col(key).cast(asked, strict=False)).filter(pl.col(key).is_not_null())
    return history


def columns(views: Mapping[str, View]) -> dict[str, PolarsDataType]:
    """Names and types of the columns that the join adds, in their order."""
    return {
        f"{name}__{column}": dtype
        for name, view in views.items()
        for column, dtype in {KNOWN_AT: UTC, **view.values}.items()
    }


def _is_value(dtype: pl.DataType) -> bool:
    """Whether the type goes through JSON and back to the same bits."""
    return dtype.is_integer() or dtype.is_float() or dtype.is_temporal() or dtype in (pl.Boolean, pl.String)


def _is_key(dtype: pl.DataType) -> bool:
    """Whether Python and polars write the type as the same text."""
    return dtype.is_integer() or dtype == pl.String
