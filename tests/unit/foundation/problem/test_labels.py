import polars as pl
import pytest

from include.foundation.errors import InvalidInput
from include.foundation.problem.labels import refuse

IDS = pl.Series(["a", "b", "c", "d", "e"])


def test_the_rule_the_count_and_examples_are_told():
    labels = pl.Series([0, 2, 1, -1, None])
    with pytest.raises(InvalidInput) as told:
        refuse(labels, IDS, ~labels.is_in([0, 1]), "labels are 0 or 1")
    assert str(told.value) == "labels are 0 or 1. 2 of 5 labels are not: 2 of 'b', -1 of 'd'"


def test_a_label_is_shown_once_and_three_are():
    labels = pl.Series([7, 7, 8, 9, 10])
    with pytest.raises(InvalidInput, match=r"5 of 5 labels are not: 7 of 'a', 8 of 'c', 9 of 'd'$"):
        refuse(labels, IDS, labels > 0, "no")


def test_no_label_is_no_bad_one():
    """A request without a label is not labelled yet; whatever a rule says of null, it is not refused."""
    labels = pl.Series([None, None, 1, 1, 1], dtype=pl.Int64)
    refuse(labels, IDS, pl.Series([True, None, False, None, False]), "no")


def test_a_long_label_and_a_long_id_are_cut():
    with pytest.raises(InvalidInput) as told:
        refuse(pl.Series(["x" * 10_000]), pl.Series(["y" * 10_000]), pl.Series([True]), "no")
    assert len(str(told.value)) < 200
