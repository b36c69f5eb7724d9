"""Versions, as MLflow's registry tells them."""

import json
from types import SimpleNamespace

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from include.catalog import versions
from include.foundation.errors import MissingInput, ServiceUnavailable
from tests.unit.flightline.ui.conftest import manifest


def registered(number, **tags):
    made = manifest(run_id=f"run{number}")
    kept = {"model_digest": "d1", "model_uri": "s3://m", "gate": "passed", **made.tags(), **tags}
    return SimpleNamespace(
        name="flight_delays", version=number, run_id=f"run{number}", tags=kept, creation_timestamp=1000
    )


class Registry(MlflowClient):
    def __init__(self, *found, champion=None) -> None:
        self.found, self.champion = found, champion

    def search_model_versions(self, *_):
        return self.found

    def get_model_version_by_alias(self, *_):
        if self.champion is None:
            raise MlflowException.invalid_parameter_value("none")
        return next(each for each in self.found if each.version == self.champion)


def test_newest_first_with_champion_answers_and_manifest():
    said = {"answer.2026-01-02T00:00:00Z": "approved by Ada", "answer.2026-01-01T00:00:00Z": "rejected by Bob"}
    client = Registry(
        registered("9", champion_since="2026-01-02T00:00:00.000+00:00", previous_champion="8", **said),
        registered("10"),
        champion="9",
    )
    ten, nine = versions.versions(client, "flight_delays")
    assert (ten.number, ten.champion, nine.champion, nine.previous) == ("10", False, True, "8")
    assert [words for _, words in nine.answers] == ["rejected by Bob", "approved by Ada"]
    assert (nine.approval, nine.since.year, nine.metrics["auc"]) == ("approved by Ada", 2026, 0.71)
    assert versions.pick([ten, nine], "9", "x") is nine
    with pytest.raises(MissingInput, match="it has 10, 9"):
        versions.pick([ten, nine], "99", "x")


def test_changed_tags_are_shown_as_such():
    (one,) = versions.versions(Registry(registered("1", model_digest="other")), "flight_delays")
    assert (one.manifest, "its tags were changed" in one.fault, one.metrics) == (None, True, {})


def test_a_registry_that_is_away_is_said():
    class Down(Registry):
        def search_model_versions(self, *_):
            raise MlflowException("refused")

    with pytest.raises(ServiceUnavailable, match="MLflow does not answer"):
        versions.versions(Down(), "flight_delays")


def test_evidence_says_what_is_missing():
    gate = {"name": "floor", "passed": False, "value": 0.6, "threshold": 0.66, "detail": "d"}
    files = {"gates/report.json": json.dumps({"gates": [gate], "rows": 5, "metric": "auc", "reference": "none"})}

    def read(path):
        if path not in files:
            raise ServiceUnavailable("gone")
        return files[path]

    found = versions.evidence(read)
    assert (found.gates[0].by, found.rows) == (pytest.approx(-0.06), 5)
    assert found.faults == ("model/curves.json: gone", "model/importance.json: gone")
    files["model/curves.json"] = "{}"
    assert "another layout" in versions.evidence(read).faults[0]
    assert versions.Gate(name="g", passed=True, value=None, threshold=1, detail="").by is None
