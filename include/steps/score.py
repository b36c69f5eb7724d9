"""Answer gold's rows with a version, by the code that answers for it, into the lake's table `scores.<use case>`."""

from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from include.foundation.artifact import store
from include.foundation.errors import InvalidInput, MissingInput
from include.foundation.evidence.code import feature_code
from include.foundation.lake import Lake, tables
from include.foundation.spec import UseCase, blame, load, module
from include.stages import registry
from include.stages.features.build import compute
from include.stages.features.silver import Silver
from include.stages.features.stale import made_by_other_code
from include.stages.scoring.pending import GOLD, gold_now, pending
from include.stages.scoring.table import replace

if TYPE_CHECKING:
    from mlflow import MlflowClient


def score(
    use_case: str,
    *,
    client: "MlflowClient",
    lake: Lake,
    start: date,
    end: date,
    version: str | None = None,
    snapshot_id: int | None = None,
) -> dict[str, Any]:
    """Bring the scores of a range of days up to date; days that are stay as they are.

    Days of gold that the code of here made are scored as they are. Of the others this code makes the features anew,
    from silver, and their `gold_snapshot` is null: a version answers with its own code.

    Args:
        use_case: name.
        client: MLflow.
        lake: the lake.
        start: first day.
        end: last day, inclusive.
        version: None is the champion.
        snapshot_id: the state of gold; None is the current one.

    Returns:
        `version`, `start`, `end`, `days` and `rows` that were scored now, and `total`, the rows that the table has of
        the range; plain JSON.

    Raises:
        MissingInput: there is no champion, or gold has no rows of these days.
        InvalidInput: there is no such version, the code here is not the one that answers for it, or its answers are no
            finite numbers.
        DigestMismatch: the model file is not the version's.
    """
    spec = load(use_case)
    found = registry.get(client, use_case, version) if version else registry.champion(client, use_case)
    if found is None:
        raise MissingInput(f"{use_case} has no champion to score with: promote a version first, or name one")
    require_its_code(use_case, found)
    at = snapshot_id or gold_now(lake, spec)
    days = pending(lake, spec, version=found.version, digest=found.digest, snapshot_id=at, start=start, end=end)
    model = module(use_case, "model")
    rows = 0
    if days:
        with blame(model):
            rows = replace(
                lake,
                spec,
                days,
                read=_Rows(lake, spec, days, at).read,
                part=model,
                scorer=store.scorer(lake.objects(), found.file(lake.models), found.digest),
                version=found.version,
                snapshot_id=at,
            )
    return {
        "version": found.version,
        "start": start.isoformat(),
        "end": end.isoformat(),
        "days": len(days),
        "rows": rows,
        "total": sum(tables.counts(lake, spec.scores, start=start, end=end).values()),
    }


def require_its_code(use_case: str, version: registry.ModelVersion) -> None:
    """Raise InvalidInput if other code answers for the version; a manifest of the first layout does not say which."""
    manifest, here = version.manifest(), feature_code(use_case)
    if manifest.feature_code not in (None, here):
        raise InvalidInput(
            f"{use_case} version {version.version} answers with feature code {manifest.feature_code}, here is {here}: "
            f"run this step in the version's own image, {manifest.image}"
        )


class _Rows:
    """A day's rows with the features that the code of here makes: gold's, or made anew where other code made gold's."""

    def __init__(self, lake: Lake, spec: UseCase, days: list[date], snapshot_id: int) -> None:
        self._lake, self._spec, self._at = lake, spec, snapshot_id
        self._columns = ["id", "event_date", "event_time", *module(spec.name, "features").FEATURES]
        self._foreign = made_by_other_code(lake, spec, days, snapshot_id=snapshot_id)

    @cached_property
    def _silver(self) -> Silver:
        return Silver.current(self._lake, self._spec)

    def read(self, day: date) -> pl.DataFrame:
        """The rows of a day, with `gold_snapshot`."""
        at = None if day in self._foreign else self._at
        if at is None:
            rows = compute(self._silver, day, day).select(self._columns)
        else:
            rows = tables.read(self._lake, self._spec.gold, start=day, end=day, snapshot_id=at, columns=self._columns)
        return rows.with_columns(pl.lit(at, pl.Int64).alias(GOLD))
