import logging
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException

from flightline import notes


@pytest.fixture
def ti():
    pushed = {}
    return SimpleNamespace(pushed=pushed, xcom_push=pushed.__setitem__)


def test_a_sentence_is_logged_and_kept(ti, caplog) -> None:
    with caplog.at_level(logging.INFO, logger="flightline.notes"):
        notes.say(ti, "%d rows of %s", 3, "100%")
    assert ti.pushed == {"note": "3 rows of 100%"}
    assert caplog.messages == ["3 rows of 100%"]


def test_a_reason_is_kept_up_to_its_length(ti) -> None:
    notes.keep_reason({"ti": ti, "exception": ValueError("x" * 10_000)})
    assert ti.pushed == {"reason": "x" * notes.LONGEST}


def test_a_note_has_sentences_and_reasons_in_their_order() -> None:
    said = [("publish", "reason", "over the budget"), ("plan", "note", "3 days")]
    assert notes.together(said) == "**publish** failed: over the budget\n\n3 days"
    assert notes.together([]) == ""
    assert len(notes.together([("a", "note", "x" * 400)] * 5)) <= notes.LONGEST


def test_nothing_to_do_is_said_and_fails_where_a_person_asked(ti):
    assert notes.nothing(ti, "100 % is there") is False
    assert ti.pushed == {"note": "100 % is there"}
    with pytest.raises(AirflowFailException, match="100 % is there"):
        notes.nothing(ti, "100 % is there", by_hand=True)
