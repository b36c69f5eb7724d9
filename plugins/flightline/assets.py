"""Names of the assets through which the Dags start each other.

Partition keys: silver carries days (`2013-01-31`), gold and scores months (`2013-01`), a model its version (`7`).

They have names and no URIs: for a URI with a scheme Airflow asks every installed provider how to normalise it, which
imports boto3 at each parse.
"""

from collections.abc import Sequence

from airflow.sdk import Asset

from include.foundation.spec import UseCase
from include.foundation.spec.use_case import AnySource


def silver(spec: UseCase, sources: Sequence[AnySource] | None = None) -> dict[str, Asset]:
    """The daily silver tables of a use case, or of some of its sources, one asset each, by source."""
    some = spec.sources if sources is None else sources
    return {each.name: _table(spec.table("silver", each.name)) for each in some if each.every != "snapshot"}


def gold(spec: UseCase) -> Asset:
    """The feature table of a use case."""
    return _table(spec.gold)


def scores(spec: UseCase) -> Asset:
    """What the champion says of gold."""
    return _table(spec.scores)


def model(spec: UseCase) -> Asset:
    """The registered model of a use case: an event means that a version passed its gates."""
    return Asset(f"model.{spec.name}", group="model")


def answer(spec: UseCase) -> Asset:
    """The approvals of a use case: an event means that a person answered; its extra says what, who and when."""
    return Asset(f"answer.{spec.name}", group="answer")


def retrain(spec: UseCase) -> Asset:
    """An event means that monitoring asks for a new version."""
    return Asset(f"retrain.{spec.name}", group="retrain")


def _table(identifier: str) -> Asset:
    return Asset(identifier, group=identifier.split(".", 1)[0])
