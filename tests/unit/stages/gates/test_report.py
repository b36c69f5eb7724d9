import json
import math

import pytest

from include.stages.gates.report import Gate, Report


def gate(name="floor", *, passed=True, value=0.71234, threshold=0.7):
    return Gate(name=name, passed=passed, value=value, threshold=threshold, detail="auc at least 0.7")


def report(*gates):
    return Report(subject="version 3", reference="version 2", metric="auc", rows=900, gates=gates)


def test_one_failed_gate_fails_the_version():
    assert report(gate(), gate("latency")).passed
    assert not report(gate(), gate("latency", passed=False)).passed


def test_a_version_that_no_gate_judged_did_not_pass():
    assert not report().passed
    assert json.loads(report().json())["passed"] is False


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None])
def test_a_number_that_could_not_be_measured_is_null_in_json(value):
    said = json.loads(report(gate(passed=False, value=value)).json())
    assert (said["gates"][0]["value"], said["gates"][0]["threshold"]) == (None, 0.7)


def test_json_says_what_was_judged():
    said = json.loads(report(gate("slice:Fluggröße")).json())
    assert (said["subject"], said["reference"], said["rows"]) == ("version 3", "version 2", 900)
    assert said["gates"][0]["name"] == "slice:Fluggröße"


def test_the_table_tells_a_failed_gate_from_a_passed_one():
    table = report(gate(), gate("slice:carrier", passed=False, value=None, threshold=0.05)).markdown().splitlines()
    assert table[0] == "version 3: gates FAILED (auc on 900 rows)"
    assert [cell.strip() for cell in table[5].split("|")[1:-1]] == [
        "floor",
        "pass",
        "0.7123",
        "0.7",
        "auc at least 0.7",
    ]
    assert [cell.strip() for cell in table[6].split("|")[1:5]] == ["slice:carrier", "FAIL", "-", "0.05"]
    assert len({line.index("|", 2) for line in table[3:]}) == 1
