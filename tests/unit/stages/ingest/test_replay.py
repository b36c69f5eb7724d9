"""Quarantined rows are judged again by today's contract; no row is lost or doubled, wherever a replay is cut off."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pandera.polars as pa
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from include.foundation.errors import BudgetExceeded, InvalidInput, PermanentError, RetryableError
from include.foundation.lake import tables
from include.foundation.lake.commit import TableWriter, replace_days
from include.foundation.spec import load
from include.stages.ingest import contracts
from include.stages.ingest import replay as module
from include.stages.ingest.reconcile import _replayed, state_of
from include.stages.ingest.replay import Replay, reconcile, replay
from include.stages.quality import judge

SPEC = load("flight_delays")
SPEC = SPEC.model_copy(update={"sources": (SPEC.source("weather"),)})
D = [date(2013, 1, 1) + timedelta(days=n) for n in range(3)]
NAMES = {layer: SPEC.table(layer, "weather") for layer in ("bronze", "silver", "quarantine")}


def contract(most, **more):
    """What wind may be, and no hour comes twice."""
    fields = {"event_date": date, "hour": int, "wind": float, **dict.fromkeys(more, str)}
    config = type("Config", (), {"unique": ("event_date", "hour")})
    body = {"wind": pa.Field(le=most, ge=0), "Config": config, "__annotations__": fields}
    return type("Weather", (pa.DataFrameModel,), body)


def bronze(*winds, day=0):
    """A day's rows as they landed, an hour each."""
    return pl.DataFrame(
        {
            "hour": [str(n) for n in range(len(winds))],
            "wind": winds,
            "event_date": [D[day]] * len(winds),
            "source_uri": [f"s3://landing/{D[day]}.csv"] * len(winds),
            "source_position": pl.Series(range(2, 2 + len(winds)), dtype=pl.Int64),
            "ingested_at": [datetime(2013, 2, 1, tzinfo=UTC)] * len(winds),
        },
        schema_overrides={"ingested_at": pl.Datetime("us", "UTC")},
    )


class Case:
    """Two days of which one ingest run each quarantined what was above 10, and one that is as it should be."""

    def __init__(self, lake, monkeypatch):
        self.lake, self._patch = lake, monkeypatch
        self.now(10)
        for day, winds in enumerate((("5", "20", "-1"), ("30", "x"), ("7",))):
            self.ingest(bronze(*winds, day=day), run_id=f"run {day}")

    def now(self, most, **more):
        """The contract of today."""
        self._patch.setattr(contracts, "module", lambda *_: SimpleNamespace(Weather=contract(most, **more)))
        self._patch.setattr(module, "code_of", lambda _: f"{most} {more}")

    def ingest(self, rows, run_id):
        verdict = judge(contracts.contract_of(SPEC, "Weather"), rows, null_values=("",))
        days, summary = rows["event_date"].unique().to_list(), {"run_key": run_id, "run_id": run_id}
        failed = verdict.failed.with_columns(run_id=pl.lit(run_id))
        for layer, frame in {"bronze": rows, "quarantine": failed, "silver": verdict.passed}.items():
            replace_days(self.lake, NAMES[layer], frame, days, summary)

    def plan(self, **asked):
        return Replay.of(self.lake, SPEC, "weather", **asked)

    def replay(self, plan, run_id="replay"):
        return replay(self.lake, SPEC, plan, run_id=run_id)

    def read(self, layer, **days):
        return tables.read(self.lake, NAMES[layer], **days)

    def winds(self):
        """What is in silver; and in quarantine with its reasons."""
        held = self.read("quarantine")
        reasons = [[reason.split(":")[0] for reason in reasons] for reasons in held["reasons"]]
        return self.read("silver")["wind"].to_list(), dict(zip(held["wind"], reasons, strict=True))

    def commits(self):
        return {layer: len(tables.load(self.lake, name).snapshots()) for layer, name in NAMES.items()}


@pytest.fixture
def case(folder_lake, monkeypatch):
    case = Case(folder_lake, monkeypatch)
    assert case.winds() == ([5.0, 7.0], {"20": ["wind"], "-1": ["wind"], "30": ["wind"], "x": ["wind"]})
    return case


def test_what_passes_today_enters_silver_and_what_fails_stays_with_today_s_reasons(case):
    before, held = case.read("silver", start=D[2]), case.read("bronze")
    case.now(25)
    plan = case.plan()
    assert (plan.days, plan.rows) == ((D[0], D[1]), 4)
    done = case.replay(plan)
    assert (done.landed, done.before, done.quarantined) == (5, 4, 3)
    assert sum(done.reasons.values()) == 3
    assert case.winds() == ([5.0, 20.0, 7.0], {"-1": ["wind"], "30": ["wind"], "x": ["wind"]})
    assert all("25" in str(reasons) for reasons in case.read("quarantine").filter(wind="30")["reasons"].to_list())
    assert case.read("quarantine")["run_id"].unique().to_list() == ["replay"]
    assert_frame_equal(case.read("silver", start=D[2]), before)
    assert_frame_equal(case.read("bronze"), held)
    assert reconcile(case.lake, SPEC, plan) == {"landed": 5, "silver": 2, "quarantined": 3}


@pytest.mark.parametrize(
    ("asked", "days"),
    [
        ({"run": "run 0"}, (D[0],)),
        ({"reason": "'30'"}, (D[1],)),
        ({"reason": "wind"}, (D[0], D[1])),
        ({"start": D[1]}, (D[1],)),
        ({"end": D[0]}, (D[0],)),
    ],
)
def test_rows_are_chosen_by_run_reason_and_days(case, asked, days):
    assert case.plan(**asked).days == days
    case.now(100)
    case.replay(case.plan(**asked))
    held = {*case.read("quarantine").filter(pl.col("run_id") != "replay")["event_date"]}
    assert held == {D[0], D[1]} - {*days}, "other days stay as they are"


def test_no_such_rows_is_said_and_not_taken_for_done(case):
    with pytest.raises(InvalidInput, match="has no rows of run 'run 7' with the reason 'rain' from '2013-01-02'"):
        case.plan(run="run 7", reason="rain", start=D[1])
    with pytest.raises(InvalidInput, match="nothing is to be judged again"):
        case.plan(start=D[2])
    with pytest.raises(InvalidInput, match="flight_delays__planes does not exist: nothing was ingested"):
        Replay.of(case.lake, SPEC, "planes")


def test_the_same_replay_again_commits_nothing_and_tells_the_same(case):
    case.now(25)
    plan = case.plan()
    done, commits = case.replay(plan), case.commits()
    assert commits == {"bronze": 3, "silver": 4, "quarantine": 4}
    assert case.replay(plan, run_id="another") == done
    assert case.replay(case.plan()) == done
    assert case.commits() == commits


class Crash(BaseException):
    """A killed process: nothing catches it."""


@pytest.mark.parametrize("planned_anew", [False, True])
@pytest.mark.parametrize("survived", [0, 1, 2])
def test_whatever_comes_next_finishes_a_replay_that_was_cut_off(case, monkeypatch, survived, planned_anew):
    commit, done = TableWriter.commit, []

    def crash(writer, *arguments, **named):
        if len(done) == survived:
            raise Crash
        done.append(writer._identifier)
        return commit(writer, *arguments, **named)

    case.now(25)
    plan = case.plan(run="run 0")
    if survived < 2:
        with monkeypatch.context() as patch:
            patch.setattr(TableWriter, "commit", crash)
            with pytest.raises(Crash):
                case.replay(plan)
    else:
        case.replay(plan)
    silver, quarantine = case.winds()
    assert {5.0, -1.0, 20.0} <= {*silver} | {*map(float, quarantine.keys() - {"x"})}, "no row is in neither table"
    if survived < 2:
        with pytest.raises(RetryableError, match="other runs were at work"):
            reconcile(case.lake, SPEC, plan)
    if planned_anew and survived < 2:
        plan = case.plan(run="run 0")
    case.replay(plan)
    assert case.winds() == ([5.0, 20.0, 7.0], {"-1": ["wind"], "30": ["wind"], "x": ["wind"]})
    assert case.commits() == {"bronze": 3, "silver": 4, "quarantine": 4}
    assert reconcile(case.lake, SPEC, plan) == {"landed": 3, "silver": 2, "quarantined": 1}


def test_a_stricter_contract_takes_nothing_out_of_silver(case):
    before, commits = case.winds(), case.commits()
    case.now(1)
    with pytest.raises(BudgetExceeded, match=r"refuses 5 rows of these days, 4 are in quarantine; nothing was publ"):
        case.replay(case.plan())
    assert case.winds() == before
    assert case.commits() == commits


def test_a_column_that_bronze_lacks_is_named(case):
    case.now(25, gust=str)
    with pytest.raises(InvalidInput, match=r"bronze.*gust"):
        case.replay(case.plan())


def test_a_row_that_contradicts_one_in_silver_is_judged_with_it(case):
    twice = pl.concat([bronze("5", "20"), bronze("30").with_columns(source_position=pl.lit(9, pl.Int64))])
    case.ingest(twice, run_id="twice")
    assert case.winds()[0] == [5.0, 7.0]
    case.now(25)
    case.replay(case.plan(run="twice"))
    assert case.winds()[0] == [5.0, 20.0, 7.0]
    case.now(100)
    with pytest.raises(BudgetExceeded, match="refuses 2 rows of these days, 1 are"):
        case.replay(case.plan(end=D[0]))


def test_another_run_on_the_days_is_seen(case, monkeypatch):
    case.now(25)
    plan, verdicts = case.plan(run="run 0"), module._verdicts

    def overtaken(*arguments):
        case.ingest(bronze("1"), run_id="other")
        yield from verdicts(*arguments)

    monkeypatch.setattr(module, "_verdicts", overtaken)
    with pytest.raises(RetryableError, match="another run changed"):
        case.replay(plan)
    assert case.winds()[0] == [1.0, 7.0]
    with pytest.raises(RetryableError, match="at work on weather of 2013-01-01"):
        reconcile(case.lake, SPEC, plan)


def test_days_that_were_ingested_again_since_they_were_planned_are_left_as_they_are(case):
    case.now(25)
    plan = case.plan(run="run 0")
    case.ingest(bronze("1"), run_id="other")
    left = case.winds()
    with pytest.raises(RetryableError, match=r"weather: 2013-01-01 .* ingested again since .*: clear `plan`"):
        case.replay(plan)
    assert case.winds() == left
    case.replay(case.plan())


def test_rows_that_do_not_add_up_are_named_by_day_and_count(case):
    case.now(25)
    plan = case.plan(run="run 0")
    case.replay(plan)
    silver = case.read("silver", start=D[0], end=D[0])
    said = tables.summary(tables.load(case.lake, NAMES["silver"]).current_snapshot())
    replace_days(case.lake, NAMES["silver"], silver[1:], D[:1], {"run_key": said["run_key"]})
    with pytest.raises(PermanentError, match="2013-01-01: 3 landed, 1 in silver, 1 in quarantine"):
        reconcile(case.lake, SPEC, plan)


def test_ingest_takes_a_replay_for_a_run_of_its_own_while_bronze_is_as_it_was(case):
    def taken():
        commits = {layer: state_of(case.lake, name, D)[0] for layer, name in NAMES.items()}
        return [_replayed(case.lake, SPEC, "weather", commits, day) for day in D]

    assert taken() == [False, False, False]
    case.now(25)
    case.replay(case.plan())
    assert taken() == [True, True, False]
    replace_days(case.lake, NAMES["bronze"], bronze("9", day=1), [D[1]], {"run_key": "killed after bronze"})
    assert taken() == [True, False, False]
    case.ingest(bronze("9"), run_id="whole")
    assert taken() == [False, False, False]
