from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from include.foundation.errors import MissingInput
from include.foundation.problem import problem
from include.foundation.spec.monitoring import Monitoring
from include.stages.monitoring.observation import Observation, observe
from include.stages.monitoring.reference import Reference

FIRST = date(2026, 1, 1)
RULES = Monitoring(window_days=7, features_share=0.5, max_age_days=60)
RNG = np.random.default_rng(3)


def rows(first: date, days: int, *, moved: float = 0.0, turned: bool = False) -> pl.DataFrame:
    dates = pl.date_range(first, first + timedelta(days=days - 1), eager=True).repeat_by(200).explode()
    x, y = RNG.normal(size=(2, len(dates)))
    label = RNG.random(len(dates)) < 1 / (1 + np.exp(2 * x if turned else -2 * x))
    return pl.DataFrame({"event_date": dates, "x": x + moved, "y": y, "label": label}).cast({"label": pl.Int8})


def answers(frame: pl.DataFrame) -> np.ndarray:
    return 1 / (1 + np.exp(-2 * frame["x"].to_numpy()))


@pytest.fixture(scope="module")
def reference() -> Reference:
    train, holdout = rows(FIRST, 84), rows(FIRST, 35)
    return Reference.of(
        train.select, holdout, answers(holdout), features=["x", "y"], kind=problem("binary"), metric="auc", rules=RULES
    )


def look(reference: Reference, frame: pl.DataFrame) -> Observation:
    return observe(reference, frame, answers(frame), kind=problem("binary"), rules=RULES)


def later(days: int) -> date:
    return FIRST + timedelta(days=83 + days)


def test_an_ordinary_window_shows_nothing(reference: Reference) -> None:
    found = look(reference, rows(later(1), 7))
    assert (found.start, found.end, found.rows, found.labelled) == (later(1), later(7), 1400, 1400)
    assert found.signals == found.drifted == ()


def test_a_moved_feature_is_named_and_moves_the_answers(reference: Reference) -> None:
    found = look(reference, rows(later(1), 7, moved=1.0))
    assert found.drifted == ("x",)
    assert {"features", "answers"} <= {*found.signals}


def test_a_turned_label_is_a_loss_of_performance_alone(reference: Reference) -> None:
    found = look(reference, rows(later(1), 7, turned=True))
    assert found.signals == ("performance",)
    assert found.value == pytest.approx(0.13, abs=0.05)


def test_only_matured_labels_count(reference: Reference) -> None:
    frame = rows(later(1), 7, turned=True)
    half = frame.with_columns(label=pl.when(pl.col("event_date") < later(4)).then("label"))
    assert look(reference, half).labelled == 600
    none = look(reference, frame.with_columns(label=pl.lit(None, pl.Int8)))
    assert (none.labelled, none.value, none.signals) == (0, None, ())


def test_an_old_champion_is_a_signal(reference: Reference) -> None:
    assert look(reference, rows(later(54), 7)).signals == ()
    assert look(reference, rows(later(55), 7)).signals == ("age",)


def test_no_predictions_are_no_good_news(reference: Reference) -> None:
    with pytest.raises(MissingInput, match="no predictions in the window"):
        look(reference, rows(later(1), 7).clear())
