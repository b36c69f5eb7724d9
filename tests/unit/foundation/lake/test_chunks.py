"""So many days at once as memory is to hold."""

from datetime import date, timedelta

import pytest

from include.foundation.lake.chunks import ROWS, chunks

D = [date(2013, 1, 1) + timedelta(days=n) for n in range(7)]


@pytest.mark.parametrize("rows", [0, 1, ROWS // 3, ROWS, 5 * ROWS])
def test_every_day_is_in_one_chunk_and_chunks_are_bounded(rows):
    found = [*chunks(D, dict.fromkeys(D, rows))]
    assert [day for chunk in found for day in chunk] == D
    assert all(len(chunk) == 1 or len(chunk) * rows <= ROWS for chunk in found)


def test_a_day_that_is_not_there_has_no_rows():
    assert [*chunks(D, {D[0]: ROWS, D[6]: 1})] == [D[:6], D[6:]]
    assert [*chunks([], {})] == []


def test_a_caller_whose_rows_are_wide_takes_fewer():
    assert [*chunks(D[:5], dict.fromkeys(D, 10), most=20)] == [D[:2], D[2:4], D[4:5]]
