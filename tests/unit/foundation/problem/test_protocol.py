"""What every problem kind must keep: the one contract test of all members."""

import json

import numpy as np
import orjson
import polars as pl
import pytest

from include.foundation.errors import InvalidInput
from include.foundation.problem import KINDS, problem
from include.foundation.problem.bootstrap import measure
from include.foundation.problem.plots import Chart, Table


def ids(labels):
    return pl.Series([f"row-{n}" for n in range(len(labels))])


def test_registry_has_every_kind_and_no_other():
    assert [problem(name).kind for name in KINDS] == list(KINDS.values())
    with pytest.raises(InvalidInput, match="no problem kind 'ranking'; there are binary, multiclass, regression"):
        problem("ranking")


def test_labels_are_taken_with_nulls_among_them(kind, rows):
    labels = rows.given.clone().set(pl.Series([n == 0 for n in range(len(rows.given))]), None)
    kind.check_labels(labels, ids(labels))
    kind.check_labels(pl.Series([None, None]), ids([0, 0]))
    encoded = kind.encode(rows.given, rows.classes)
    assert encoded.dtype.is_numeric()
    assert encoded.null_count() == 0
    assert sum(kind.counts(rows.labels, rows.classes).values()) in (0, len(rows.labels))
    assert bool(rows.classes) == kind.kind.output.per_class


@pytest.mark.parametrize("labels", [[0.0, np.nan, 1.0], [0.0, np.inf], [[1], [2]], ["", "a"]])
def test_what_is_no_label_is_refused_with_an_example_and_bounded(kind, labels):
    labels = pl.Series(labels)
    with pytest.raises(InvalidInput, match="row-") as refused:
        kind.check_labels(labels, ids(labels))
    assert kind.kind.name in str(refused.value)
    long = pl.Series([[f"{'x' * 10_000}"]] * 500)
    with pytest.raises(InvalidInput) as refused:
        kind.check_labels(long, pl.Series(["y" * 10_000] * 500))
    assert len(str(refused.value)) < 1000


def test_metrics_tell_a_good_model_from_a_poor_one(kind, rows):
    good, poor = measure(kind, rows.labels, rows.good), measure(kind, rows.labels, rows.poor)
    assert list(good) == [metric.name for metric in kind.kind.metrics]
    for metric in kind.kind.metrics:
        assert metric.gain(good[metric.name], poor[metric.name]) > 0
        assert metric.gain(poor[metric.name], good[metric.name]) < 0
        assert metric.low <= poor[metric.name] <= metric.high


def test_weights_are_repetitions(kind, rows):
    counts = np.random.default_rng(1).integers(0, 4, len(rows.labels))
    for metric in kind.kind.metrics:
        repeated = kind.measure(metric.name, np.repeat(rows.labels, counts), np.repeat(rows.poor, counts, axis=0))
        weighted = kind.measure(metric.name, rows.labels, rows.poor)(counts.astype(float))
        assert weighted == pytest.approx(repeated(None), abs=1e-12)
        ones = kind.measure(metric.name, rows.labels, rows.poor)(np.ones(len(counts)))
        assert ones == pytest.approx(kind.measure(metric.name, rows.labels, rows.poor)(None), abs=1e-12)


def test_what_is_not_defined_is_nan_and_an_unknown_metric_is_refused(kind, rows):
    assert all(np.isnan(value) for value in measure(kind, rows.labels, np.full_like(rows.good, np.nan)).values())
    assert all(np.isnan(value) for value in measure(kind, rows.labels[:0], rows.good[:0]).values())
    with pytest.raises(InvalidInput, match=f"{kind.kind.name} problem has no metric 'gini'; it has "):
        kind.measure("gini", rows.labels, rows.good)


def test_answers_are_one_finite_answer_a_row(kind, rows):
    count = len(rows.labels)
    kind.check_answers(rows.good, rows=count, classes=rows.classes)
    for wrong in (rows.good[:-1], np.full_like(rows.good, np.inf), rows.good[..., None]):
        with pytest.raises(InvalidInput, match=f"each of {count} rows"):
            kind.check_answers(wrong, rows=count, classes=rows.classes)


def test_baseline_is_between_chance_and_the_model(kind, rows):
    part = pl.Series(np.where(rows.good.reshape(len(rows.labels), -1)[:, 0] > np.median(rows.good), "high", "low"))
    train = pl.DataFrame({"part": part, "label": kind.encode(rows.given, rows.classes)})
    asked = pl.concat([train.select("part"), pl.DataFrame({"part": ["new", None]})])
    by, none = kind.baseline(train, asked, ["part"]), kind.baseline(train, asked, [])
    for answers in (by, none):
        kind.check_answers(answers, rows=len(asked), classes=rows.classes)
    np.testing.assert_allclose(by[-2:], none[-2:], rtol=1e-12)  # what was not seen gets the overall mean
    metric = kind.kind.metric()
    value = {
        name: kind.measure(metric.name, rows.labels, answers[: len(rows.labels)])(None)
        for name, answers in {"none": none, "by": by, "good": rows.good}.items()
    }
    assert metric.gain(value["by"], value["none"]) > 0
    assert metric.gain(value["good"], value["by"]) > 0


def test_plots_have_named_axes_and_finite_numbers_inside_them(kind, rows):
    for count in (len(rows.labels), 12):
        for plot in kind.plots(rows.labels[:count], rows.good[:count], rows.classes):
            assert plot.title
            if isinstance(plot, Table):
                assert all(
                    np.isfinite(numbers).all() and len(numbers) + 1 == len(plot.columns) for _, numbers in plot.rows
                )
                continue
            assert isinstance(plot, Chart)
            assert plot.x
            assert plot.y
            for points in plot.series.values():
                x, y = np.array(points).T
                for values, (low, high) in ((x, plot.x_range), (y, plot.y_range)):
                    assert low < high
                    assert low - 1e-9 <= values.min() <= values.max() <= high + 1e-9


def test_a_served_answer_is_read_back(kind, rows):
    answers = rows.good.astype(np.float32)
    served = orjson.loads(orjson.dumps(kind.fields(answers, rows.classes), option=orjson.OPT_SERIALIZE_NUMPY))
    read = np.array([list(kind.numbers(fields).values()) for fields in served])
    np.testing.assert_array_equal(read.reshape(answers.shape).astype(np.float32), answers)
    assert set(served[0]) == set(kind.schema(rows.classes))
    json.dumps(kind.schema(rows.classes))
    for wrong in ({}, dict.fromkeys(served[0]), dict.fromkeys(served[0], "0.5"), {"score": 1}):
        with pytest.raises(InvalidInput, match=kind.kind.output.name):
            kind.numbers(wrong)


def test_observed_answers_fall_into_buckets(kind, rows):
    seen = kind.observed(rows.good)
    assert len(seen) == len(rows.labels)
    assert list(kind.buckets) == sorted(set(kind.buckets))
    assert kind.buckets[0] <= max(seen)
    assert max(seen) <= kind.buckets[-1]


def test_scale_is_that_of_the_answers(kind, rows):
    assert kind.scale(rows.good) >= 1
    assert kind.scale(np.zeros_like(rows.good)) == 1
