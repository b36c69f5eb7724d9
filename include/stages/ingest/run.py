"""A whole ingest run in one call; the Dag shows the same steps as tasks."""

from collections.abc import Iterable
from datetime import date

from pydantic import BaseModel, ConfigDict

from include.foundation.lake import Lake
from include.foundation.spec import UseCase
from include.stages.ingest.plan import Plan
from include.stages.ingest.publish import Published, publish
from include.stages.ingest.reconcile import reconcile


class Report(BaseModel):
    """What a run did; JSON-able."""

    model_config = ConfigDict(frozen=True)

    use_case: str
    run_id: str
    days: tuple[date, ...]
    sources: tuple[Published, ...]


def run(lake: Lake, spec: UseCase, days: Iterable[date], *, run_id: str) -> Report:
    """Plan, publish and reconcile the days. Raises as `Plan.of`, `publish` and `reconcile` do."""
    plan = Plan.of(lake, spec, days)
    published = publish(lake, spec, plan, run_id=run_id)
    reconcile(lake, spec, plan, run_id=run_id)
    return Report(use_case=spec.name, run_id=run_id, days=plan.days, sources=tuple(published))
