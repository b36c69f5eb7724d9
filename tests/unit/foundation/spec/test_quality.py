import pytest
from pydantic import ValidationError

from include.foundation.spec.quality import Daily, Levels, Quality


def test_it_is_said_before_it_stops():
    assert Levels(warn=0.3, stop=0.3).stop == 0.3
    with pytest.raises(ValidationError, match=r"warn 0\.5 lies above stop 0\.4"):
        Levels(warn=0.5, stop=0.4)


@pytest.mark.parametrize("level", [-0.1, 1.1])
def test_a_level_is_a_share(level):
    with pytest.raises(ValidationError, match="stop"):
        Levels(warn=0, stop=level)


def test_a_spec_that_says_nothing_has_a_budget_and_levels_that_can_be_reached():
    sound = Quality()
    assert 0 < sound.quarantine_budget < 1
    assert all(levels.stop < 1 for levels in (sound.daily.rows, sound.daily.nulls))
    assert sound.daily.min_days <= 7 * sound.daily.weeks


@pytest.mark.parametrize("change", [{"weeks": 0}, {"weeks": 54}, {"min_days": 0}])
def test_there_are_days_to_compare_with(change):
    with pytest.raises(ValidationError, match=next(iter(change))):
        Daily(**change)


@pytest.mark.parametrize("budget", [-0.01, 1.01])
def test_a_budget_is_a_share(budget):
    with pytest.raises(ValidationError, match="quarantine_budget"):
        Quality(quarantine_budget=budget)
