from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from include.foundation.artifact import Metadata
from include.foundation.artifact.scoring import encoded
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
