from datetime import UTC, datetime, timedelta

import polars as pl

from include.use_cases.digits import features as part
from include.use_cases.digits.features import EXAMPLE, FEATURES, Request

AT = datetime(2024, 1, 1, 8, tzinfo=UTC)
SILVER = {
    "scans": pl.DataFrame(
        {
            "scan": ["a", "b"],
            "scanned_at": [AT, AT],
            "image": [EXAMPLE, EXAMPLE],
            "digit": [0, 7],
            "keyed_at": [AT + timedelta(minutes=5), AT + timedelta(minutes=50)],
            "event_date": [AT.date(), AT.date()],
        }
    )
}


def test_pixels_are_features_row_by_row():
    asked = part.requests(SILVER)
    row = part.features(asked).row(0, named=True)
    assert list(row) == list(FEATURES)
    assert [row[f"pixel_0{column}"] for column in range(8)] == [0, 0, 5, 13, 9, 1, 0, 0]
    assert row["pixel_75"] == 0
    assert [*row.values()] == [*map(int, EXAMPLE.split()[4:])]


def test_a_digit_is_known_once_it_is_keyed_in():
    masked = part.mask(SILVER, AT + timedelta(minutes=10))
    assert part.labels(masked)["label"].to_list() == [0, None]
    assert part.labels(masked)["label_known_at"].null_count() == 1


def test_the_example_is_a_request():
    (example,) = Request.model_config["json_schema_extra"]["examples"]
    assert Request.model_validate(example).event_time == AT
