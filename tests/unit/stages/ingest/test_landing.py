"""Which objects of a bucket are landed files."""

from datetime import UTC, date, datetime, timedelta

import pytest

from include.foundation.lake import Object
from include.stages.ingest import landing

DAYS = [date(2013, 1, 30) + timedelta(days=n) for n in range(4)]


class Bucket:
    """Names in the order in which S3 lists them."""

    def __init__(self, *names: str) -> None:
        self._names = sorted(names)

    def list(self, uri: str, *, after: str = "") -> list[Object]:
        found = [uri + name for name in self._names if uri + name > after]
        return [Object(uri=name, size=1, etag="e", modified=datetime(2026, 1, 1, tzinfo=UTC)) for name in found]


@pytest.mark.parametrize(
    "stray",
    ["2013-01-old/2013-06-30.csv", "2013-01-30/2099-01-01.csv", "2013-01-31.csv/2099-01-01.csv", "20130131.csv", "x"],
)
def test_a_stray_name_hides_no_file(stray: str) -> None:
    bucket = Bucket(stray, *(f"{day}.csv" for day in DAYS), "2013-02-31.csv")
    found = landing.landed(bucket, "s3://landing", "u", "s", start=DAYS[0], end=DAYS[2])
    assert [day for day, _ in found] == DAYS[:3]
