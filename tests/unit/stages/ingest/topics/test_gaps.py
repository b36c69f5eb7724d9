"""What a broker deleted before it was read is said, once, and reading goes on."""

from include.foundation.lake import tables
from include.foundation.spec.topics import GAPS
from include.stages.ingest.topics import gaps
from include.stages.ingest.topics.bronze import consume
from include.stages.ingest.topics.reader import Gap


def test_a_gap_is_noted_once(case):
    first, second = Gap("t/0", 5, 8), Gap("t/0", 12, 12)
    for found in ([first], [first], [first, second], [second, Gap("t/1", 0, 3)]):
        gaps.note(case.lake, case.spec, case.source, found, run_id="r")
    noted = tables.read(case.lake, GAPS).select("use_case", "source", "source_uri", "first_position", "last_position")
    assert noted.rows() == [
        ("gusts", "weather", "t/0", 5, 8),
        ("gusts", "weather", "t/0", 12, 12),
        ("gusts", "weather", "t/1", 0, 3),
    ]


def test_messages_that_retention_took_are_a_gap_and_the_others_come_in(case, row):
    case.send(row())
    assert case.consume() == 1
    large = row(station="x" * 100_000)
    case.send(*(large for _ in range(90)))  # the mock keeps 5 MB a partition
    taken, lost = consume(case.lake, case.spec, case.source, case.broker.settings, run_id="late")
    (gap,) = lost
    assert (gap.partition, gap.first) == (f"{case.topic}/0", 1)
    assert taken == 90 - gap.last
    (noted,) = tables.read(case.lake, GAPS).rows(named=True)
    assert (noted["first_position"], noted["last_position"], noted["run_id"]) == (1, gap.last, "late")
    assert case.consume() == 0
