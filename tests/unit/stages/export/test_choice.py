import csv
import io
import json
import math
from dataclasses import asdict
from types import SimpleNamespace

import pytest

from include.foundation.problem.kinds import kind
from include.foundation.spec.export import Export
from include.stages.export.candidates import Candidate
from include.stages.export.choice import choose, plots, table
from include.stages.export.timing import Times

AUC, LOSS = kind("binary").metric("auc"), kind("binary").metric("log_loss")
RULE = Export(margin=0.01, faster=1.2)


def chosen(forms, metric=AUC, rule=RULE):
    """Rows of forms given as name -> (microseconds a row, metric), or the reason why there is none."""
    found, values, times = [], {}, {}
    for name, said in forms.items():
        if isinstance(said, str):
            found.append(Candidate(name=name, reason=said))
            continue
        found.append(Candidate(name=name, data=b"x" * 10, scorer=SimpleNamespace(digest=f"digest of {name}")))
        times[name] = Times(p50_us=said[0], p99_us=2 * said[0], rows_per_second=5, open_ms=1)
        values[name] = said[1]
    return choose(found, values=values, times=times, metric=metric, rule=rule)


@pytest.mark.parametrize(
    ("forms", "metric", "ships"),
    [
        ({"float32": (30, 0.8), "int8": (10, 0.795)}, AUC, "int8"),
        ({"float32": (30, 0.8), "int8": (10, 0.785)}, AUC, "float32"),
        ({"float32": (30, 0.8), "int8": (10, 0.809)}, LOSS, "int8"),
        ({"float32": (30, 0.8), "int8": (10, 0.811)}, LOSS, "float32"),
        ({"float32": (30, 0.8), "int8": (10, math.nan)}, AUC, "float32"),
        ({"float32": (30, 0.8), "optimized": (26, 0.8)}, AUC, "float32"),
        ({"float32": (30, 0.8), "optimized": (24, 0.8), "int8": (9, 0.8)}, AUC, "int8"),
        ({"float32": (30, 0.8), "optimized": (24, 0.8), "int8": (9, 0.5)}, AUC, "optimized"),
        ({"float32": (30, 0.8), "int8": "trees"}, AUC, "float32"),
    ],
)
def test_the_fastest_ships_whose_metric_is_near_enough(forms, metric, ships):
    rows = chosen(forms, metric)
    assert [row.name for row in rows if row.ships] == [ships]
    assert [row.name for row in rows] == [*forms]
    assert all(row.why for row in rows)


def test_every_row_says_why():
    forms = {"float32": (30, 0.8), "a": (26, 0.8), "b": (10, 0.7), "c": (10, 0.8), "d": (20, 0.8), "e": "trees"}
    assert {row.name: row.why for row in chosen(forms)} == {
        "float32": "c takes its place",
        "a": "1.15 times as fast, the spec asks for 1.2",
        "b": "auc is 0.1 worse, the spec allows 0.01",
        "c": "a row is answered 3.00 times faster than by float32, auc is near enough",
        "d": "c is faster still",
        "e": "trees",
    }


def test_the_table_has_every_form_and_the_plots_those_with_a_file():
    rows = chosen({"float32": (30, 0.8), "int8": (10, 0.795), "odd": (5, math.nan), "none": "trees, say"})
    read = list(csv.DictReader(io.StringIO(table(rows, AUC).decode())))
    assert [(row["form"], row["ships"], row["auc"], row["p50_us"], row["size_bytes"]) for row in read] == [
        ("float32", "no", "0.8", "30", "10"),
        ("int8", "yes", "0.795", "10", "10"),
        ("odd", "no", "", "5", "10"),
        ("none", "no", "", "", ""),
    ]
    assert read[3]["why"] == "trees, say"
    chart, numbers = plots(rows, AUC)
    assert chart.series == {"float32": [(30, 0.8)], "int8": [(10, 0.795)]}
    assert [name for name, _ in numbers.rows] == ["float32", "int8"]
    assert "none does not ship: trees, say" in numbers.note
    json.dumps([asdict(chart), asdict(numbers)], allow_nan=False)
