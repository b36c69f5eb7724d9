import json
from collections import Counter
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest

from include.foundation.spec import load
from sandbox.demo.data import digits

SPEC = load("digits")


@pytest.fixture(scope="module")
def batches():
    return {day: [json.loads(line) for line in text.splitlines()] for day, text in digits.files()["scans"].items()}


def test_all_images_come_once_on_the_spec_s_days(batches):
    assert [min(batches), max(batches)] == [digits.FIRST, digits.LAST] == [SPEC.schedule.start, SPEC.schedule.end]
    whole = {row["scan"] for rows in batches.values() for row in rows if len(row["image"].split()) == 68}
    assert len(whole) == 1797


def test_the_same_seed_gives_the_same_bytes(batches):
    assert digits.files()["scans"] == digits.files()["scans"]


def test_the_demo_s_holdout_has_each_digit_often_enough(batches):
    first = digits.DEMO_LAST - timedelta(days=SPEC.training.holdout_days - 1)
    seen = Counter(row["digit"] for day, rows in batches.items() if first <= day <= digits.DEMO_LAST for row in rows)
    assert len(seen) == 10
    assert min(seen.values()) > 20


def test_scanners_wear_by_the_schedule_and_not_before():
    image, random = np.zeros((8, 8)), np.random.default_rng(0)
    image[2:6, 3] = 16
    assert (digits.worn(image, digits.Wear(), random) == image).all()
    assert digits.worn(image, digits.Wear(contrast_loss=0.5), random).max() == 8
    assert (digits.worn(image, digits.Wear(blur=0.6), random) > 0).sum() > 4
    assert (digits.worn(image, digits.Wear(rotation=25), random) != image).any()
    assert min(digits.SCHEDULE) > digits.DEMO_LAST + timedelta(days=1), "the demo asks about a day like those it knows"


def test_a_batch_has_a_scan_twice_and_every_seventh_a_cut_image(batches):
    rows = batches[date(2024, 1, 2)]
    assert max(Counter(row["sha256"] for row in rows).values()) == 2
    cut = [day for day, rows in batches.items() if any(len(row["image"].split()) < 68 for row in rows)]
    assert {(later - earlier).days for earlier, later in pairwise(cut)} == {7}
