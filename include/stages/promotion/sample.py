"""Real requests with the answers that a model file gives offline: what a deployed endpoint is asked."""

from typing import Any

import polars as pl

from include.foundation.artifact import store
from include.foundation.artifact.model_file import open_model
from include.foundation.artifact.scoring import score
from include.foundation.errors import MissingInput
from include.foundation.lake import Lake, tables
from include.foundation.spec import UseCase, module

COUNT = 20


def sample(lake: Lake, spec: UseCase, *, uri: str, digest: str, count: int = COUNT) -> tuple[list[Any], list[float]]:
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
) -> tuple[list[Any], list[float]]:
    """Requests evenly spread over gold's rows, and the probabilities of their batch features.

    An endpoint that gives other probabilities computes other features than training did, or serves another model.

    Args:
        lake: where the model file is.
        spec: the use case.
        gold: rows of the use case's gold, made by the code of here.
        uri: of the model file.
        digest: its SHA-256.
        count: how many at most.

    Returns:
        JSON-able records as callers send them, and as many probabilities.
    """
    features, model = module(spec.name, "features"), module(spec.name, "model")
    rows = gold.sort("event_time", "id").gather_every(max(1, gold.height // count)).head(count)
    probabilities = score(model, open_model(store.fetch(lake.objects(), uri, digest), digest), rows)
    requests = rows.select(list(features.Request.model_fields)).to_dicts()
    records = [features.Request.model_validate(request).model_dump(mode="json") for request in requests]
    return records, probabilities.tolist()
