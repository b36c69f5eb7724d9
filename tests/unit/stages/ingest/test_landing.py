"""Which objects of a bucket are landed files."""

from datetime import UTC, date, datetime, timedelta

import pytest

from include.foundation.lake import Object
from include.foundation.spec.sources import JsonLines, Source
from include.stages.ingest import landing

SOURCE = Source(name="s", contract="S")
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
    found = landing.landed(bucket, "s3://landing", "u", SOURCE, start=DAYS[0], end=DAYS[2])
    assert [at.date() for at, _ in found] == DAYS[:3]


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"compression": "gzip"}, ["2013-01-31.csv.gz"]),
        ({"format": JsonLines(type="jsonl")}, ["2013-01-31.jsonl"]),
        ({"files": "many"}, ["2013-01-31/a.csv", "2013-01-31/b/c.csv"]),
        ({"every": "hour"}, ["2013-01-31T00.csv", "2013-01-31T23.csv"]),
        ({"every": "hour", "files": "many"}, ["2013-01-31T05/a.csv"]),
    ],
)
def test_names_are_as_the_spec_says(settings: dict[str, object], names: list[str]) -> None:
    others = [
        "2013-01-30T23.csv",
        "2013-01-31T24.csv",
        "2013-01-31T5.csv",
        "2013-02-01.csv",
        "2013-01-31.txt",
        "2013-01-31/x",
    ]
    bucket = Bucket(*names, *others)
    source = SOURCE.model_copy(update=settings)
    found = landing.landed(bucket, "s3://landing", "u", source, start=DAYS[1], end=DAYS[1])
    assert [each.uri.removeprefix("s3://landing/u/s/") for _, each in found] == names


@pytest.mark.parametrize(
    "name",
    [
        "S/2013-06-01.csv",
        "s/2013-6-1.csv",
        "s/2013-06-01.CSV",
        "s/20130601.csv",
        "s/2013_06_01.csv.gz",
        "s/2013-06-01.txt",
    ],
)
def test_a_file_under_nearly_the_right_name_is_found(name: str) -> None:
    bucket = Bucket(name, "s/2013-06-02.csv", "t/2013-06-01.csv", "s/readme")
    june = datetime(2013, 6, 1, tzinfo=UTC)
    assert landing.near_misses(bucket, "s3://landing", "u", SOURCE, june) == [f"s3://landing/u/{name}"]
