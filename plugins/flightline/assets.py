"""Names of the assets through which the Dags start each other.

Partition keys: silver and gold carry days (`2013-01-31`), a model carries its version (`7`).
"""

from airflow.sdk import Asset

from include.spec import UseCase


def silver(spec: UseCase) -> list[Asset]:
    """The daily silver tables of a use case, one asset each."""
    return [_table(spec.table("silver", source.name)) for source in spec.sources if source.every == "day"]


def gold(spec: UseCase) -> Asset:
    """The feature table of a use case."""
    return _table(spec.gold)


def model(spec: UseCase) -> Asset:
    """The registered model of a use case: an event means that a version passed its gates."""
    return Asset(f"model.{spec.name}", uri=f"model://flightline/{spec.name}", group="model")


def retrain(spec: UseCase) -> Asset:
    """An event means that monitoring asks for a new version."""
    return Asset(f"retrain.{spec.name}", uri=f"retrain://flightline/{spec.name}", group="retrain")


def _table(identifier: str) -> Asset:
    return Asset(identifier, uri=f"lake://flightline/{identifier.replace('.', '/')}", group=identifier.split(".", 1)[0])
