import random

import polars as pl
import pytest

from include.services.serving.zones import BEGIN, END, Zone, zone


@pytest.mark.parametrize("name", ["America/New_York", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"])
def test_clocks_are_as_polars_has_them(name: str) -> None:
    chance = random.Random(1)
    found = Zone(name)
    moments = [chance.randrange(BEGIN, END) for _ in range(20_000)]
    moments += [start + step for start in found._starts[1:] for step in (-1, 0, 1)]
    frame = pl.DataFrame({"at": moments}).select(at=pl.col("at").cast(pl.Datetime("us", "UTC")))
    local = frame["at"].dt.convert_time_zone(name).dt.replace_time_zone(None)
    assert [moment + found.offset(moment) for moment in moments] == local.to_physical().to_list()


def test_years_that_are_not_known_are_left_out() -> None:
    assert [zone("America/New_York").offset(moment) for moment in (BEGIN - 1, END)] == [None, None]
