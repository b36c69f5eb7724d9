import json
from dataclasses import replace

import numpy as np
import pytest

from include.foundation.problem import problem
from include.foundation.spec.gates import Gates, Slice
from include.stages.gates import judge
from include.stages.gates.judge import BOOTSTRAP_RULE, Holdout
from include.stages.gates.latency import Timing
from tests.unit.foundation.problem.conftest import rows_of

BINARY = problem("binary")
GATES = Gates(
    floor=0.6,
    resamples=100,
    slices=(Slice(by="carrier", margin=0.05, min_rows=200),),
    latency_p99_ms=5,
)


def timing(wall_ms, **changes):
    return Timing(wall_ms=wall_ms, cpu_ms=wall_ms, **changes)


def holdout(rows=3000, **changes):
    rng = np.random.default_rng(3)
    truth = rng.normal(size=rows)
    made = Holdout(
        labels=(rng.random(rows) < 1 / (1 + np.exp(-truth))).astype(float),
        candidate=truth + 0.5 * rng.normal(size=rows),
        baseline=truth + 5 * rng.normal(size=rows),
        champion=truth + 1.5 * rng.normal(size=rows),
        columns={"carrier": rng.choice(["AA", "UA", "HA"], rows, p=[0.5, 0.48, 0.02])},
        timing=timing(np.full(500, 0.4)),
    )
    return replace(made, **changes)


def verdicts(held, gates=GATES, metric="auc"):
    report = judge(gates, held, problem=BINARY, metric=metric, subject="toy version 2", champion="version 1", seed=1)
    return report, {gate.name: gate for gate in report.gates}


def test_a_better_version_passes_every_gate():
    report, gates = verdicts(holdout())
    assert report.passed, report.markdown()
    assert list(gates) == ["rows", "floor", "champion", "baseline", "slice:carrier", "latency"]
    assert "AA" in gates["slice:carrier"].detail or "UA" in gates["slice:carrier"].detail
    assert "1 smaller ones not judged" in gates["slice:carrier"].detail


def failing(held, gates=GATES, metric="auc"):
    report, _ = verdicts(held, gates, metric)
    assert not report.passed
    return [gate.name for gate in report.gates if not gate.passed]


def test_each_gate_fails_alone():
    good = holdout()
    assert failing(good, GATES.model_copy(update={"floor": 0.99})) == ["floor"]
    assert failing(replace(good, champion=good.candidate)) == ["champion"], "as good is not better"
    assert failing(replace(good, baseline=good.candidate)) == ["baseline"]
    assert failing(replace(good, timing=timing(np.append(good.timing.wall_ms, np.full(10, 6.0))))) == ["latency"]
    ruined = np.where(good.columns["carrier"] == "UA", -good.candidate, good.candidate)
    assert "slice:carrier" in failing(replace(good, candidate=ruined))


def test_a_slow_answer_in_a_thousand_is_within_p99():
    good = holdout()
    assert verdicts(replace(good, timing=timing(np.append(np.full(999, 0.4), 60.0))))[0].passed


def test_champion_margin_lets_an_equal_version_pass():
    held = holdout()
    gates = GATES.model_copy(update={"champion_margin": 0.01})
    assert verdicts(replace(held, champion=held.candidate), gates)[0].passed


def test_without_a_champion_the_bootstrap_rule_is_stated():
    report = judge(GATES, holdout(champion=None), problem=BINARY, metric="auc", subject="v1", champion=None, seed=1)
    gates = {gate.name: gate for gate in report.gates}
    assert report.passed
    assert report.reference == gates["champion"].detail == BOOTSTRAP_RULE
    assert "own overall value" in gates["slice:carrier"].detail


def test_without_a_champion_a_bad_slice_still_fails():
    held = holdout(champion=None)
    ruined = np.where(held.columns["carrier"] == "UA", 0.0, held.candidate)
    assert failing(replace(held, candidate=ruined)) == ["slice:carrier"]


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"candidate": np.full(3000, np.nan)}, {"floor", "champion", "baseline", "slice:carrier"}),
        ({"candidate": np.ones(7)}, {"floor", "champion", "baseline", "slice:carrier"}),
        ({"champion": np.full(3000, np.nan)}, {"champion", "slice:carrier"}),
        ({"baseline": np.full(3000, np.inf)}, {"baseline"}),
        ({"columns": {}}, {"slice:carrier"}),
        ({"columns": {"carrier": np.arange(3000).astype(str)}}, {"slice:carrier"}),
        ({"timing": timing(np.array([]))}, {"latency"}),
        ({"timing": timing(np.full(9, np.nan))}, {"latency"}),
        ({"labels": np.ones(3000)}, {"rows", "floor", "champion", "baseline", "slice:carrier"}),
        ({"labels": np.full(3000, np.nan)}, {"rows", "floor", "champion", "baseline", "slice:carrier"}),
    ],
)
def test_what_cannot_be_judged_fails(changes, names):
    assert set(failing(holdout(**changes))) == names


def test_too_few_rows_fail():
    assert "rows" in failing(holdout(rows=199))


def test_a_metric_that_gates_do_not_know_fails():
    assert set(failing(holdout(), metric="accuracy")) == {"floor", "champion", "baseline", "slice:carrier"}


def test_report_is_json_and_a_table():
    report, gates = verdicts(holdout(timing=timing(np.full(9, np.nan))))
    document = json.loads(report.json())
    assert document["passed"] is False
    assert {gate["name"]: gate["passed"] for gate in document["gates"]} == {n: g.passed for n, g in gates.items()}
    assert next(gate for gate in document["gates"] if gate["name"] == "latency")["value"] is None
    table = report.markdown()
    assert "| latency" in table
    assert "FAILED (auc on 3000 rows)" in table
    assert len({line.count(" | ") for line in table.splitlines() if line.startswith("| ")}) == 1


def test_a_slice_that_cannot_be_judged_is_named():
    """On one carrier nobody was late."""
    held = holdout()
    labels = np.where(held.columns["carrier"] == "AA", 0.0, held.labels)
    _, gates = verdicts(replace(held, labels=labels))
    detail = gates["slice:carrier"].detail
    assert not gates["slice:carrier"].passed
    rows = int((held.columns["carrier"] == "AA").sum())
    assert f"auc is not defined for carrier 'AA' on {rows} rows (0 'positive', {rows} 'negative')" in detail


def test_details_say_what_is_held_against_what():
    _, gates = verdicts(holdout(), GATES.model_copy(update={"champion_margin": 0.01}))
    assert gates["floor"].detail.endswith("must be at least 0.6")
    assert "against the champion's 0." in gates["champion"].detail
    assert gates["champion"].detail.endswith("its lower end must lie above -0.0100")
    assert gates["baseline"].detail.endswith("its lower end must lie above +0.0100")
    assert "worst is carrier '" in gates["slice:carrier"].detail
    assert "which must be at least -0.0500" in gates["slice:carrier"].detail
    assert gates["latency"].detail.endswith("must be at most 5 ms")
    assert "labelled rows (" in gates["rows"].detail


def test_a_long_value_of_a_slice_is_cut_in_the_detail():
    held = holdout()
    column = np.where(held.columns["carrier"] == "HA", "AA", held.columns["carrier"]).astype("<U500")
    column[column == "UA"] = "U" * 500
    _, gates = verdicts(replace(held, columns={"carrier": column}))
    assert len(gates["slice:carrier"].detail) < 400


def other(name):
    rows = rows_of(name, 2000)
    chance = np.tile(rows.poor.mean(axis=0), (2000, 1)) if rows.poor.ndim == 2 else np.full(2000, rows.labels.mean())
    return Holdout(
        labels=rows.labels,
        candidate=rows.good,
        baseline=chance,
        champion=rows.poor,
        columns={"part": np.resize(["a", "b"], 2000)},
        timing=timing(np.full(500, 0.4)),
        classes=rows.classes,
    )


@pytest.mark.parametrize(("name", "floor"), [("multiclass", 1.0), ("regression", 5.0)])
def test_an_error_is_judged_in_its_own_direction(name, floor):
    kind, held = problem(name), other(name)
    gates = Gates(floor=floor, resamples=100, slices=(Slice(by="part", margin=0.05, min_rows=200),))

    def failed(held, gates=gates):
        report = judge(gates, held, problem=kind, metric=kind.kind.metric().name, subject="v2", champion="v1", seed=1)
        return {gate.name: gate.detail for gate in report.gates if not gate.passed}

    assert failed(held) == {}
    assert set(failed(replace(held, champion=held.candidate, candidate=held.champion))) >= {"champion", "slice:part"}
    assert set(failed(replace(held, baseline=held.candidate))) == {"baseline"}
    assert "must be at most 0.001" in failed(held, gates.model_copy(update={"floor": 0.001}))["floor"]
    assert "rows" in failed(replace(held, labels=held.labels[:100]))


def test_a_class_of_few_rows_fails():
    held = other("multiclass")
    rare = np.where(held.labels == 2, 1.0, held.labels)
    rare[:5] = 2.0
    report = judge(
        Gates(floor=9),
        replace(held, labels=rare),
        problem=problem("multiclass"),
        metric="log_loss",
        subject="v2",
        champion="v1",
        seed=1,
    )
    (gate,) = (gate for gate in report.gates if gate.name == "rows")
    assert not gate.passed
    assert "5 'top'" in gate.detail
    assert gate.detail.endswith("at least 200, and 20 of each class")
