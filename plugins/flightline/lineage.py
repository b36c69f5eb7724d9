"""What a task made of what, for OpenLineage: pods and S3 say nothing themselves, so the tasks that know it do.

Events go where Airflow's section `[openlineage]` says (file, HTTP, ...); nothing is imported while it is disabled. A
table is `<warehouse> / namespace.table` with its snapshot as version, a model `<MLflow> / models/<name>` with its
number.
https://openlineage.io/docs/spec/naming
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.facet_v2 import DatasetFacet

    from include.foundation.lake import Lake

log = logging.getLogger(__name__)
Column = tuple[str, str]  # of a table, and its name


@dataclass(frozen=True, kw_only=True)
class Thing:
    """A table at a snapshot, or a version of a model.

    Attributes:
        namespace: where it lives, a URI.
        name: in there.
        version: snapshot or number; empty where it is not known.
        columns: of it -> of which columns of which things they were made, where that is known.
    """

    namespace: str
    name: str
    version: str = ""
    columns: "Mapping[str, Sequence[tuple[Thing, str]]]" = field(default_factory=dict)


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


def tell_of_tables(
    ti: Any, lake: "Lake", pairs: Iterable[tuple[str, str]], columns: "Mapping[str, Sequence[Column]] | None" = None
) -> None:
    """Each pair is a table and what was made of it; `columns` of what was made -> of which (table, column) above."""
    if active():
        made = list(pairs)
        inputs = {name: table(lake, name) for name, _ in made}
        of = {name: [(inputs[above], there) for above, there in each] for name, each in (columns or {}).items()}
        outputs = [replace(table(lake, below), columns=of) for below in dict.fromkeys(below for _, below in made)]
        tell(ti, inputs=inputs.values(), outputs=outputs)


def _dataset(thing: Thing, *, output: bool) -> "InputDataset | OutputDataset":
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.facet_v2 import column_lineage_dataset, dataset_version_dataset

    facets: dict[str, DatasetFacet] = {}
    if thing.version:
        facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=thing.version)
    if thing.columns:
        fields = {
            name: column_lineage_dataset.Fields(
                inputFields=[
                    column_lineage_dataset.InputField(namespace=each.namespace, name=each.name, field=column)
                    for each, column in of
                ]
            )
            for name, of in thing.columns.items()
        }
        facets["columnLineage"] = column_lineage_dataset.ColumnLineageDatasetFacet(fields=fields)
    kind = OutputDataset if output else InputDataset
    return kind(namespace=thing.namespace, name=thing.name, facets=facets)
