"""The simple answer that a model must beat."""

from collections.abc import Sequence
from typing import cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

PRIOR_ROWS = 100.0  # weight of the overall rate


def rates(train: pl.DataFrame, frame: pl.DataFrame, by: Sequence[str]) -> NDArray[np.float64]:
    """What a table would say: the rate of the label by some columns, float64 [n].

    Rates are drawn towards the overall rate as if `PRIOR_ROWS` more rows had shown it.
    """
    overall = cast("float", train["label"].mean())
    table = train.group_by(by).agg(rate=(pl.col("label").sum() + PRIOR_ROWS * overall) / (pl.len() + PRIOR_ROWS))
    joined = frame.select(by).join(table, on=by, how="left", nulls_equal=True, maintain_order="left")
    return joined["rate"].fill_null(overall).cast(pl.Float64).to_numpy()
