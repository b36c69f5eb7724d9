import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.models.encoding import FEW, categories, encode

FEATURES = {"size": pl.Float64(), "kind": pl.String(), "count": pl.Int64(), "open": pl.Boolean()}
ROW = st.fixed_dictionaries(
    {
        "size": st.none() | st.floats(-1e30, 1e30, allow_nan=False),
        "kind": st.none() | st.sampled_from(["a", "b", "unseen", ""]),
        "count": st.none() | st.integers(-(2**24), 2**24),
        "open": st.none() | st.booleans(),
    }
)


@settings(max_examples=50, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=5))
def test_few_rows_and_many_are_the_same_bits(rows):
    """Serving encodes few, training many."""
    few = pl.DataFrame(rows, schema=FEATURES)
    many = pl.concat([few] * (FEW + 1))
    known = {"kind": ("a", "b")}
    once, often = encode(few, FEATURES, known), encode(many, FEATURES, known)
    assert once.dtype == often.dtype == np.float32
    np.testing.assert_array_equal(np.concatenate([once] * (FEW + 1)), often)


@pytest.mark.parametrize("copies", [1, FEW + 1])
def test_a_category_is_its_place_and_one_that_training_never_saw_is_none(copies):
    frame = pl.DataFrame({"kind": ["b", "a", "unseen", None]})
    made = encode(pl.concat([frame] * copies), {"kind": pl.String()}, {"kind": ("a", "b")})
    np.testing.assert_array_equal(made[:4, 0], [1, 0, math.nan, math.nan])


def test_columns_are_in_the_features_order_and_others_are_left_alone():
    frame = pl.DataFrame({"label": [9], "b": [2.0], "a": [1.0]})
    assert encode(frame, {"a": pl.Float64(), "b": pl.Float64()}, {}).tolist() == [[1, 2]]


def test_categories_are_the_texts_of_training_sorted_and_without_null():
    train = pl.DataFrame({"kind": ["b", None, "a", "b"], "count": [1, 2, 3, 4]})
    assert categories(train, {"kind": pl.String(), "count": pl.Int64()}) == {"kind": ("a", "b")}


@pytest.mark.parametrize(("values", "warned"), [(1000, False), (1001, True)])
def test_free_text_is_warned_of_by_name(values, warned, caplog):
    categories(pl.DataFrame({"note": map(str, range(values))}), {"note": pl.String()})
    assert ("note has" in caplog.text) is warned
