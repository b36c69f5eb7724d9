import pytest
from pydantic import ValidationError

from include.foundation.spec import UseCase, load
from include.foundation.spec.monitoring import Monitoring, Retraining


@pytest.mark.parametrize(
    "change",
    [
        {"window_days": 0},
        {"compare_days": 0},
        {"sigmas": 0},
        {"features_share": 0},
        {"features_share": 1.1},
        {"max_age_days": 0},
        {"retraining": {"margin": -0.1}},
        {"retraining": {"confidence": 0.5}},
        {"retraining": {"per_year": -1}},
    ],
)
def test_a_watch_that_always_or_never_says_something_is_refused(change):
    with pytest.raises(ValidationError, match=next(iter(change))):
        Monitoring(**change)


def test_more_signals_than_windows_cannot_be():
    with pytest.raises(ValidationError, match="signals: 4 of 3 windows cannot be"):
        Retraining(windows=3, signals=4)


@pytest.mark.parametrize(("holdout", "window"), [(1, 1), (3, 1), (7, 2), (21, 7), (30, 7)])
def test_unless_said_the_holdout_holds_three_windows(holdout, window):
    said = load("flight_delays").model_dump(exclude={"monitoring": True})
    said["training"]["holdout_days"] = holdout
    assert UseCase(**said).monitoring.window_days == window
    assert UseCase(**said, monitoring={"window_days": 5}).monitoring.window_days == 5


def test_how_a_champion_is_watched_is_nothing_that_training_reads():
    spec = load("flight_delays")
    other = spec.model_copy(update={"monitoring": Monitoring(window_days=1)})
    assert other.digest_of("training", "features", "problem") == spec.digest_of("training", "features", "problem")
