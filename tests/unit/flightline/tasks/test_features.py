"""What a run on features tells the Dags that wait for it."""

from datetime import UTC, date, datetime
from types import SimpleNamespace

import pytest

from flightline import assets, lineage
from flightline.tasks import features
from include.foundation.spec import load

SPEC = load("flight_delays")
BUILT = {
    **{"start": "2013-01-31", "end": "2013-01-31", "first": "2013-01-31", "last": "2013-02-01"},
    **{"rows": 900, "labelled": 880, "snapshot_id": 7381420598231775109},
}


@pytest.fixture(autouse=True)
def systems(monkeypatch):
    monkeypatch.setattr("flightline.hooks.lake.LakeHook", lambda: SimpleNamespace(lake="lake"))
    monkeypatch.setattr("flightline.hooks.online.OnlineHook", lambda: SimpleNamespace(get_conn=lambda: "dsn"))
    monkeypatch.setattr("include.foundation.lake.tables.days", lambda *_: [date(2013, 2, 1)])
    monkeypatch.setattr("include.stages.features.columns.look", lambda *_: {})
    monkeypatch.setattr(lineage, "tell_of_tables", lambda *_: None)


def test_an_event_says_days_rows_and_the_snapshot_as_a_text(monkeypatch):
    published = SimpleNamespace(
        rows={"departed": 5}, since=datetime(2013, 1, 31, tzinfo=UTC), model_dump=lambda mode: {"rows": 5}
    )
    monkeypatch.setattr("include.stages.features.online.publish_online", lambda *_, dsn: published)
    months: list[str] = []
    event = SimpleNamespace(add_partitions=months.extend, extra=None)
    assert features.publish.function(SPEC.name, BUILT, outlet_events={assets.gold(SPEC): event}) == {"rows": 5}
    assert months == ["2013-01", "2013-02"]
    assert event.extra == {
        "days": "2013-01-31 to 2013-02-01",
        "rows": 900,
        "labelled": 880,
        "snapshot": "7381420598231775109",
    }
