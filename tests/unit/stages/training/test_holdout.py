import numpy as np
import polars as pl

from include.stages.training.holdout import Holdout

ROWS = pl.DataFrame({"x": range(10), "by": ["a", None, "bcd", *"abababa"], "label": [0, 1] * 5})


def in_batches(of):
    asked = []

    def batches(columns):
        asked.append(columns)
        return ROWS.iter_slices(of)

    return Holdout(batches), asked


def test_batches_say_what_the_whole_says():
    whole = Holdout.of(ROWS)
    for size in (1, 3, 10, 99):
        held, _ = in_batches(size)
        np.testing.assert_array_equal(held.labels, whole.labels)
        np.testing.assert_array_equal(held.texts("by"), ["a", "none", "bcd", *"abababa"])
        np.testing.assert_array_equal(held.each(lambda rows: rows["x"].to_numpy() * 2), np.arange(0, 20, 2))
        assert held.whole().equals(ROWS)
        assert held.whole(["by"]).equals(ROWS.select("by"))
        assert held.head(4).equals(ROWS.head(4))
        assert held.height == 10


def test_labels_are_read_once_and_alone():
    held, asked = in_batches(3)
    assert (held.height, held.labels[1], held.texts("by")[0]) == (10, 1, "a")
    assert asked == [(), ["by"]]


def test_no_rows_are_none():
    empty = Holdout(lambda _: [])
    assert (empty.height, len(empty.labels)) == (0, 0)
