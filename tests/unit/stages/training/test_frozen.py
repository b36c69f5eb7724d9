from datetime import date, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.foundation.errors import InvalidInput, MissingInput
from include.foundation.lake import tables
from include.foundation.lake.commit import replace_days
from include.foundation.spec import load
from include.foundation.spec.training import Policy, Training
from include.stages.training.frozen import Frozen, freeze, split_days

TRAINING = Training(
    policy=Policy(min_days=1, every_days=1),
    window_days=120,
    holdout_days=30,
    validation_days=14,
    parameters=({"name": "rate", "type": "double", "bounds": {"min": 0, "max": 1}},),
)


def test_full_window_is_cut_as_the_spec_says():
    window = split_days(date(2013, 1, 1), date(2013, 4, 30), TRAINING)
    assert (window.validation_start, window.holdout_start) == (date(2013, 3, 18), date(2013, 4, 1))


def test_longer_window_gives_more_days_to_training():
    window = split_days(date(2012, 1, 1), date(2013, 4, 30), TRAINING)
    assert (window.validation_start, window.holdout_start) == (date(2013, 3, 18), date(2013, 4, 1))


@given(st.integers(3, 200), st.integers(1, 40), st.integers(1, 40))
def test_every_part_has_a_day(days, holdout, validation):
    training = TRAINING.model_copy(update={"holdout_days": holdout, "validation_days": validation})
    start = date(2013, 1, 1)
    window = split_days(start, start + timedelta(days=days - 1), training)
    assert start == window.start < window.validation_start < window.holdout_start <= window.end


def test_two_days_are_too_few():
    with pytest.raises(InvalidInput, match="a day each"):
        split_days(date(2013, 1, 1), date(2013, 1, 2), TRAINING)


SCHEMA = pa.schema([("id", pa.string()), ("event_date", pa.date32())])


def land(lake, spec, *days):
    rows = pa.Table.from_pylist([{"id": f"{day}-{n}", "event_date": day} for day in days for n in range(3)], SCHEMA)
    replace_days(lake, spec.gold, rows, days, {})


@pytest.mark.integration
def test_freeze_pins_the_snapshot(lake, monkeypatch):
    """Gold grows and is rewritten; what was frozen stays."""
    spec = load("flight_delays")
    with pytest.raises(MissingInput, match="flight_delays does not exist"):
        freeze(lake, spec, image="i")
    first = date(2013, 1, 1)
    land(lake, spec, *(first + timedelta(days=n) for n in range(10)))
    frozen = freeze(lake, spec, image="i")
    assert (frozen.window.start, frozen.window.end, frozen.rows) == (first, date(2013, 1, 10), 30)
    assert (frozen.trials, frozen.seed) == (spec.training.trials, spec.training.seed)
    assert Frozen.model_validate_json(frozen.model_dump_json()) == frozen
    assert freeze(lake, spec, image="i").key == frozen.key, "a retry finds its own work"

    others = [
        freeze(lake, spec, image="i", end=date(2013, 1, 9)),
        freeze(lake, spec, image="i", start=date(2013, 1, 2)),
        freeze(lake, spec, image="i", trials=3),
        freeze(lake, spec, image="i", seed=0),
        freeze(
            lake, spec.model_copy(update={"training": spec.training.model_copy(update={"parameters": ()})}), image="i"
        ),
        freeze(lake, spec, image="i", rerun=1),
    ]
    with monkeypatch.context() as changed:
        changed.setattr("include.stages.training.frozen.digest", lambda *parts: f"other {parts}")
        others.append(freeze(lake, spec, image="i"))
    with monkeypatch.context() as changed:
        changed.setattr("include.stages.training.frozen.environment", lambda name: f"other {name}")
        others.append(freeze(lake, spec, image="i"))
    promotion = spec.promotion.model_copy(update={"approval_hours": 99})
    gates = spec.gates.model_copy(update={"floor": 0.1})
    edited = spec.model_copy(update={"description": "Told better.", "promotion": promotion, "gates": gates})
    same = freeze(lake, edited, image="of the edited spec", serving_image="t")
    assert same.key == frozen.key, "what training does not read needs no training"
    land(lake, spec, date(2013, 1, 11))
    others.append(freeze(lake, spec, image="i", end=date(2013, 1, 10)))
    assert len({other.key for other in others} | {frozen.key}) == 10, "any other input is other work"
    assert others[0].rows == 27
    then = tables.read(lake, spec.gold, snapshot_id=frozen.snapshot_id)
    assert then["event_date"].max() == date(2013, 1, 10)
    with pytest.raises(MissingInput, match="2013-01-01 to 2013-01-11"):
        freeze(lake, spec, image="i", start=date(2012, 1, 1), end=date(2012, 1, 9))
    with pytest.raises(MissingInput, match="ends on 2013-01-11"):
        freeze(lake, spec, image="i", end=date(2013, 1, 12))
