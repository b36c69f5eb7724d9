import re

import pytest

from include.foundation.problem import KINDS, problem
from include.foundation.problem.plots import Chart, Table
from include.stages.training.curves import page
from tests.unit.foundation.problem.conftest import rows_of

CHART = Chart(
    title="<toy>",
    note="AUC 0.8 & more",
    x="minutes",
    y="share",
    series={"model": [(0.0, 10.0), (50.0, 30.0)], "chance": [(0.0, 20.0), (50.0, 20.0)]},
    x_range=(0.0, 50.0),
    y_range=(10.0, 30.0),
)


def test_page_is_self_contained_and_escaped():
    text = page("<toy>", [CHART], {"a & b": 0.75, "c": 0.25})
    assert "<toy>" not in text
    assert "&lt;toy&gt;" in text
    assert "AUC 0.8 &amp; more" in text
    assert text.index("a &amp; b") < text.index(">c<")
    assert text.count("<polyline") == 2
    assert "http" not in text
    assert "nan" not in text


def test_both_axes_have_names_and_ticks():
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", page("t", [CHART], {}))
    assert {"minutes", "share", "model", "chance"} <= set(texts)
    assert {"0", "10", "20", "30", "40", "50"} <= set(texts), "along x"
    assert {"14", "18", "22", "26"} <= set(texts), "along y"


def test_a_diagonal_is_drawn_where_the_chart_has_one():
    square = {"y_range": (0.0, 50.0)}
    assert "dasharray" in page("t", [Chart(**{**vars(CHART), **square, "diagonal": True})], {})
    assert "dasharray" not in page("t", [CHART], {})


def test_points_are_not_joined_and_stay_inside():
    text = page("t", [Chart(**{**vars(CHART), "lines": False})], {})
    assert text.count("<circle") == 4
    assert "<polyline" not in text


def test_tables_are_shaded_by_share():
    table = Table(title="Confusion", columns=("class", "a", "b"), rows=[("a", [3, 1]), ("b", [0, 0])], shares=True)
    text = page("t", [table], {})
    assert "0.75" in text
    assert "<td>b</td>" in text


def test_bars_have_values_and_the_longest_fills_its_column():
    text = page("t", [], {"much": 0.08, "little": 0.02})
    assert re.findall(r"width:([0-9.]+)%", text) == ["100.0", "25.0"]
    assert ">8.0%<" in text


@pytest.mark.parametrize("name", KINDS)
def test_plots_of_every_kind_are_drawn(name):
    rows = rows_of(name)
    plots = problem(name).plots(rows.labels, rows.good, rows.classes)
    text = page("t", plots, {})
    assert text.count("<figure>") == len(plots)
    assert "nan" not in text
