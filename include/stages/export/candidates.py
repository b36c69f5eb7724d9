"""Every form of one model as a model file, or why there is none."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from include.foundation.artifact import Scorer, open_model
from include.foundation.artifact.writer import seal
from include.foundation.echo import cause
from include.stages.export.forms import FORMS, Form
from include.stages.export.forms.form import Matrix

log = logging.getLogger(__name__)
FLOAT32 = "float32"
ALONE = 500  # rows that are asked alone and together


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A form of the model.

    Attributes:
        name: of the form.
        data: the model file; empty if there is none.
        scorer: the file, opened; None if there is none.
        reason: why there is none, in words.
    """

    name: str
    data: bytes = b""
    scorer: Scorer | None = None
    reason: str = ""


def candidates(model: bytes, rows: Matrix, forms: Iterable[Form] = FORMS) -> list[Candidate]:
    """The sealed float32 model, and its other forms.

    Args:
        model: the float32 file; the other files get its metadata.
        rows: encoded rows that the model was fitted on, [n, features].
        forms: which.
    """
    found = [Candidate(name=FLOAT32, data=model, scorer=open_model(model))]
    for form in forms:
        found.append(_candidate(form, model, rows, {each.scorer.digest: each.name for each in found if each.scorer}))
    return found


def _candidate(form: Form, model: bytes, rows: Matrix, there: Mapping[str, str]) -> Candidate:
    import onnx

    try:
        made = form.make(onnx.load_model_from_string(model), rows)
        if isinstance(made, str):
            return Candidate(name=form.name, reason=made)
        data = seal(made, open_model(model).metadata)
        scorer = open_model(data)
    except Exception as error:  # noqa: BLE001 (a form less is no reason to lose the model, and converters raise anything)
        log.warning("the model has no form %s: %s", form.name, cause(error))
        return Candidate(name=form.name, reason=f"it cannot be made: {cause(error)}")
    if scorer.digest in there:
        return Candidate(name=form.name, reason=f"the same bytes as {there[scorer.digest]}")
    if not _answers_each_row_alone(scorer, rows[:ALONE]):
        return Candidate(name=form.name, reason="a row's answer depends on the rows beside it")
    return Candidate(name=form.name, data=data, scorer=scorer)


def _answers_each_row_alone(scorer: Scorer, rows: Matrix) -> bool:
    """Whether rows get the same bits alone and together."""
    alone = [scorer.score(rows[place : place + 1]) for place in range(len(rows))]
    return np.array_equal(scorer.score(rows), np.concatenate(alone), equal_nan=True)
