"""Charts: what is drawn, what is left out, and that names are text."""

from xml.etree import ElementTree as ET

import pytest

from flightline.ui import chart

NAN = float("nan")


def parsed(figure):
    return ET.fromstring(str(figure))


def test_a_line_with_marks_is_well_formed_and_named():
    mark = chart.Mark(x=1.5, label="<deployed>")
    figure = parsed(
        chart.line("<rows>", {"a & b": [(1, 2), (2, 4), (3, NAN)]}, marks=[mark, chart.Mark(x=99, label="")])
    )
    assert figure.find("figcaption").text == "<rows>"
    (line,) = figure.iter("polyline")
    assert len(line.get("points").split()) == 2, "what is no number is left out"
    assert [each.find("title").text for each in figure.iter("line") if each.get("class") == "mark"] == ["<deployed>"]
    assert figure.find("svg").get("aria-label") == "<rows>: 2 values of a & b"


@pytest.mark.parametrize("series", [{}, {"a": []}, {"a": [(NAN, 1)]}])
def test_nothing_is_said_in_words(series):
    assert "No values yet" in str(chart.line("t", series))
    assert "No values yet" in str(chart.bars("t", []))
    assert "No values yet" in str(chart.histogram("t", [NAN]))


def test_one_value_and_equal_values_have_room():
    assert len([*parsed(chart.line("t", {"": [(5, 5)]})).iter("circle")]) == 1
    assert len([*parsed(chart.histogram("t", [3, 3, 3])).iter("rect")]) == 20


def test_bars_start_at_zero_and_a_histogram_counts_all():
    first, second = parsed(chart.bars("t", [("a", 1), ("b", -1)])).iter("rect")
    assert float(first.get("height")) == pytest.approx(float(second.get("height")), abs=0.2)
    titles = [each.find("title").text for each in parsed(chart.histogram("t", range(100))).iter("rect")]
    assert sum(int(title.rpartition(" ")[2]) for title in titles) == 100


def test_many_points_are_thinned_and_times_are_dates():
    figure = parsed(chart.line("t", {"": [(day * 86_400, day) for day in range(10_000)]}, times=True, diagonal=True))
    (line,) = figure.iter("polyline")
    assert len(line.get("points").split()) <= chart.MOST_POINTS + 1
    assert "1970-01-01" in [each.text for each in figure.iter("text")]
    assert [chart.number(value) for value in (0, 1234567, 0.12345, 12.5, 1e-9)] == [
        "0",
        "1.23e+06",
        "0.1235",
        "12.5",
        "1e-09",
    ]
