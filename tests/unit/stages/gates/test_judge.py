import json
from dataclasses import replace

import numpy as np
import pytest

from include.foundation.spec.gates import Gates, Slice
from include.stages.gates import judge
from include.stages.gates.judge import BOOTSTRAP_RULE, Holdout

GATES = Gates(
    floor=0.6,
    resamples=100,
    slices=(Slice(by="carrier", margin=0.05, min_rows=200),),
    latency_p99_ms=5,
)


def holdout(rows=3000, **changes):
    rng = np.random.default_rng(3)
    truth = rng.normal(size=rows)
    made = Holdout(
        labels=(rng.random(rows) < 1 / (1 + np.exp(-truth))).astype(float),
        candidate=truth + 0.5 * rng.normal(size=rows),
        baseline=truth + 5 * rng.normal(size=rows),
        champion=truth + 1.5 * rng.normal(size=rows),
        columns={"carrier": rng.choice(["AA", "UA", "HA"], rows, p=[0.5, 0.48, 0.02])},
        answer_ms=np.full(500, 0.4),
    )
    return replace(made, **changes)


def verdicts(held, gates=GATES, metric="auc"):
    report = judge(gates, held, metric=metric, subject="toy version 2", champion="version 1", seed=1)
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
    assert failing(replace(good, answer_ms=np.append(good.answer_ms, np.full(10, 6.0)))) == ["latency"]
    ruined = np.where(good.columns["carrier"] == "UA", -good.candidate, good.candidate)
    assert "slice:carrier" in failing(replace(good, candidate=ruined))


def test_a_slow_answer_in_a_thousand_is_within_p99():
    good = holdout()
    assert verdicts(replace(good, answer_ms=np.append(np.full(999, 0.4), 60.0)))[0].passed


def test_champion_margin_lets_an_equal_version_pass():
    held = holdout()
    gates = GATES.model_copy(update={"champion_margin": 0.01})
    assert verdicts(replace(held, champion=held.candidate), gates)[0].passed


def test_without_a_champion_the_bootstrap_rule_is_stated():
    report = judge(GATES, holdout(champion=None), metric="auc", subject="v1", champion=None, seed=1)
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
        ({"answer_ms": np.array([])}, {"latency"}),
        ({"answer_ms": np.full(9, np.nan)}, {"latency"}),
        ({"labels": np.ones(3000)}, {"rows", "floor", "champion", "baseline", "slice:carrier"}),
        ({"labels": np.full(3000, np.nan)}, {"rows", "floor", "champion", "baseline", "slice:carrier"}),
    ],
)
def test_what_cannot_be_judged_fails(changes, names):
    assert set(failing(holdout(**changes))) == names


def test_too_few_rows_fail():
    assert "rows" in failing(holdout(rows=199))


def test_a_metric_that_gates_do_not_know_fails():
    assert set(failing(holdout(), metric="log_loss")) == {"floor", "champion", "baseline", "slice:carrier"}


def test_report_is_json_and_a_table():
    report, gates = verdicts(holdout(answer_ms=np.full(9, np.nan)))
    document = json.loads(report.json())
    assert document["passed"] is False
    assert {gate["name"]: gate["passed"] for gate in document["gates"]} == {n: g.passed for n, g in gates.items()}
    assert next(gate for gate in document["gates"] if gate["name"] == "latency")["value"] is None
    table = report.markdown()
    assert "| latency" in table
    assert "FAILED (auc on 3000 rows)" in table
    assert len({line.count(" | ") for line in table.splitlines() if line.startswith("| ")}) == 1
