"""Silver and quarantine of a topic are what the contract says of bronze, whatever came when."""

from datetime import date
from types import SimpleNamespace

import pandera.polars as pa
import pytest

from include.foundation.errors import RetryableError
from include.foundation.lake import tables
from include.foundation.spec import load
from include.stages.ingest import contracts, replay
from include.stages.ingest.topics import silver
from include.stages.ingest.topics.bronze import consume

FIRST, SECOND = date(2013, 1, 1), date(2013, 1, 2)


def held(case, layer):
    return tables.read(case.lake, case.spec.table(layer, "weather"))


def test_only_days_that_got_rows_are_made_and_each_row_is_in_one_of_both(case, row):
    case.send(row(), row("2013-01-02T00:00:00Z"), row("2013-01-02T01:00:00Z", wind=-1), b"{")
    case.consume()
    made = case.derive()
    assert (made.landed, made.quarantined, made.over_budget) == (4, 2, True)
    assert made.reasons == {"wind: greater than or equal to 0": 1, "message: not JSON": 1} or made.reasons.keys() >= {
        "message: not JSON"
    }
    assert {FIRST, SECOND} < {*made.days}
    assert held(case, "silver")["event_date"].to_list() == [FIRST, SECOND]
    assert {*held(case, "quarantine")["source_position"]} == {2, 3}
    assert case.derive().days == ()


def test_a_late_message_a_repeated_one_and_one_out_of_order(case, row):
    case.send(row("2013-01-02T00:00:00Z"), row("2013-01-01T09:00:00Z"))
    case.consume()
    case.derive()
    case.send(row("2013-01-01T05:00:00Z"), row("2013-01-02T00:00:00Z"), row("2013-01-01T09:00:00Z", wind=4))
    case.consume()
    made = case.derive()
    assert made.days == (FIRST, SECOND)
    # The late one is in its day. Of equal rows the first stays; of two that contradict each other none does.
    assert held(case, "silver")["time"].to_list() == ["2013-01-01T05:00:00Z", "2013-01-02T00:00:00Z"]
    assert {*held(case, "quarantine")["source_position"]} == {3, 1, 4}


def test_a_tombstone_deletes_nothing_and_a_key_says_nothing(case, row):
    case.send(row(), key=b"JFK")
    case.send(row(station="LGA"))
    case.send(None, key=b"JFK")
    case.consume()
    case.derive()
    assert held(case, "silver")["station"].to_list() == ["JFK", "LGA"]
    (tombstone,) = held(case, "quarantine").rows(named=True)
    assert (tombstone["message_key"], tombstone["message_value"]) == (b"JFK", None)
    assert tombstone["reasons"] == ["message: no value (a tombstone), and a message deletes no row"]


def test_what_was_cut_off_between_quarantine_and_silver_is_made_by_the_next_run(case, row, monkeypatch):
    case.send(row(), row("2013-01-02T00:00:00Z", wind=-1))
    case.consume()
    commit, layers = silver.TableWriter.commit, []

    def cut_off(writer, summary):
        layers.append(writer._identifier)
        if len(layers) == 2:
            raise KeyboardInterrupt
        return commit(writer, summary)

    with monkeypatch.context() as patch:
        patch.setattr(silver.TableWriter, "commit", cut_off)
        with pytest.raises(KeyboardInterrupt):
            case.derive()
    assert [each.partition(".")[0] for each in layers] == ["quarantine", "silver"]
    assert case.derive().days == (FIRST, SECOND)
    assert (held(case, "silver").height, held(case, "quarantine").height) == (1, 1)


def test_a_run_does_not_bring_an_older_state_back_over_a_newer_one(case, row, monkeypatch):
    case.send(row())
    case.consume()
    case.derive()
    case.send(row("2013-01-01T06:00:00Z"))
    case.consume()
    judge, others = silver.judge, [1]

    def overtaken(*args, **kwargs):
        if others and others.pop():
            case.send(row("2013-01-01T07:00:00Z"))
            case.consume()
            case.derive()
        return judge(*args, **kwargs)

    monkeypatch.setattr(silver, "judge", overtaken)
    with pytest.raises(RetryableError, match="another run changed"):
        case.derive()
    assert held(case, "silver").height == 3
    assert case.derive().days == ()


def test_days_are_made_again_when_they_are_asked_for(case, row):
    case.send(row())
    case.consume()
    case.derive()
    assert case.derive([FIRST, date(2013, 5, 1)]).days == (FIRST,)
    assert held(case, "silver").height == 1


def test_a_replay_makes_no_other_days_than_its_own_and_ingest_goes_on_where_it_was(case, row, monkeypatch):
    class Mended(contracts.module(case.spec.name, "contract").Weather):
        wind: float = pa.Field(ge=-5, nullable=True)

    case.send(row(), row("2013-01-01T06:00:00Z", wind=-1), b"{", row("2013-01-02T00:00:00Z", wind=-1))
    case.consume()
    case.derive()
    case.send(row("2013-01-02T09:00:00Z"))
    case.consume()
    monkeypatch.setattr(contracts, "module", lambda *_: SimpleNamespace(Weather=Mended))
    monkeypatch.setattr(replay, "code_of", lambda _: "mended")

    plan = replay.Replay.of(case.lake, case.spec, "weather", reason="wind", end=FIRST)
    done = replay.replay(case.lake, case.spec, plan, run_id="again")
    assert (done.before - done.quarantined, plan.days) == (1, (FIRST,))
    totals = replay.reconcile(case.lake, case.spec, plan)
    assert totals["landed"] == totals["silver"] + totals["quarantined"]
    assert held(case, "silver")["wind"].to_list() == [3.0, -1.0]

    behind = replay.Replay.of(case.lake, case.spec, "weather", reason="wind", start=SECOND)
    with pytest.raises(RetryableError, match="run ingest first"):
        replay.replay(case.lake, case.spec, behind, run_id="again")
    assert case.derive().days == (SECOND,)
    assert held(case, "silver").height == 4


def test_the_prediction_log_is_replayed_as_any_topic(case):
    spec = load("flight_delays")
    log, version = spec.predictions, {"version": "3", "model_digest": f"sha256:{'a' * 64}", "stage": "production"}
    said = {"use_case": spec.name, "request_id": "r-1", "scored_at": "2013-01-01T12:00:00Z", "features": {"hour": 5}}
    good = {**said, **version, "record": {}, "answer": 0.25}
    case.broker.send(log.topic, {**good, "row": 0}, {**good, "row": -1})
    consume(case.lake, spec, log, case.broker.settings, run_id="r")
    silver.derive(case.lake, spec, log, run_id="r")
    plan = replay.Replay.of(case.lake, spec, log.name)
    done = replay.replay(case.lake, spec, plan, run_id="again")
    assert (done.landed, done.before, done.quarantined) == (2, 1, 1)
    assert replay.reconcile(case.lake, spec, plan) == {"landed": 2, "silver": 1, "quarantined": 1}
