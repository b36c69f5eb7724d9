"""The published schema is the spec's."""

from pathlib import Path

import jsonschema
import yaml

from include.foundation.spec import ROOT
from include.foundation.spec.schema import schema

PUBLISHED = Path(__file__).parents[4] / "docs" / "use_case.schema.json"


def test_the_published_schema_is_the_spec_s():
    told = "run `python -m include.foundation.spec schema > docs/use_case.schema.json`"
    assert PUBLISHED.read_text(encoding="utf-8") == schema(), told


def test_it_takes_a_sound_spec_and_refuses_a_wrong_one():
    validator = jsonschema.Draft202012Validator(yaml.safe_load(schema()))
    sound = yaml.load((ROOT / "flight_delays" / "use_case.yaml").read_text(encoding="utf-8"), yaml.BaseLoader)
    sound |= {"training": {"window_days": 3, "trails": 3}}
    said = [error.message for error in validator.iter_errors(sound)]
    assert any("'trails' was unexpected" in message for message in said)
    assert not any("schedule" in message for message in said)
