import json

import pytest

from include.foundation.problem import problem
from include.stages.promotion.agreement import ALL, agreement


def message(request, version, answer, carrier="UA", row=0, at="2026-01-01T00:00:01Z"):
    said = {"request_id": request, "row": row, "version": version, "answer": answer, "record": {"carrier": carrier}}
    return json.dumps(said | {"stage": "live", "scored_at": at}).encode()


def told(messages, **changes):
    window = {"stage": "live", "since": "2026-01-01T00:00:00Z", "by": ("carrier",), "problem": problem("binary")}
    return agreement(messages, **{"stable": "7", "candidate": "8", **window} | changes)


def test_only_what_both_answered_is_compared_row_by_row():
    found = told(
        [
            message("a", "7", 0.5),
            message("a", "8", 0.7),
            message("b", "7", 0.1),
            message("a", "7", 0.1, row=1, carrier="AA"),
            message("a", "8", 0.1, row=1, carrier="AA"),
            message("a", "6", 9.0),
            message("b", "8", 0.9, at="2025-12-31T23:59:59Z"),
            b"{",
            b"[]",
            b"{}",
        ]
    )
    assert found.counts == {ALL: 2, "carrier UA": 1, "carrier AA": 1}
    assert {name: round(value, 6) for name, value in found.differences.items()} == {
        ALL: 0.1,
        "carrier UA": 0.2,
        "carrier AA": 0.0,
    }


def test_of_lists_the_greatest_difference_and_of_values_a_part_of_their_scale():
    assert told([message("a", "7", [0.5, 0.5]), message("a", "8", [0.2, 0.8])]).differences[ALL] == pytest.approx(0.3)
    assert told([message("a", "7", 100.0), message("a", "8", 90.0)], problem=problem("regression")).differences[
        ALL
    ] == pytest.approx(0.1)


def test_slices_with_few_rows_are_not_judged_and_the_worst_comes_first():
    messages = [
        message(f"{carrier}{number}", version, 0.0 if version == "7" else far, carrier)
        for carrier, far, count in (("AA", 0.3, 20), ("UA", 0.9, 20), ("DL", 1.0, 19), ("B6", 0.05, 40))
        for number in range(count)
        for version in ("7", "8")
    ]
    found = told(messages).beyond(0.1, least=100)
    assert [words.split()[2] for words in found] == ["UA", "AA"]
    assert told(messages).beyond(0.1, least=95)[0].startswith("for carrier DL"), "a fifth of 95 rows is 19"
    assert told([]).beyond(0.1, least=1) == []


@pytest.mark.parametrize(
    ("stable", "candidate", "far"), [(0.4, None, 1.0), (None, 0.4, 1.0), (None, None, 0.0), (0.4, [0.4, 0.6], 1.0)]
)
def test_no_number_is_as_far_from_a_number_as_can_be(stable, candidate, far):
    assert told([message("a", "7", stable), message("a", "8", candidate)]).differences[ALL] == far


def test_a_value_of_a_slice_is_cut():
    found = told([message("a", version, 0.1, "x" * 5000) for version in ("7", "8")])
    assert max(map(len, found.counts)) < 100
