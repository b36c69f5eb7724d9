import subprocess
import sys

import pytest

from include.foundation.errors import InvalidInput
from include.foundation.problem import KINDS, kind


def test_gain_is_above_zero_for_the_better():
    auc, loss = kind("binary").metric("auc"), kind("binary").metric("log_loss")
    assert auc.gain(0.8, 0.7) == pytest.approx(0.1)
    assert loss.gain(0.3, 0.5) == pytest.approx(0.2)


def test_the_first_metric_is_the_default_and_others_are_refused():
    assert [each.metric().name for each in KINDS.values()] == ["auc", "log_loss", "rmse"]
    with pytest.raises(InvalidInput, match=r"regression problem has no metric 'auc'; it has rmse, mae, r2"):
        kind("regression").metric("auc")


def test_specs_are_checked_without_anything_heavy():
    code = "import include.foundation.problem, sys; print([n for n in ('numpy', 'polars') if n in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert found.strip() == "[]"
