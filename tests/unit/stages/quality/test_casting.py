from datetime import UTC, date, datetime
from types import SimpleNamespace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.foundation.errors import InvalidInput
from include.stages.quality.casting import cast, check_type, is_absent, reading

MOMENT = pl.Datetime("us", "UTC")


def column(kind, **metadata):
    """What `reading` asks of pandera's column."""
    return SimpleNamespace(dtype=SimpleNamespace(type=kind), metadata=metadata)


def read(kind, *texts, null_values=("", "NA"), **metadata):
    rows = pl.DataFrame({"a": texts}, schema={"a": pl.String})
    (found,) = cast(rows, {"a": reading("C", "a", column(kind, **metadata))}, null_values)
    assert found.dtype == kind
    return found.to_list()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=5))
def test_every_integer_that_fits_is_read_with_blanks_around_it_or_not(values):
    assert read(pl.Int64(), *map(str, values)) == values
    assert read(pl.Int64(), *(f" {value}\t" for value in values)) == values


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5))
def test_every_float_is_read_bit_for_bit(values):
    assert read(pl.Float64(), *map(repr, values)) == values


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        (pl.Int64(), ["1.5", "x", str(2**63), "1 2"]),
        (pl.Int8(), ["128", "-129"]),
        (pl.Float64(), ["nan", "inf", "-inf", "1e999", "1,5"]),
        (pl.Boolean(), ["1", "yes", "tru"]),
        (pl.Date(), ["2013-02-29", "01.02.2013", "2013-13-01"]),
        (MOMENT, ["2013-01-01", "2013-01-01T10:00:00", "2013-01-01T10:00:60Z", "2013-01-01T25:00:00Z"]),
    ],
)
def test_what_is_no_value_of_the_type_is_null(kind, texts):
    assert read(kind, *texts) == [None] * len(texts)


def test_values_that_stand_for_none_are_null_with_blanks_around_them_too():
    for kind in (pl.Int64(), pl.String(), pl.Date()):
        assert read(kind, "", " NA ", "\tNA", None) == [None] * 4
    assert read(pl.String(), "NA", "-", null_values=("-",)) == ["NA", None]


def test_blanks_belong_to_a_text_and_to_nothing_else():
    assert read(pl.String(), " a ") == [" a "]
    assert read(pl.Boolean(), " TRUE ", "False") == [True, False]
    assert read(pl.Date(), " 2013-01-02 ") == [date(2013, 1, 2)]


def test_a_moment_is_the_same_in_every_offset():
    ten = datetime(2013, 1, 1, 10, tzinfo=UTC)
    assert read(MOMENT, "2013-01-01T10:00:00Z", "2013-01-01T12:00:00+02:00", "2013-01-01T05:00:00.0-0500") == [ten] * 3


def test_a_time_that_clocks_show_twice_or_never_is_no_moment():
    texts = ("2013-03-10T02:30:00", "2013-11-03T01:30:00", "2013-07-01T00:00:00")
    assert read(MOMENT, *texts, time_zone="America/New_York") == [None, None, datetime(2013, 7, 1, 4, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        ("%d.%m.%Y %H:%M:%S", "01.02.2013 10:59:59", "01.02.2013 10:59:60"),
        ("%Y%m%d%H%M%S", "20130201105959", "20130201105960"),
        ("%d.%m.%Y %H.%M.%S", "01.02.2013 10.59.59", "01.02.2013 10.59.60"),
        ("%d.%m.%Y %H.%M.%S", "1.2.2013 10.59.59", "1.2.2013 10.59.60"),
        ("%Hh%Mm%Ss %d.%m.%Y", "10h59m59s 01.02.2013", "10h59m60s 01.02.2013"),
    ],
)
def test_second_sixty_is_no_moment_of_the_next_minute(pattern, good, bad):
    assert read(MOMENT, good, bad, format=pattern, time_zone="UTC") == [
        datetime(2013, 2, 1, 10, 59, 59, tzinfo=UTC),
        None,
    ]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [("%d.%m.%Y %H.%M.%S%.f", "01.02.2013 10.15.30.605"), ("%H-%M-%S %d-%m-%Y", "10-15-30 01-02-6012")],
)
def test_sixty_elsewhere_than_in_the_seconds_is_a_moment(pattern, text):
    assert read(MOMENT, text, format=pattern, time_zone="UTC") != [None]


@pytest.mark.parametrize(
    ("kind", "metadata", "message"),
    [
        (pl.Datetime("us"), {"time_zone": "UTC"}, "`time_zone`, and its type has none: make it"),
        (MOMENT, {"format": "%Y-%m-%d %H:%M"}, "has no offset: say its `time_zone`"),
        (
            MOMENT,
            {"time_zone": "America/Denverr"},
            "there is no time zone 'America/Denverr': give a name of the IANA's",
        ),
        (MOMENT, {"time_zone": -7}, "there is no time zone -7: give"),
        (MOMENT, {"format": "%Y-%m-%d %H:%M%z", "time_zone": "UTC"}, "has an offset: leave `time_zone` away"),
        (pl.List(pl.Int64), {}, "text has no reading as that"),
    ],
)
def test_a_column_that_does_not_say_which_moment_it_means_is_refused_by_name(kind, metadata, message):
    with pytest.raises(InvalidInput, match=f"contract C: column 'a'.*{message}"):
        reading("C", "a", column(kind, **metadata))


@pytest.mark.parametrize(
    ("kind", "instead"),
    [
        (pl.UInt64(), "Int64"),
        (pl.UInt32(), "Int64"),
        (pl.Datetime("ns", "UTC"), "time_unit='us'"),
        (pl.Datetime("us", "Europe/Berlin"), "time_zone='UTC'"),
        (pl.Duration("ms"), "Int64, in a unit"),
    ],
)
def test_a_type_that_no_table_holds_is_refused_with_one_that_it_does(kind, instead):
    with pytest.raises(InvalidInput, match=f"contract C: column 'a' is .*, which no table holds: use .*{instead}"):
        check_type("C", "a", kind)


@pytest.mark.parametrize("kind", [pl.Int64(), pl.Float32(), pl.String(), pl.Date(), pl.Datetime("ms"), MOMENT])
def test_a_type_that_a_table_holds_is_taken(kind):
    check_type("C", "a", kind)


def test_absent_is_what_is_read_as_no_value():
    rows = pl.DataFrame({"a": ["", " NA", None, "0", "NAN"]})
    assert rows.select(is_absent("a", ("", "NA"))).to_series().to_list() == [True, True, True, False, False]
