"""The log joined with gold, in a lake in a folder."""

import json
from datetime import UTC, date, datetime, timedelta
from types import ModuleType
from typing import Any

import polars as pl
import pytest
from pydantic import AwareDatetime, BaseModel

from include.foundation.errors import MissingInput
from include.foundation.lake import Lake, tables
from include.foundation.lake.commit import replace_days
from include.foundation.spec import UseCase, load
from include.stages.monitoring import answered
from include.stages.monitoring.answered import Joined, join

DAY, ASKED = date(2024, 5, 2), date(2024, 5, 1)
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
UTC_US = pl.Datetime("us", "UTC")


class Request(BaseModel):
    at: AwareDatetime
    shop: str
    tail: str | None = None

    @property
    def event_time(self) -> datetime:
        return self.at


@pytest.fixture(autouse=True)
def features(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("features")
    module.Request = Request
    monkeypatch.setattr(answered, "module", lambda *_: module)


@pytest.fixture
def spec() -> UseCase:
    return UseCase.model_validate({**load("flight_delays").model_dump(mode="json"), "name": "shops"})


def gold(lake: Lake, spec: UseCase, *rows: tuple[str, int | None], day: date = ASKED, tail: str | None = None) -> None:
    """Rows of a day, asked about at its noon: shop and label, which is known an hour later."""
    frame = pl.DataFrame(
        [
            {
                "id": f"{shop}-{number}",
                "event_date": day,
                "at": NOON + (day - ASKED),
                "shop": shop,
                "tail": tail,
                "label": label,
                "label_known_at": None if label is None else NOON + (day - ASKED) + timedelta(hours=1),
            }
            for number, (shop, label) in enumerate(rows)
        ],
        schema_overrides={"at": UTC_US, "label_known_at": UTC_US, "label": pl.Int8, "tail": pl.String},
    )
    replace_days(lake, spec.gold, frame, [day], {})


def logged(lake: Lake, spec: UseCase, *records: dict[str, Any] | None, day: date = DAY, answer: str = "0.25") -> None:
    """Answers of a day."""
    frame = pl.DataFrame(
        [
            {
                "request_id": f"r{number}",
                "row": 0,
                "version": "3",
                "model_digest": "sha256:x",
                "stage": "production",
                "scored_at": datetime(day.year, day.month, day.day, 8, tzinfo=UTC),
                "record": None if record is None else json.dumps(record),
                "features": "{}",
                "answer": answer,
                "event_date": day,
            }
            for number, record in enumerate(records)
        ],
        schema_overrides={"record": pl.String, "scored_at": UTC_US},
    )
    replace_days(lake, spec.table("silver", "predictions"), frame, [day], {})


def asked(shop: str, at: str = "2024-05-01T12:00:00Z", **more: Any) -> dict[str, Any]:
    return {"at": at, "shop": shop, "tail": None, **more}


def run(lake: Lake, spec: UseCase, *, at: datetime = NOON + timedelta(days=9)) -> Joined:
    return join(lake, spec, at=at, run_id="r")


def rows(lake: Lake, spec: UseCase) -> list[dict[str, Any]]:
    return tables.read(lake, spec.predictions_table).sort("request_id").to_dicts()


def test_an_answer_finds_its_label_by_all_that_was_asked(folder_lake: Lake, spec: UseCase) -> None:
    gold(folder_lake, spec, ("north", 1), ("south", None), ("twice", 1), ("twice", 0))
    logged(
        folder_lake,
        spec,
        asked("north"),
        asked("north", at="2024-05-01T08:00:00-04:00"),  # the same moment on another clock
        asked("south"),
        asked("north", tail="N1"),
        asked("north", at="2024-05-01T12:00:01Z"),
        asked("twice"),
        {"another": "model's record"},
        None,
    )
    done = run(folder_lake, spec)
    assert done == Joined(days=(DAY,), rows=8, found=3, labelled=2)
    found = rows(folder_lake, spec)
    assert [row["id"] for row in found] == ["north-0", "north-0", "south-1", None, None, None, None, None]
    assert [row["label"] for row in found] == [1, 1, None, None, None, None, None, None]
    assert [row["asked_date"] for row in found] == [ASKED] * 6 + [None, None]
    assert found[0]["answer"] == [0.25]


def test_no_label_is_joined_before_it_is_known(folder_lake: Lake, spec: UseCase) -> None:
    gold(folder_lake, spec, ("north", 1))
    logged(folder_lake, spec, asked("north"))
    assert run(folder_lake, spec, at=NOON + timedelta(minutes=59)).labelled == 0
    assert run(folder_lake, spec, at=NOON + timedelta(minutes=59)).days == ()
    assert run(folder_lake, spec, at=NOON + timedelta(minutes=60)).labelled == 1
    assert run(folder_lake, spec).days == ()


def test_a_day_is_joined_again_when_gold_or_the_log_has_changed(folder_lake: Lake, spec: UseCase) -> None:
    later = DAY + timedelta(days=1)
    gold(folder_lake, spec, ("north", None))
    logged(folder_lake, spec, asked("north"))
    logged(folder_lake, spec, asked("north", at="2024-06-01T12:00:00Z"), day=later)
    assert run(folder_lake, spec) == Joined(days=(DAY, later), rows=2, found=1)
    gold(folder_lake, spec, ("north", 0))
    assert run(folder_lake, spec) == Joined(days=(DAY,), rows=1, found=1, labelled=1)
    logged(folder_lake, spec, asked("north"), asked("south"))
    assert run(folder_lake, spec) == Joined(days=(DAY,), rows=2, found=1, labelled=1)
    gold(folder_lake, spec, ("north", 1), day=ASKED + timedelta(days=9))
    assert run(folder_lake, spec).days == ()
    assert len(rows(folder_lake, spec)) == 3


def test_a_day_of_tensors_or_beside_gold_has_no_labels(folder_lake: Lake, spec: UseCase) -> None:
    gold(folder_lake, spec, ("north", 1))
    logged(folder_lake, spec, None, answer="[0.5, 0.25, 0.25]")
    assert run(folder_lake, spec) == Joined(days=(DAY,), rows=1)
    assert rows(folder_lake, spec)[0]["answer"] == [0.5, 0.25, 0.25]
    logged(folder_lake, spec, asked("north", at="2031-01-01T12:00:00Z"))
    assert run(folder_lake, spec) == Joined(days=(DAY,), rows=1)


def test_without_a_log_or_gold_it_is_said(folder_lake: Lake, spec: UseCase) -> None:
    with pytest.raises(MissingInput, match=r"silver\.shops__predictions does not exist"):
        run(folder_lake, spec)
    logged(folder_lake, spec, asked("north"))
    with pytest.raises(MissingInput, match=r"gold\.shops does not exist"):
        run(folder_lake, spec)


def test_moments_at_the_ends_of_the_calendar_stop_nothing(folder_lake: Lake, spec: UseCase) -> None:
    gold(folder_lake, spec, ("north", 1))
    moments = ("9999-12-31T12:00:00Z", "0001-01-01T12:00:00Z", "0001-01-01T00:00:00+05:00")
    ends = [asked("north", at=at) for at in moments]
    logged(folder_lake, spec, asked("north"), *ends)
    assert run(folder_lake, spec) == Joined(days=(DAY,), rows=4, found=1, labelled=1)
    assert [row["asked_date"] for row in rows(folder_lake, spec)] == [ASKED, date.max, date.min, None]


def test_a_long_log_is_not_read_again_for_what_is_new(
    folder_lake: Lake, spec: UseCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [DAY + timedelta(days=number) for number in range(6)]
    for day in days:
        gold(folder_lake, spec, ("north", 1), day=day)
        logged(folder_lake, spec, asked("north", at=f"{day}T12:00:00Z"), None, day=day)
    assert run(folder_lake, spec, at=NOON + timedelta(days=5)).labelled == 4  # of the last two days none is known
    read: list[date] = []
    real = tables.read

    def counted(lake: Lake, identifier: str, **fields: Any) -> pl.DataFrame:
        if identifier == spec.predictions_table:
            read.append(fields["start"])
        return real(lake, identifier, **fields)

    monkeypatch.setattr(tables, "read", counted)
    assert run(folder_lake, spec, at=NOON + timedelta(days=6, hours=2)).days == (days[4], days[5])
    assert {*read} <= {*days[3:]}
    read.clear()
    assert run(folder_lake, spec, at=NOON + timedelta(days=7)).days == ()
    assert {*read} <= {days[5]}
    (part,) = answered.asked(folder_lake, spec, days[2], days[2], ["id", "label"])
    assert part.rows() == [("north-0", 1)]
    assert {*read} <= {days[2], days[5]}


def test_nothing_is_told_of_a_log_that_is_not_there(folder_lake: Lake, spec: UseCase) -> None:
    assert [*answered.asked(folder_lake, spec, ASKED, DAY, ["id"])] == []
