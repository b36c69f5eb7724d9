"""Which image is asked for what; tests/integration/test_versions.py asks real ones."""

import pytest

from flightline import own_code
from include.foundation.errors import DigestMismatch
from include.foundation.evidence import code

CHOSEN = {
    "image": "s:1",
    "trainer_image": "t:1",
    "feature_code": "ab" * 32,
    "uri": "s3://models/x",
    "digest": "cd" * 32,
}


@pytest.fixture
def asked(monkeypatch):
    """What pods were asked; their answer can be set."""
    asked = []
    answers = {"said": f"a warning\n{'ab' * 32}\n"}

    class Hook:
        def run_pod(self, image, arguments):
            asked.append((image, arguments))
            return answers["said"]

    monkeypatch.setattr(own_code, "ClusterHook", Hook)
    return asked, answers


def test_the_serving_image_must_hold_the_versions_feature_code(asked):
    own_code.require("flight_delays", CHOSEN)
    ((image, arguments),) = asked[0]
    assert (image, "feature_code('flight_delays')" in arguments[1]) == ("s:1", True)
    asked[1]["said"] = "00" * 32
    with pytest.raises(DigestMismatch, match=f"s:1 holds feature code {'00' * 32}, .* names {'ab' * 32}"):
        own_code.require("flight_delays", CHOSEN)


def test_a_version_from_before_images_were_named_is_not_asked(asked):
    own_code.require("flight_delays", CHOSEN | {"feature_code": ""})
    assert not asked[0]


def test_answers_of_other_code_come_from_its_own_training_image(asked):
    asked[1]["said"] = 'a warning\n{"records": [{"a": 1}], "expected": [0.5]}\n'
    assert own_code.sample("flight_delays", CHOSEN) == ([{"a": 1}], [0.5])
    ((image, arguments),) = asked[0]
    assert image == "t:1"
    assert arguments[2:] == ["sample", "flight_delays", "--uri", "s3://models/x", "--digest", "cd" * 32]


@pytest.mark.parametrize("feature_code", ["", code.feature_code("flight_delays")])
def test_answers_of_todays_code_come_from_gold(asked, monkeypatch, feature_code):
    monkeypatch.setattr("flightline.hooks.lake.LakeHook.lake", None)
    monkeypatch.setattr("include.stages.promotion.sample.sample", lambda *_, **given: (["of gold"], [given["digest"]]))
    assert own_code.sample("flight_delays", CHOSEN | {"feature_code": feature_code}) == (["of gold"], ["cd" * 32])
    assert not asked[0]
