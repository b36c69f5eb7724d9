"""Real requests with the answers that a model file gives offline: what a deployed endpoint is asked."""

from typing import Any

from include.foundation.artifact import store
from include.foundation.artifact.model_file import open_model
from include.foundation.artifact.scoring import score
from include.foundation.errors import MissingInput
from include.foundation.lake import Lake, tables
from include.foundation.spec import UseCase, module


def sample(lake: Lake, spec: UseCase, *, uri: str, digest: str, count: int = 20) -> tuple[list[Any], list[float]]:
    """Requests of gold's newest day, evenly spread over it, and the probabilities of their batch features.

    An endpoint that gives other probabilities computes other features than training did, or serves another model.

    Args:
        lake: the lake.
        spec: the use case.
        uri: of the model file.
        digest: its SHA-256.
        count: how many at most.

    Returns:
        JSON-able records as callers send them, and as many probabilities.

    Raises:
        MissingInput: gold is empty.
    """
    features, model = module(spec.name, "features"), module(spec.name, "model")
    days = tables.days(lake, spec.gold)
    if not days:
        raise MissingInput(f"{spec.gold} has no rows: run {spec.name}.features first")
    gold = tables.read(lake, spec.gold, start=days[-1], end=days[-1]).sort("event_time", "id")
    rows = gold.gather_every(max(1, gold.height // count)).head(count)
    scorer = open_model(store.fetch(lake.objects(), uri, digest), digest)
    probabilities = score(model, scorer, rows)
    requests = rows.select(list(features.Request.model_fields)).to_dicts()
    records = [features.Request.model_validate(request).model_dump(mode="json") for request in requests]
    return records, [float(probability) for probability in probabilities]
