import json
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from include.foundation.artifact import Metadata
from include.foundation.artifact.scoring import encoded, matrix, named
from include.foundation.errors import InvalidInput

FRAME = pl.DataFrame({"size": [1, 2], "weight": [3, 4], "new": [5, 6]})


def metadata(*features):
    return Metadata(use_case="toy", features=features, categories={}, created_from={})


def model(*features):
    return SimpleNamespace(FEATURES=features, encode=lambda frame, _: frame.select(features).to_numpy(), __name__="toy")


@pytest.mark.parametrize("have", [("size", "weight"), ("weight", "new", "size")])
def test_columns_are_those_of_the_file_in_its_order(have):
    made = encoded(model(*have), metadata("size", "weight"), FRAME)
    np.testing.assert_array_equal(made, [[1, 3], [2, 4]])
    assert made.flags.c_contiguous or have == ("size", "weight")


def test_a_feature_that_is_gone_is_named():
    with pytest.raises(InvalidInput, match="gone: size"):
        encoded(model("weight"), metadata("size", "weight"), FRAME)


def test_named_rows_are_read_back_to_the_bit():
    sizes = Metadata(use_case="toy", features=("size", "weight"), categories={"size": ("S", "L")}, created_from={})
    rows = np.array([[0, 0.1], [1, -0.0], [np.nan, np.nan], [1, 3e38], [7, 1e-45], [0.5, 1]], np.float32)
    texts = [json.dumps(named(sizes, row)).replace("NaN", "null") for row in rows]
    assert json.loads(texts[0]) == {"size": "S", "weight": float(np.float32(0.1))}
    assert json.loads(texts[2]) == {"size": None, "weight": None}
    read = matrix(sizes, [json.loads(text) for text in texts])
    np.testing.assert_array_equal(read.view(np.uint32), rows.view(np.uint32))


def test_an_unknown_category_is_missing_and_other_features_are_named():
    sizes = Metadata(use_case="toy", features=("size",), categories={"size": ("S", "L")}, created_from={})
    assert np.isnan(matrix(sizes, [{"size": "XL"}]))
    with pytest.raises(InvalidInput, match="other features than the model file: weight"):
        matrix(sizes, [{"weight": 1}])
