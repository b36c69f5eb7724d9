"""Real requests with the answers that a model file gives offline: what a deployed endpoint is asked."""

from typing import Any

import numpy as np
import polars as pl

from include.foundation.artifact import store
from include.foundation.artifact.scoring import score
from include.foundation.errors import MissingInput
from include.foundation.lake import Lake, tables
from include.foundation.problem import problem
from include.foundation.spec import UseCase, module

COUNT = 20


def sample(
    lake: Lake, spec: UseCase, *, uri: str, digest: str, count: int = COUNT
) -> tuple[list[Any], list[dict[str, float]]]:
    """Requests of gold's newest day, and what `answers` says of them.

    Raises:
        MissingInput: gold is empty.
    """
    days = tables.days(lake, spec.gold)
    if not days:
        raise MissingInput(f"{spec.gold} has no rows: run {spec.name}.features first")
    gold = tables.read(lake, spec.gold, start=days[-1], end=days[-1])
    return answers(lake, spec, gold, uri=uri, digest=digest, count=count)


def answers(
    lake: Lake, spec: UseCase, gold: pl.DataFrame, *, uri: str, digest: str, count: int = COUNT
) -> tuple[list[Any], list[dict[str, float]]]:
    """Requests evenly spread over gold's rows, and the answers for their batch features.

    An endpoint that gives other answers computes other features than training did, or serves another model.

    Args:
        lake: where the model file is.
        spec: the use case.
        gold: rows of the use case's gold, made by the code of here.
        uri: of the model file.
        digest: its SHA-256.
        count: how many at most.

    Returns:
        JSON-able records as callers send them, and the numbers of as many answers (see `Problem.numbers`).
    """
    features, model = module(spec.name, "features"), module(spec.name, "model")
    rows = gold.sort("event_time", "id").gather_every(max(1, gold.height // count)).head(count)
    scorer = store.scorer(lake.objects(), uri, digest)
    kind, found = problem(scorer.metadata.problem), score(model, scorer, rows).astype(np.float64)
    requests = rows.select(list(features.Request.model_fields)).to_dicts()
    records = [features.Request.model_validate(request).model_dump(mode="json") for request in requests]
    return records, [kind.numbers(fields) for fields in kind.fields(found, scorer.metadata.classes)]
