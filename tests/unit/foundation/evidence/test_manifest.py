import json
from datetime import date

import pytest
from pydantic import ValidationError

from include.foundation.errors import DigestMismatch, InvalidInput
from include.foundation.evidence.manifest import RunManifest, Sampled, Window, content_key

FIELDS = {
    "use_case": "toy",
    "spec_digest": "ab" * 32,
    "snapshots": {"gold.toy": "8123456789012345678"},
    "window": Window(
        start=date(2013, 1, 1), validation_start=date(2013, 3, 1), holdout_start=date(2013, 4, 1), end=date(2013, 4, 30)
    ),
    "commit": "c0ffee",
    "dirty": False,
    "image": "flightline/trainer@sha256:1",
    "serving_image": "flightline/serving@sha256:2",
    "feature_code": "ef" * 32,
    "run_id": "r",
    "seed": 1,
    "parameters": {"learning_rate": 0.1, "num_leaves": 31, "grow": "lossguide"},
    "parent_version": None,
    "metrics": {"auc": 0.7000000000000001},
    "artifacts": {"model.onnx": "cd" * 32},
}


def test_text_is_canonical_and_exact():
    manifest = RunManifest(**FIELDS)
    again = RunManifest(**{**FIELDS, "parameters": dict(reversed(FIELDS["parameters"].items()))})
    assert manifest.json_text() == again.json_text()
    assert manifest.digest == again.digest
    document = json.loads(manifest.json_text())
    assert document["snapshots"]["gold.toy"] == "8123456789012345678"
    assert document["metrics"]["auc"] == 0.7000000000000001
    assert document["window"]["end"] == "2013-04-30"
    assert RunManifest.parse(manifest.json_text()) == manifest


@pytest.mark.parametrize("name", sorted(set(FIELDS) - {"parent_version"}))
def test_every_field_is_in_the_digest(name):
    fields = {**FIELDS, "window": FIELDS["window"].model_copy(update={"end": date(2013, 5, 1)})}
    changed = {
        "window": fields["window"],
        "snapshots": {"gold.toy": "1"},
        "dirty": True,
        "seed": 2,
        "parameters": {},
        "metrics": {},
        "artifacts": {},
    }.get(name, "other")
    assert RunManifest(**{**FIELDS, name: changed}).digest != RunManifest(**FIELDS).digest


def test_a_sample_is_said_and_without_one_the_text_is_the_one_of_before():
    assert "sample" not in RunManifest(**FIELDS).json_text()
    sample = Sampled(rows=1_000_000, of=33_000_000, by="a rule")
    manifest = RunManifest(**FIELDS, sample=sample)
    assert RunManifest.from_tags(manifest.tags()).sample == sample
    assert manifest.digest != RunManifest(**FIELDS).digest
    assert sample.words == "1,000,000 of 33,000,000 rows before the holdout, a rule"


def test_travels_in_tags_of_limited_length():
    manifest = RunManifest(**{**FIELDS, "parameters": {f"p{number}": "ü" * 100 for number in range(100)}})
    tags = manifest.tags()
    assert max(map(len, tags.values())) <= 4000
    assert len(tags) > 3
    assert RunManifest.from_tags({**tags, "other": "tag"}) == manifest


def test_changed_tags_are_refused():
    tags = RunManifest(**FIELDS).tags()
    with pytest.raises(DigestMismatch):
        RunManifest.from_tags({**tags, "manifest.0": tags["manifest.0"].replace("c0ffee", "c0ffef")})
    with pytest.raises(InvalidInput, match="not a run manifest"):
        RunManifest.from_tags({})
    with pytest.raises(InvalidInput, match="surprise"):
        RunManifest.parse(RunManifest(**FIELDS).json_text().replace("{", '{"surprise":1,', 1))


def test_metrics_are_numbers():
    with pytest.raises(ValidationError, match="finite"):
        RunManifest(**{**FIELDS, "metrics": {"auc": float("nan")}})


def test_content_key_depends_on_values_not_on_order():
    assert content_key(a=1, b="x") == content_key(b="x", a=1)
    assert len({content_key(a=1), content_key(a="1"), content_key(b=1), content_key(a=1, b=None)}) == 4


LAYOUT_1 = (
    '{"artifacts":{"model.onnx":"cd"},"commit":"c0ffee","dirty":false,"image":"flightline/trainer:0.1.0","metrics":{},'
    '"parameters":{},"parent_version":null,"run_id":"r","seed":1,"snapshots":{"gold.toy":8123456789012345678},'
    '"spec_digest":"ab","use_case":"toy","version":1,"window":{"end":"2013-04-30","holdout_start":"2013-04-01",'
    '"start":"2013-01-01","validation_start":"2013-03-01"}}'
)


def test_a_manifest_of_the_first_layout_is_still_itself():
    manifest = RunManifest.parse(LAYOUT_1)
    assert (manifest.json_text(), manifest.serving_image) == (LAYOUT_1, None)
    assert RunManifest.from_tags(manifest.tags()) == manifest


@pytest.mark.parametrize(
    "changes",
    [{"version": 3}, {"version": 1}, {"serving_image": None}, {"feature_code": None}, {"snapshots": {"gold.toy": 7}}],
)
def test_a_manifest_says_what_its_layout_says(changes):
    with pytest.raises(ValidationError, match=r"version|layout"):
        RunManifest(**{**FIELDS, **changes})
