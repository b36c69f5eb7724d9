import pytest

from include.foundation.errors import DigestMismatch, InvalidInput
from include.foundation.evidence.verdict import Verdict, text_digest

REPORT = "all well — and measured\n"
VERDICT = Verdict(
    gate="passed",
    champion="none",
    run_manifest="ab" * 32,
    model="cd" * 32,
    reports={"gates/report.md": text_digest(REPORT)},
)


def test_it_survives_its_tags():
    tags = VERDICT.tags()
    assert Verdict.from_tags({**tags, "other": "kept"}) == VERDICT
    assert all(isinstance(value, str) and len(value) < 4000 for value in tags.values())


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({}, "there is no verdict of its gates: run its gate again"),
        ({"verdict": "passed"}, "is not a verdict: 1 faults"),
        ({"verdict": '{"gate": "excellent"}'}, "is not a verdict: 5 faults"),
    ],
)
def test_other_tags_are_no_verdict(tags, words):
    with pytest.raises(InvalidInput, match=words):
        Verdict.from_tags(tags)


def test_a_report_is_the_one_that_was_written():
    assert VERDICT.check_report("gates/report.md", REPORT) == REPORT
    with pytest.raises(DigestMismatch, match=r"gates/report\.md has SHA-256 .*: it was changed"):
        VERDICT.check_report("gates/report.md", REPORT.replace("well", "bad"))
    with pytest.raises(DigestMismatch, match="the gates wrote None"):
        VERDICT.check_report("gates/another.md", REPORT)
