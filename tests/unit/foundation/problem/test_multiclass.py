import numpy as np
import polars as pl
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss

from include.foundation.errors import InvalidInput
from include.foundation.problem.bootstrap import measure
from include.foundation.problem.multiclass import MOST, Multiclass
from tests.unit.foundation.problem.conftest import rows_of

MULTICLASS = Multiclass()


def test_metrics_equal_sklearn():
    rows = rows_of("multiclass")
    found = measure(MULTICLASS, rows.labels, rows.poor)
    assert found["log_loss"] == pytest.approx(log_loss(rows.labels, rows.poor), abs=1e-9)
    assert found["accuracy"] == accuracy_score(rows.labels, rows.poor.argmax(axis=1))
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(rows.labels, rows.poor.argmax(axis=1)))


@pytest.mark.parametrize(
    ("labels", "classes"),
    [(["b", "a", None, "b"], ("a", "b")), ([10, 9, 2], ("2", "9", "10")), ([True, False], ("false", "true"))],
)
def test_classes_are_texts_in_the_labels_own_order(labels, classes):
    labels = pl.Series(labels)
    assert MULTICLASS.classes(labels) == classes
    encoded = MULTICLASS.encode(labels.drop_nulls(), classes)
    assert [classes[place] for place in encoded] == labels.drop_nulls().cast(pl.String).to_list()
    assert MULTICLASS.counts(encoded.to_numpy(), classes)[classes[-1]] == encoded.to_list().count(len(classes) - 1)


def test_free_text_and_quantities_are_refused():
    many = pl.Series([f"remark {n}" for n in range(MOST + 1)])
    with pytest.raises(InvalidInput, match=f"{MOST + 1} classes, {MOST} at most"):
        MULTICLASS.check_labels(many, many)
    with pytest.raises(InvalidInput, match=r"multiclass .* not Float64.* 1\.5 of 'a'"):
        MULTICLASS.check_labels(pl.Series([1.5]), pl.Series(["a"]))
    with pytest.raises(InvalidInput, match=r"1 of 2 labels are not: ' ' of 'b'"):
        MULTICLASS.check_labels(pl.Series(["x", " "]), pl.Series(["a", "b"]))


def test_plots_count_what_was_answered():
    rows = rows_of("multiclass")
    confusion, classes, calibration = MULTICLASS.plots(rows.labels, rows.good, rows.classes)
    counts = np.array([numbers for _, numbers in confusion.rows])
    assert counts.sum() == len(rows.labels)
    assert f"accuracy {counts.trace() / counts.sum():.4f}" in confusion.note
    assert [name for name, _ in classes.rows] == list(rows.classes)
    assert [numbers[2] for _, numbers in classes.rows] == counts.sum(axis=1).tolist()
    assert [numbers[1] for _, numbers in classes.rows] == pytest.approx(np.diag(counts) / counts.sum(axis=1))
    assert all(abs(said - right) < 0.25 for said, right in calibration.series[""])


def test_a_served_answer_names_the_most_probable_class():
    answers = np.array([[0.25, 0.5, 0.25]], np.float32)
    (fields,) = MULTICLASS.fields(answers, ("a", "b", "c"))
    served = {"class": "b", "probabilities": {"a": 0.25, "b": 0.5, "c": 0.25}}
    assert fields == served
    assert MULTICLASS.numbers(served)["probability of b"] == 0.5
    for wrong in (
        {"class": "a"},
        {"probabilities": {"a": 0.25, "b": 0.5}},
        {"probabilities": {"a": 1.25, "b": -0.25}},
        {"probabilities": {"a": None, "b": 1.0}},
    ):
        with pytest.raises(InvalidInput):
            MULTICLASS.numbers({**served, **wrong})
