import numpy as np
import polars as pl
import pytest

from include.stages.monitoring.profile import BINS, Limit, Profile

RNG = np.random.default_rng(1)
NORMAL = pl.Series("x", RNG.normal(size=5000))


def test_numbers_fall_into_bins_of_equal_shares() -> None:
    profile = Profile.of(NORMAL)
    assert len(profile.edges) == BINS - 1
    assert profile.shares[:-1] == pytest.approx([1 / BINS] * BINS, abs=1e-3)
    assert profile.shares[-1] == 0  # nulls


def test_equal_values_are_at_no_distance_and_others_at_the_greatest() -> None:
    profile = Profile.of(pl.Series("x", ["a", "a", "b", None]))
    assert profile.distance(pl.Series("x", [None, "b", "a", "a"])) == 0
    assert profile.distance(pl.Series("x", ["c", "d"])) == 1


def test_the_distance_is_jensens_and_shannons() -> None:
    # Shares (1/2, 1/2) and (1, 0): the mean is (3/4, 1/4), the root of (log2(4/3) + (log2(2/3) + log2(2)) / 2) / 2.
    expected = np.sqrt((np.log2(4 / 3) + (np.log2(2 / 3) + 1) / 2) / 2)
    assert Profile.of(pl.Series("x", ["a", "b"])).distance(pl.Series("x", ["a"])) == pytest.approx(expected)


@pytest.mark.parametrize(
    "values",
    [
        pl.Series("x", [None, None], dtype=pl.Float64),
        pl.Series("x", [1.0, None, float("nan")]),
        pl.Series("x", [True, False]),
        pl.Series("x", [0, 2**53], dtype=pl.Int64),
        pl.Series("x", ["2026-01-01"]).str.to_datetime(time_zone="UTC"),
        pl.Series("x", [None], dtype=pl.String),
        pl.Series("x", [str(n) for n in range(200)]),
    ],
    ids=["no value", "no number", "yes and no", "wide", "moment", "no text", "many texts"],
)
def test_every_column_of_features_has_a_profile(values: pl.Series) -> None:
    profile = Profile.of(values)
    assert sum(profile.shares) == pytest.approx(1)
    assert profile.distance(values) == 0


def test_a_column_that_falls_silent_has_drifted() -> None:
    profile = Profile.of(NORMAL)
    assert profile.distance(pl.Series("x", [None] * 100, dtype=pl.Float64)) == pytest.approx(1)
    assert np.isnan(profile.distance(NORMAL.clear()))


def test_the_limit_is_as_wide_as_windows_differ() -> None:
    steady = [pl.Series("x", RNG.normal(size=500)) for _ in range(10)]
    restless = [pl.Series("x", RNG.normal(loc=(-1) ** n, size=500)) for n in range(10)]
    narrow = Limit.of(pl.concat(steady), steady, sigmas=3)
    wide = Limit.of(pl.concat(restless), restless, sigmas=3)
    moved = pl.Series("x", RNG.normal(loc=0.5, size=500))
    assert narrow.profile.distance(moved) > narrow.limit
    assert wide.profile.distance(pl.Series("x", RNG.normal(loc=1, size=500))) < wide.limit
    ordinary = [pl.Series("x", RNG.normal(size=500)) for _ in range(50)]
    assert sum(narrow.profile.distance(each) > narrow.limit for each in ordinary) <= 2
