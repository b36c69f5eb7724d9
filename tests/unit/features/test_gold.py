from datetime import UTC, date, datetime

import polars as pl
import pytest

from include.errors import InvalidInput
from include.features.gold import join_history, to_gold
from include.history.join import UTC as MOMENT

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
    "wrong",
    [
        lambda joined: joined.select("size"),
        lambda joined: joined.select("size", "returns__returned", past="staff__clerks"),
        lambda joined: joined.select("size", past="returns__returned", clerks="staff__clerks"),
        lambda joined: joined.select("size", past="returns__returned", clerks=pl.lit(1.0)).head(3),
    ],
)
def test_other_features_than_said_are_refused(module, silver, wrong):
    module.features = wrong
    with pytest.raises(InvalidInput, match="features\\(\\) must give 48 rows"):
        to_gold(module, silver, join_history(module, silver, DAY, DAY))
