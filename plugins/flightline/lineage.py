"""What a task made of what, for OpenLineage: pods and S3 say nothing themselves, so the tasks that know it do.

Events go where Airflow's section `[openlineage]` says (file, HTTP, ...); nothing is imported while it is disabled. A
table is `<warehouse> / namespace.table` with its snapshot as version, a model `<MLflow> / models/<name>` with its
number.
https://openlineage.io/docs/spec/naming
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.facet_v2 import DatasetFacet

    from include.foundation.lake import Lake

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Thing:
    """A table at a snapshot, or a version of a model.

    Attributes:
        namespace: where it lives, a URI.
        name: in there.
        version: snapshot or number; empty where it is not known.
    """

    namespace: str
    name: str
    version: str = ""


def active() -> bool:
    """Whether anybody listens."""
    from airflow.providers.openlineage import conf

    return not conf.is_disabled()


def table(lake: "Lake", identifier: str, snapshot: object = "") -> Thing:
    """A table; without a snapshot as it is now."""
    from include.foundation.errors import MissingInput
    from include.foundation.lake import tables

    if not snapshot:
        try:
            snapshot = tables.current_snapshot_id(lake, identifier) or ""
        except MissingInput:
            snapshot = ""
    place = lake.catalog_properties.get("warehouse") or lake.catalog_properties.get("uri") or "lake"
    return Thing(namespace=place.rstrip("/"), name=identifier, version=str(snapshot))


def model(mlflow_url: str, name: str, version: str) -> Thing:
    """A version of a registered model."""
    return Thing(namespace=mlflow_url, name=f"models/{name}", version=version)


def tell(ti: Any, *, inputs: Iterable[Thing] = (), outputs: Iterable[Thing] = ()) -> None:
    """Emit what a task made of what, as an event of its run. Nothing that goes wrong here fails the task."""
    from airflow.providers.openlineage.api import emit_dataset_lineage

    emit_dataset_lineage(
        inputs=[_dataset(each, output=False) for each in inputs],
        outputs=[_dataset(each, output=True) for each in outputs],
        task_instance=ti,
    )


def tell_of_tables(ti: Any, lake: "Lake", pairs: Iterable[tuple[str, str]]) -> None:
    """Each pair is a table and what was made of it."""
    if active():
        made = list(pairs)
        tell(
            ti,
            inputs=[table(lake, name) for name in dict.fromkeys(above for above, _ in made)],
            outputs=[table(lake, below) for _, below in made],
        )


def _dataset(thing: Thing, *, output: bool) -> "InputDataset | OutputDataset":
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.facet_v2 import dataset_version_dataset

    facet = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=thing.version)
    facets: dict[str, DatasetFacet] = {"version": facet} if thing.version else {}
    kind = OutputDataset if output else InputDataset
    return kind(namespace=thing.namespace, name=thing.name, facets=facets)
