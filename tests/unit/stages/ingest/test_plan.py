from datetime import UTC, date, datetime

from include.foundation.spec.sources import Source
from include.stages.ingest.plan import File, Plan

DAY = date(2013, 1, 1)
FILE = File(
    day=DAY, uri="s3://landing/u/s/2013-01-01.csv", size=3, etag="e", landed_at=datetime(2026, 1, 1, tzinfo=UTC)
)
SOURCE = Source(name="s", contract="S")


def plan(**changes: object) -> Plan:
    return Plan(use_case="u", days=(DAY,), files={"s": (FILE.model_copy(update=changes),)})


def test_a_plan_survives_json() -> None:
    assert Plan(**plan().model_dump(mode="json")) == plan()


def test_the_run_key_tells_apart_runs_files_settings_and_code() -> None:
    keys = [
        plan().key(SOURCE, run_id="r", code="c"),
        plan().key(SOURCE, run_id="r2", code="c"),
        plan().key(SOURCE, run_id="r", code="c2"),
        plan().key(SOURCE.model_copy(update={"null_values": ("",)}), run_id="r", code="c"),
        plan(etag="e2").key(SOURCE, run_id="r", code="c"),
    ]
    assert len({*keys}) == len(keys)
    assert plan(landed_at=datetime(2027, 1, 1, tzinfo=UTC)).key(SOURCE, run_id="r", code="c") == keys[0]
