import pytest

from include.foundation.errors import BudgetExceeded, InvalidInput
from include.stages.ingest.faults import raise_together


def test_one_fault_is_raised_as_it_is_and_none_is_none() -> None:
    raise_together([])
    fault = InvalidInput("x: line 1: empty")
    with pytest.raises(InvalidInput) as error:
        raise_together([fault])
    assert error.value is fault


def test_several_are_told_in_one_up_to_a_number() -> None:
    with pytest.raises(BudgetExceeded) as error:
        raise_together([BudgetExceeded(f"{number}:{'x' * 10_000}") for number in range(99)])
    lines = str(error.value).splitlines()
    assert lines[0] == "99 faults:"
    assert [line[:2] for line in lines[1:-1]] == [f"{number}:" for number in range(10)]
    assert lines[-1] == "and 89 more"
    assert len(str(error.value)) < 25_000
