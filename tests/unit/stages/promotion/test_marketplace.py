import json

import pytest

from include.foundation.errors import DigestMismatch, GateFailed, PermanentError
from include.foundation.spec import load
from include.stages.promotion import marketplace

SPEC = load("flight_delays")
DIGEST = "a" * 64


def card(**changes):
    fields = {
        "version": "3",
        "digest": DIGEST,
        "manifest": "b" * 64,
        "image": "flightline/marketplace:x",
        "made_from": "Flights of May.",
        "judged": "All gates passed.",
        "records": [{"carrier": "UA"}],
        "expected": [{"probability": 0.5}],
    }
    return marketplace.card(SPEC, **fields | changes)


def answer(probability, digest=DIGEST):
    return {"probability": probability, "model": {"digest": digest}}


def test_a_card_says_what_the_version_is_and_how_it_is_asked():
    found = card()
    assert json.loads(json.dumps(found)) == found
    assert (found["name"], found["version"]) == (SPEC.title, "3.0.0")
    metadata = found["metadata"]
    assert found["mark"] in metadata["technicalDetails"]
    assert metadata["technicalDetails"].startswith("Flights of May.")
    assert metadata["performanceSummary"] == "All gates passed."
    assert json.loads(found["sample"]) == {"records": [{"carrier": "UA"}]}
    assert len(found["description"]) <= marketplace.SHORT


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ([answer(0.6)], GateFailed),
        ([answer(0.5), answer(0.5)], GateFailed),
        ([answer(0.5, "c" * 64)], DigestMismatch),
        ([{"error": "no"}], GateFailed),
        ("nothing", GateFailed),
    ],
)
def test_answers_that_are_not_the_version_s_are_refused(answers, error):
    assert issubclass(error, PermanentError)
    with pytest.raises(error):
        marketplace.check(SPEC, answers, expected=[{"probability": 0.5}], digest=DIGEST)


def test_the_version_s_own_answers_pass():
    marketplace.check(SPEC, [answer(0.5)], expected=[{"probability": 0.5}], digest=DIGEST)
