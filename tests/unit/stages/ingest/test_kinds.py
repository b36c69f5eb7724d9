"""What every kind of source does: one contract for all members."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import get_args

import polars as pl
import pytest

from include.foundation.errors import InvalidInput
from include.foundation.lake import Object
from include.foundation.spec.sources import Source
from include.stages.ingest import rows
from include.stages.ingest.kinds import KINDS

DAYS = [datetime(2013, 1, day, tzinfo=UTC) for day in (1, 2, 3)]


class FakeLake:
    """A landing bucket in memory, which is all that a file source asks of a lake."""

    landing = "s3://landing"

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}

    def objects(self) -> "FakeLake":
        return self

    def list(self, uri: str, *, after: str = "") -> Iterator[Object]:
        for name, data in sorted(self.held.items()):
            if name.startswith(uri) and name > after:
                yield Object(uri=name, size=len(data), etag=str(hash(data)), modified=DAYS[0])

    def stream(self, uri: str, *, etag: str | None = None) -> Iterator[bytes]:
        if etag != str(hash(self.held[uri])):
            raise InvalidInput(f"{uri} has changed since the run was planned")
        yield self.held[uri]


def file_source(values: dict[datetime, str]) -> tuple[FakeLake, Source]:
    lake = FakeLake()
    lake.held = {f"s3://landing/u/s/{at:%Y-%m-%d}.csv": f"a\n{value}\n".encode() for at, value in values.items()}
    return lake, Source(name="s", contract="S")


MEMBERS = {"file": file_source}


def test_every_kind_is_held_to_the_contract() -> None:
    assert {*KINDS} == {*MEMBERS} == {*get_args(Source.model_fields["kind"].annotation)}


@pytest.mark.parametrize("kind", [*KINDS])
def test_what_is_found_is_read_in_order_and_tells_where_it_came_from(kind: str) -> None:
    lake, source = MEMBERS[kind]({DAYS[0]: "x", DAYS[2]: "z"})
    found = [*KINDS[kind].find(lake, "u", source, DAYS)]
    assert [at for at, _ in found] == [DAYS[0], DAYS[2]]
    frame = pl.concat(KINDS[kind].read(lake, source, [each for _, each in found], ["a"]))
    assert frame.schema == rows.schema(["a"])
    assert frame["a"].to_list() == ["x", "z"]
    assert frame["event_date"].to_list() == [DAYS[0].date(), DAYS[2].date()]
    assert frame.select("source_uri", "source_position").n_unique() == 2
    assert frame.null_count().sum_horizontal().item() == 0


@pytest.mark.parametrize("kind", [*KINDS])
def test_nothing_is_found_of_other_intervals(kind: str) -> None:
    lake, source = MEMBERS[kind]({DAYS[0]: "x"})
    assert [*KINDS[kind].find(lake, "u", source, [])] == []
    assert [*KINDS[kind].find(lake, "u", source, [DAYS[1], DAYS[0] + timedelta(days=400)])] == []


@pytest.mark.parametrize("kind", [*KINDS])
def test_what_has_changed_since_it_was_found_is_refused(kind: str) -> None:
    lake, source = MEMBERS[kind]({DAYS[0]: "x"})
    found = [each for _, each in KINDS[kind].find(lake, "u", source, DAYS)]
    other, _ = MEMBERS[kind]({DAYS[0]: "y"})
    with pytest.raises(InvalidInput, match="changed"):
        [*KINDS[kind].read(other, source, found, ["a"])]
