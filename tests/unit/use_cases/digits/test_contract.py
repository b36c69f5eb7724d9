from datetime import date

import polars as pl
import pytest

from include.foundation.spec import load
from include.stages.quality import Contract, judge
from include.use_cases.digits.contract import Scans, sha256
from include.use_cases.digits.features import EXAMPLE

CONTRACT, DAY = Contract.of(Scans), date(2024, 1, 1)


def row(image=EXAMPLE, **change):
    scan = {"scan": "20240101-001", "scanned_at": "2024-01-01T08:00:00Z", "image": image, "sha256": sha256(image)}
    return {**scan, "digit": "7", "keyed_at": "2024-01-01T08:45:00Z", **change}


def verdict(*rows):
    frame = pl.DataFrame(rows, schema=dict.fromkeys(CONTRACT.landed, pl.String)).with_columns(event_date=pl.lit(DAY))
    return judge(CONTRACT, frame, null_values=load("digits").source("scans").null_values)


@pytest.mark.parametrize("change", [{}, {"digit": "", "keyed_at": ""}], ids=["keyed in", "not keyed in yet"])
def test_a_scan_passes(change):
    assert verdict(row(**change)).passed.height == 1


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (row(EXAMPLE[:-2]), "grey map of 8 x 8"),
        (row(EXAMPLE.replace("P2 8 8 16", "P2 8 8 15")), "grey map of 8 x 8"),
        (row(EXAMPLE.replace(" 15 ", " 17 ", 1)), "pixels are from 0 to 16"),
        (row(sha256="0" * 64), "sha256 is that of the image"),
        (row(digit="10"), "digit"),
        (row(digit=""), "both there or both missing"),
        (row(keyed_at="2024-01-01T07:00:00Z"), "keyed in after that"),
        (row(scanned_at="2024-01-02T08:00:00Z", keyed_at="2024-01-02T08:00:00Z"), "batch's day"),
    ],
)
def test_what_is_wrong_is_named(bad, reason):
    (reasons,) = verdict(bad).failed["reasons"]
    assert len(reasons) == 1
    assert reason in reasons[0]


def test_an_image_that_was_sent_twice_counts_once_and_under_two_names_not_at_all():
    assert verdict(row(), row()).passed.height == 1
    assert verdict(row(), row(scan="20240101-002")).passed.height == 0
