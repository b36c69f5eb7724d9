"""What tasks tell OpenLineage: datasets by name and version, in events that its JSON Schema takes."""

import json
import uuid
from datetime import UTC, date, datetime

import jsonschema
import polars as pl
import pytest
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
from openlineage.client.transport.file import FileConfig, FileTransport

from flightline import lineage
from flightline.tasks.ingest import made_of_bronze
from include.foundation.lake import tables
from include.foundation.lake.commit import replace_days
from include.foundation.spec import load

SPEC = load("flight_delays")
DAY = date(2013, 1, 1)
# What https://openlineage.io/spec/2-0-2/OpenLineage.json demands of the parts that are emitted here.
TEXT = {"type": "string", "minLength": 1}
FACET = {
    "type": "object",
    "required": ["_producer", "_schemaURL"],
    "properties": {"_producer": TEXT, "_schemaURL": TEXT},
}
FACETS = {"type": "object", "additionalProperties": FACET}
DATASET = {
    "type": "object",
    "required": ["namespace", "name"],
    "properties": {"namespace": TEXT, "name": TEXT, "facets": FACETS},
}
EVENT = {
    "type": "object",
    "required": ["run", "job", "eventTime", "producer", "schemaURL"],
    "properties": {
        "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
        "eventTime": {"type": "string", "format": "date-time"},
        "run": {"type": "object", "required": ["runId"], "properties": {"runId": {"type": "string", "format": "uuid"}}},
        "job": {"type": "object", "required": ["namespace", "name"], "properties": {"facets": FACETS}},
        "inputs": {"type": "array", "items": DATASET},
        "outputs": {"type": "array", "items": DATASET},
        "producer": {"type": "string", "format": "uri"},
    },
}

# What https://openlineage.io/spec/facets/1-2-0/ColumnLineageDatasetFacet.json demands.
INPUT = {
    "type": "object",
    "required": ["namespace", "name", "field"],
    "properties": {"namespace": TEXT, "name": TEXT, "field": TEXT},
}
COLUMNS = {
    "type": "object",
    "required": ["fields"],
    "properties": {
        "fields": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["inputFields"],
                "properties": {"inputFields": {"type": "array", "items": INPUT}},
            },
        }
    },
}


@pytest.fixture
def told(monkeypatch, tmp_path):
    """Call it for the newest event, as its file transport writes it."""
    path = tmp_path / "events.jsonl"
    client = OpenLineageClient(transport=FileTransport(FileConfig(log_file_path=str(path), append=True)))

    def emit(*, inputs, outputs, task_instance):
        event = RunEvent(
            eventType=RunState.RUNNING,
            eventTime=datetime.now(UTC).isoformat(),
            run=Run(runId=str(uuid.uuid4())),
            job=Job(namespace="flightline", name="toy.task"),
            producer="https://example.com/flightline",
            inputs=inputs,
            outputs=outputs,
        )
        client.emit(event)

    monkeypatch.setattr("airflow.providers.openlineage.api.emit_dataset_lineage", emit)

    def newest():
        event = json.loads(path.read_text().splitlines()[-1])
        jsonschema.validate(event, EVENT, format_checker=jsonschema.FormatChecker())
        return event

    return newest


def test_ingest_tells_which_snapshots_it_made_of_which(folder_lake, monkeypatch, told):
    monkeypatch.setattr(lineage, "active", lambda: True)
    rows = pl.DataFrame({"event_date": [DAY], "a": [1]})
    for layer in ("bronze", "silver"):
        replace_days(folder_lake, f"{layer}.flight_delays__weather", rows, [DAY], {"run_key": "1"})
    lineage.tell_of_tables(None, folder_lake, made_of_bronze(SPEC, [SPEC.source("weather")]))
    event = told()
    (bronze,), (silver, quarantine) = event["inputs"], event["outputs"]
    assert (bronze["name"], silver["name"]) == ("bronze.flight_delays__weather", "silver.flight_delays__weather")
    snapshot = str(tables.current_snapshot_id(folder_lake, "silver.flight_delays__weather"))
    assert silver["facets"]["version"]["datasetVersion"] == snapshot
    assert "version" not in quarantine["facets"], "there is no such table yet"
    assert bronze["namespace"].startswith("file://")


def test_features_tell_of_which_columns_of_silver_each_one_is_made(folder_lake, monkeypatch, told):
    monkeypatch.setattr(lineage, "active", lambda: True)
    silver = [SPEC.table("silver", source.name) for source in SPEC.sources]
    columns = {"weather_temp": [(silver[0], "origin"), (silver[1], "temp")]}
    lineage.tell_of_tables(None, folder_lake, [(table, SPEC.gold) for table in silver], columns)
    event = told()
    assert [each["name"] for each in event["inputs"]] == silver
    (gold,) = event["outputs"]
    facet = gold["facets"]["columnLineage"]
    jsonschema.validate(facet, COLUMNS)
    (of,) = facet["fields"].values()
    assert [(each["name"], each["field"]) for each in of["inputFields"]] == [(silver[0], "origin"), (silver[1], "temp")]


def test_training_tells_snapshot_and_version(folder_lake, told):
    gold = lineage.table(folder_lake, SPEC.gold, 8_123_456_789_012_345_678)
    lineage.tell(None, inputs=[gold], outputs=[lineage.model("https://mlflow.example", SPEC.name, "7")])
    event = told()
    assert event["inputs"][0]["facets"]["version"]["datasetVersion"] == "8123456789012345678"
    model = event["outputs"][0]
    assert (model["namespace"], model["name"]) == ("https://mlflow.example", "models/flight_delays")
    assert model["facets"]["version"]["datasetVersion"] == "7"


def test_nothing_is_told_where_nobody_listens(folder_lake, monkeypatch):
    monkeypatch.setenv("AIRFLOW__OPENLINEAGE__DISABLED", "true")
    assert not lineage.active()
    monkeypatch.setattr(lineage, "tell", lambda *_, **__: pytest.fail("it told"))
    lineage.tell_of_tables(None, folder_lake, [("bronze.t", "silver.t")])
