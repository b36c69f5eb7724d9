"""Each test plants a leak in a sound use case; the check must name it."""

from datetime import date, timedelta

import polars as pl
import pytest

from include.foundation.errors import LeakFound
from include.stages.features import leak
from include.stages.features.gold import join_history, to_gold

FIRST, LAST = date(2024, 1, 2), date(2024, 1, 9)


def _check(module, spec, silver):
    joined = join_history(module, silver, FIRST, LAST)
    gold = to_gold(module, silver, joined)
    leak.check(module, spec, silver=silver, joined=joined, gold=gold)


def test_a_sound_use_case_passes(module, spec, silver):
    _check(module, spec, silver)


def test_history_that_claims_to_be_known_too_early(module, spec, silver):
    sound = module.history

    def history(silver):
        views = sound(silver)
        early = pl.col("known_at") - timedelta(hours=3)
        return views | {"returns": views["returns"].with_columns(known_at=early)}

    module.history = history
    with pytest.raises(
        LeakFound, match=r"known_at.* requests of .* have other values when computed from silver as known"
    ):
        _check(module, spec, silver)


def test_a_feature_of_later_rows(module, spec, silver):
    def features(joined):
        return joined.select(
            "size", past=pl.col("returns__returned").shift(-6).over("shop"), clerks=pl.col("staff__clerks") * 1.0
        )

    module.features = features
    with pytest.raises(LeakFound, match="past"):
        _check(module, spec, silver)


def test_a_feature_of_all_rows_together(module, spec, silver):
    def features(joined):
        return joined.select("size", past="returns__returned", clerks=pl.col("staff__clerks").sum() * 1.0)

    module.features = features
    with pytest.raises(LeakFound, match="clerks"):
        _check(module, spec, silver)


def test_a_running_total_reaches_beyond_the_lookback(module, spec, silver):
    sound = module.history

    def history(silver):
        views = sound(silver)
        return views | {"returns": views["returns"].with_columns(pl.col("returned").cum_sum().over("shop"))}

    module.history = history
    with pytest.raises(LeakFound, match=r"past.* other values .* alone: they use more than features\.lookback_days"):
        _check(module, spec, silver)


def test_the_outcome_as_part_of_the_request(module, spec, silver):
    sound = module.requests
    module.requests = lambda silver: sound(silver).with_columns(size=silver["sales"]["returned"].cast(pl.Int64))
    with pytest.raises(LeakFound, match="size"):
        _check(module, spec, silver)


def test_requests_that_the_outcome_selects(module, spec, silver):
    sound = module.requests
    module.requests = lambda silver: sound(silver).filter(silver["sales"]["returned"].is_not_null())
    with pytest.raises(LeakFound, match=r"the requests of .* are others"):
        _check(module, spec, silver)


def test_a_snapshot_used_before_its_day(module, spec, silver):
    sound = module.history

    def history(silver):
        views = sound(silver)
        newest = views["staff"].with_columns(pl.col("clerks").last())
        return views | {"staff": newest}

    module.history = history
    with pytest.raises(LeakFound, match="clerks"):
        _check(module, spec, silver)


def test_a_mask_that_hides_nothing(module, spec, silver):
    module.mask = lambda silver, at: silver
    with pytest.raises(LeakFound, match=r"mask\(\) .* shows .* labels of later"):
        _check(module, spec, silver)


@pytest.mark.parametrize("wrong", [timedelta(minutes=1), timedelta(hours=-21)])
def test_joined_history_of_the_future_or_too_old(module, silver, wrong):
    joined = join_history(module, silver, FIRST, LAST)
    known_at = "returns__known_at"
    spoilt = pl.when(pl.col("id") == "a99").then(pl.col("event_time") + wrong).otherwise(known_at)
    leak.check_known_at(joined, module.VIEWS)
    with pytest.raises(LeakFound, match=f"view returns: 1 of {joined.height} .* a99"):
        leak.check_known_at(joined.with_columns(spoilt.alias(known_at)), module.VIEWS)


def test_no_rows_are_no_leak(module, spec, silver):
    empty = {name: frame.clear() for name, frame in silver.items()}
    _check(module, spec, empty)
