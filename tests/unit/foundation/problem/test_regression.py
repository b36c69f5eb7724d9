import numpy as np
import polars as pl
import pytest
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from include.foundation.errors import InvalidInput
from include.foundation.problem.bootstrap import measure
from include.foundation.problem.regression import Regression
from tests.unit.foundation.problem.conftest import rows_of

REGRESSION = Regression()


def test_metrics_equal_sklearn():
    rows = rows_of("regression")
    found = measure(REGRESSION, rows.labels, rows.poor)
    assert found["rmse"] == pytest.approx(root_mean_squared_error(rows.labels, rows.poor))
    assert found["mae"] == pytest.approx(mean_absolute_error(rows.labels, rows.poor))
    assert found["r2"] == pytest.approx(r2_score(rows.labels, rows.poor))


def test_labels_without_variance_have_no_r2():
    assert np.isnan(measure(REGRESSION, np.ones(9), np.arange(9.0))["r2"])


@pytest.mark.parametrize("label", [np.nan, np.inf, -np.inf, 1e39])
def test_targets_are_finite_and_within_float32(label):
    with pytest.raises(InvalidInput, match=r"regression are finite numbers within float32\. 1 of 2 .* of 'b'"):
        REGRESSION.check_labels(pl.Series([1.0, label]), pl.Series(["a", "b"]))


def test_texts_and_booleans_are_no_targets():
    for labels in (["1.5"], [True]):
        with pytest.raises(InvalidInput, match=r"regression are finite numbers .* not (String|Boolean)"):
            REGRESSION.check_labels(pl.Series(labels), pl.Series(["a"]))
    REGRESSION.check_labels(pl.Series([3, -4]), pl.Series(["a", "b"]))


def test_plots_say_how_wrong():
    rows = rows_of("regression", 5000)
    actual, residuals, sizes = REGRESSION.plots(rows.labels, rows.good)
    assert len(actual.series[""]) == len(residuals.series[""]) == 1000
    assert f"RMSE {root_mean_squared_error(rows.labels, rows.good):.4g}" in residuals.note
    assert sizes.series[""][50][1] == pytest.approx(np.median(np.abs(rows.labels - rows.good)))


def test_scale_is_the_greatest_answer():
    assert REGRESSION.scale(np.array([-2000.0, 5.0])) == 2000


@pytest.mark.parametrize("value", ["1", None, True, float("nan"), float("inf")])
def test_a_served_answer_that_is_no_value(value):
    with pytest.raises(InvalidInput, match=r"^value "):
        REGRESSION.numbers({"value": value})
