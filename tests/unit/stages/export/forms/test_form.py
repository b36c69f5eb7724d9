"""What every form of the model file does, of every family of models: the slot's contract."""

import numpy as np
import onnx
import pytest

from include.foundation.artifact import open_model
from include.foundation.artifact.writer import seal
from include.stages.export.forms import FORMS


@pytest.fixture(params=FORMS, ids=lambda form: form.name)
def form(request):
    return request.param


def made(form, data, rows):
    graph = onnx.load_model_from_string(data)
    found = form.make(graph, rows)
    assert graph.SerializeToString(deterministic=True) == data, "the model that was given is as it was"
    return found if isinstance(found, str) else seal(found, open_model(data).metadata)


def test_it_answers_as_the_model_with_the_same_metadata_or_says_why_it_cannot(form, model):
    data, rows = model
    found = made(form, data, rows)
    if isinstance(found, str):
        assert "operators" in found
        return
    before, after = open_model(data), open_model(found)
    assert after.metadata == before.metadata
    np.testing.assert_allclose(after.score(rows), before.score(rows), atol=0.05)


def test_the_same_model_and_rows_give_the_same_bytes(form, model):
    assert made(form, *model) == made(form, *model)


def by_size(scorer, rows, size):
    return np.concatenate([scorer.score(rows[start : start + size]) for start in range(0, len(rows), size)])


def test_a_row_has_the_same_bits_alone_and_in_every_batch_if_the_model_s_have(form, model):
    data, rows = model
    found, before = made(form, data, rows), open_model(data)
    if isinstance(found, str) or not np.array_equal(by_size(before, rows, 1), before.score(rows)):
        return
    scorer = open_model(found)
    for size in (1, 7, 64):
        np.testing.assert_array_equal(by_size(scorer, rows, size), scorer.score(rows))


def test_names_are_distinct():
    assert len({form.name for form in FORMS} | {"float32"}) == len(FORMS) + 1
