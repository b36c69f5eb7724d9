"""The use case that docs/add-a-use-case.md builds, as it stands there: its days may land in any order."""

import random
import re
from datetime import UTC, date, datetime, timedelta

import pytest
from polars.testing import assert_frame_equal

import include.use_cases
from include.foundation.lake import tables
from include.foundation.problem.ranking import auc
from include.foundation.spec import load, module
from include.stages.features import stale
from include.stages.features.build import build
from include.stages.ingest import publish
from include.stages.ingest.run import run as ingest
from sandbox.supervisor.service import REPO

pytestmark = pytest.mark.integration
DAYS = [date(2013, 1, 1) + timedelta(days=n) for n in range(5)]


@pytest.fixture
def rain(tmp_path, monkeypatch):
    """The guide's use case, where use cases are looked for."""
    folder = tmp_path / "rain"
    folder.mkdir()
    guide = (REPO / "docs/add-a-use-case.md").read_text(encoding="utf-8")
    files = dict(re.findall(r"```\w+ (\S+)\n(.*?)```", guide, re.DOTALL))
    assert [*files] == ["use_case.yaml", "contract.py", "features.py", "model.py"]
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "__init__.py").write_text('"""Rain."""\n', encoding="utf-8")
    monkeypatch.setattr(include.use_cases, "__path__", [*include.use_cases.__path__, str(tmp_path)])
    for code in (stale, publish):  # they look into include/
        monkeypatch.setattr(code, "digest", lambda *_: "the guide's code")
    return load("rain", tmp_path)


def _land(lake, spec, day, weather):
    lines = [",".join(_columns(spec))]
    for hour in range(24):
        at = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
        for origin in ("EWR", "JFK", "LGA"):
            measured = (40, 30, weather.randint(20, 99), 180, 5, "NA", weather.choice((0, 0, 0.1)))
            lines.append(
                ",".join(map(str, (origin, at.year, at.month, at.day, hour, *measured, 1000 + weather.random(), 10)))
                + f",{at:%Y-%m-%dT%H:%M:%SZ}"
            )
    lake.objects().put(f"{lake.landing}/{spec.name}/weather/{day}.csv", "\n".join([*lines, ""]).encode())


def _columns(spec):
    return [name for name in module(spec.name, "contract").Weather.to_schema().columns if name != "event_date"]


def test_days_in_any_order_give_the_same_gold_labels_included(rain, new_lake):
    whole, piecemeal = new_lake(), new_lake()
    for lake in (whole, piecemeal):
        weather = random.Random(0)
        for day in DAYS:
            _land(lake, rain, day, weather)
    ingest(whole, rain, DAYS, run_id="all")
    build(whole, rain, DAYS[0], DAYS[-1])
    for day in (DAYS[4], DAYS[0], DAYS[2], DAYS[1], DAYS[3]):
        ingest(piecemeal, rain, [day], run_id=f"{day}")
        build(piecemeal, rain, day, day)

    gold = tables.read(whole, rain.gold).sort("event_time", "id")
    assert_frame_equal(tables.read(piecemeal, rain.gold).sort("event_time", "id"), gold, check_exact=True)
    assert gold.height == 5 * 72
    assert gold["label"].null_count() == 9, "the last three hours wait for a day that has not landed"
    assert 0.2 < gold["label"].mean() < 0.9

    model, labelled = module(rain.name, "model"), gold.drop_nulls("label")
    fitted = model.fit(labelled, {**rain.training.fixed, "n_estimators": 20}, seed=0)
    assert auc(labelled["label"].to_numpy(), model.predict(fitted, labelled)) > 0.6
