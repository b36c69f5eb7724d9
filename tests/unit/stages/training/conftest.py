import importlib.util
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from include.foundation.evidence.manifest import Window


@pytest.fixture(scope="session")
def toy():
    spec = importlib.util.spec_from_file_location("toy_model", Path(__file__).with_name("toy.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules["toy_model"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def window():
    return Window(
        start=date(2020, 1, 1), validation_start=date(2020, 1, 7), holdout_start=date(2020, 1, 9), end=date(2020, 1, 10)
    )


@pytest.fixture
def gold():
    """Ten days of 200 requests, asked from 05:00 to 21:40; labels are known two hours later."""
    rng = np.random.default_rng(4)
    rows = 2000
    size, colour = rng.normal(size=rows), rng.choice(["blue", "red"], rows)
    chance = 1 / (1 + np.exp(-(2 * size + (colour == "red"))))
    day = np.repeat(np.arange(10), 200)
    asked = [
        datetime(2020, 1, 1, 5, tzinfo=UTC) + timedelta(days=int(d), minutes=5 * int(n))
        for d, n in zip(day, np.tile(np.arange(200), 10), strict=True)
    ]
    return pl.DataFrame(
        {
            "id": [f"{n:05}" for n in range(rows)],
            "event_time": asked,
            "event_date": [date(2020, 1, 1) + timedelta(days=int(d)) for d in day],
            "size": size,
            "colour": colour,
            "label": rng.random(rows) < chance,
            "label_known_at": [at + timedelta(hours=2) for at in asked],
        }
    )
