from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from include.foundation.errors import InvalidInput, MissingInput
from include.foundation.history.files import Files, write
from include.foundation.history.join import as_of, conform
from include.foundation.spec import View

VIEW = View(keys=("shop",), max_age=timedelta(hours=2), values={"sales": pl.Float64()})
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
MOMENTS = [NOON + timedelta(minutes=17 * n) for n in range(40)]
HISTORY = pl.DataFrame(
    {"shop": ["north", "south"] * 20, "known_at": MOMENTS, "sales": [n / 7 for n in range(40)]},
    schema_overrides={"known_at": pl.Datetime("us", "UTC")},
)
ASKED = pl.DataFrame(
    {"shop": ["north", "south", "east", None] * 5, "event_time": [NOON + timedelta(minutes=31 * n) for n in range(20)]},
    schema_overrides={"event_time": pl.Datetime("us", "UTC")},
)


def test_files_join_as_frames_do(tmp_path) -> None:
    write(tmp_path / "history", {"shop": HISTORY}, {"shop": VIEW})
    found = Files(tmp_path / "history", {"shop": VIEW}).join(ASKED)
    expected = as_of(ASKED, {"shop": conform(HISTORY, name="shop", view=VIEW)}, {"shop": VIEW})
    assert expected["shop__sales"].null_count() < ASKED.height
    assert_frame_equal(found, expected, check_exact=True)


def test_without_views_there_is_nothing_to_read(tmp_path) -> None:
    assert_frame_equal(Files(tmp_path, {}).join(ASKED), ASKED)


def test_a_file_that_is_not_there_or_not_the_view_s_is_named(tmp_path) -> None:
    with pytest.raises(MissingInput, match=r"shop\.parquet is not there"):
        Files(tmp_path, {"shop": VIEW})
    HISTORY.drop("sales").write_parquet(tmp_path / "shop.parquet")
    with pytest.raises(InvalidInput, match="view shop lacks the columns"):
        Files(tmp_path, {"shop": VIEW})
