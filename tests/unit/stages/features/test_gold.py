from datetime import UTC, date, datetime

import polars as pl
import pytest

from include.foundation.errors import InvalidInput
from include.foundation.history.join import UTC as MOMENT
from include.stages.features.gold import join_history, to_gold

DAY = date(2024, 1, 5)


def test_gold_has_its_layout(module, silver):
    joined = join_history(module, silver, DAY, DAY)
    gold = to_gold(module, silver, joined)

    assert gold.schema == {
        "id": pl.String,
        "event_date": pl.Date,
        "event_time": MOMENT,
        "known_at": MOMENT,
        "shop": pl.String,
        "size": pl.Int64,  # a column of the request that is a feature too stands once
        "past": pl.Int64,
        "clerks": pl.Float64,
        "label": pl.Boolean,
        "label_known_at": MOMENT,
    }
    assert gold["event_date"].unique().to_list() == [DAY]
    assert gold.height == 48
    assert gold.rows() == gold.sort("event_time", "id").rows()
    noon = gold.filter(pl.col("id") == "a108").row(0, named=True)
    assert (noon["event_time"], noon["known_at"]) == (
        datetime(2024, 1, 5, 12, tzinfo=UTC),
        datetime(2024, 1, 5, 12, tzinfo=UTC),
    )
    assert (noon["clerks"], noon["past"], noon["label"]) == (4.0, int(105 * 3 % 11 < 4), 108 * 3 % 11 < 4)


def test_a_request_without_history_and_without_label_has_nulls(module, silver):
    joined = join_history(module, silver, date(2024, 1, 1), DAY)
    first = to_gold(module, silver, joined).filter(pl.col("id") == "b0").row(0, named=True)
    assert [first[name] for name in ("known_at", "past", "clerks", "label", "label_known_at")] == [None] * 5


def test_two_requests_of_one_id_are_refused(module, silver):
    twice = silver | {"sales": pl.concat([silver["sales"], silver["sales"].head(1)])}
    with pytest.raises(InvalidInput, match="two requests have the id a0"):
        join_history(module, twice, date(2024, 1, 1), DAY)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({}, "past is missing, not Int64; clerks is missing"),
        ({"past": "returns__returned", "clerks": "staff__clerks"}, "clerks is Int64, not Float64"),
        (
            {"past": "returns__returned", "clerks": pl.lit(1.0), "more": "size"},
            "must give 48 rows .* it gave 48 of .*more",
        ),
        (
            {"past": pl.col("returns__returned").head(3), "clerks": pl.lit(1.0), "size": pl.col("size").head(3)},
            "gave 3 ",
        ),
    ],
)
def test_other_features_than_said_are_refused(module, silver, wrong, told):
    module.features = lambda joined: joined.select(**{"size": "size", **wrong})
    with pytest.raises(InvalidInput, match=rf"features\(\).*{told}"):
        to_gold(module, silver, join_history(module, silver, DAY, DAY))


def test_a_use_case_without_history(module, silver):
    module.VIEWS, module.history = {}, lambda silver: {}
    module.features, module.FEATURES = lambda joined: joined.select("size"), {"size": pl.Int64}
    gold = to_gold(module, silver, join_history(module, silver, DAY, DAY))
    assert gold.height == 48
    assert gold.schema["known_at"] == MOMENT
    assert gold["known_at"].null_count() == 48


def _without_zone(frame):
    return frame.with_columns(pl.col("event_time").dt.replace_time_zone(None))


def _without(column):
    """Spoils a frame: one row lacks the column's value."""
    return lambda frame: frame.with_columns(pl.when(pl.int_range(pl.len()) != 217).then(column).alias(column))


@pytest.mark.parametrize(
    ("part", "spoil", "message"),
    [
        ("requests", _without_zone, r"requests\(\): event_time is Datetime.*, not Datetime.*UTC"),
        ("requests", lambda frame: frame.drop("shop"), r"requests\(\): shop is missing"),
        ("requests", _without("id"), r"features\.requests\(\): id is null in 1 of 480 rows"),
        ("requests", _without("event_date"), r"requests\(\): event_date is null in 1 of 480 rows"),
        ("requests", _without("event_time"), r"requests\(\): event_time is null in 1 of 480 rows"),
        ("labels", _without("id"), r"labels\(\): id is null in 1 of 480 rows"),
        ("labels", lambda frame: pl.concat([frame, frame.head(1)]), r"labels\(\): two have the id a0"),
        ("labels", lambda frame: frame.drop("label_known_at"), r"labels\(\): label_known_at is missing"),
        ("labels", lambda frame: frame.with_columns(label=None), r"labels\(\): .* together: \('a1', None, "),
        ("history", lambda views: {"staff": views["staff"]}, r"history\(\) gives no frame .* \['returns'\]"),
    ],
)
def test_what_else_is_not_as_agreed_is_named(module, silver, part, spoil, message):
    sound = getattr(module, part)
    setattr(module, part, lambda silver: spoil(sound(silver)))
    with pytest.raises(InvalidInput, match=message):
        to_gold(module, silver, join_history(module, silver, DAY, DAY))
