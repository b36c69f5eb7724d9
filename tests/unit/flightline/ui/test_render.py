"""Words for times and sizes."""

from datetime import UTC, datetime, timedelta

import pytest

from flightline.ui import render


def test_times_are_told_roughly():
    now = datetime.now(UTC)
    told = [render.ago(now - timedelta(seconds=each)) for each in (1, 61, 7_300, 90_000, 200_000)]
    assert told == ["just now", "1 minute ago", "2 hours ago", "1 day ago", "2 days ago"]
    assert [render.ago(None), render.moment(None)] == ["never", "never"]


@pytest.mark.parametrize(
    ("value", "said"), [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (2e9, "2.0 GB"), (5e15, "5,000.0 TB")]
)
def test_sizes(value, said):
    assert render.size(value) == said
