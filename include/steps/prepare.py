"""Freeze the data, and open or rejoin the MLflow run and the tuning experiment of exactly this input."""

from datetime import date
from typing import TYPE_CHECKING, Any

from include.foundation.errors import InvalidInput
from include.foundation.lake import Lake, tables
from include.foundation.spec import UseCase, load
from include.stages.features.stale import made_by, made_by_other_code
from include.stages.training import runs
from include.stages.training.frozen import Frozen, freeze
from include.stages.tuning.experiment import create_or_rejoin

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from sigopt import Connection


def prepare(
    use_case: str,
    *,
    client: "MlflowClient",
    connection: "Connection",
    lake: Lake,
    image: str,
    serving_image: str = "none",
    start: date | None = None,
    end: date | None = None,
    trials: int | None = None,
    parallelism: int | None = None,
    seed: int | None = None,
    rerun: int = 0,
) -> dict[str, Any]:
    """Freeze the data and open the MLflow run and the tuning experiment, or rejoin those of the same content.

    Args:
        use_case: name.
        client: MLflow.
        connection: the tuning service.
        lake: the lake.
        image: what will train.
        serving_image: what will serve the version.
        start: first day of the window; None is what the spec says.
        end: last day of the window; None is gold's newest.
        trials: tuning budget; None is the spec's.
        parallelism: workers; None is the spec's.
        seed: of every random choice; None is the spec's.
        rerun: raise it to train once more on the same data.

    Returns:
        `run_id`, `experiment_id`, `key` and `frozen`, as plain JSON values.

    Raises:
        MissingInput: gold has no rows in the window, or none up to its end (yet).
        InvalidInput: the window is too short, or other code than that of here made some of its days.
    """
    spec = load(use_case)
    images = {"image": image, "serving_image": serving_image}
    frozen = freeze(lake, spec, **images, start=start, end=end, trials=trials, seed=seed, rerun=rerun)
    _require_one_code(lake, spec, frozen)
    run_id = runs.open_run(client, frozen, spec)
    plan = {"trials": frozen.trials, "seed": frozen.seed, "parallelism": parallelism or spec.training.parallelism}
    experiment_id = create_or_rejoin(
        connection,
        name=f"{use_case} {frozen.window.end} {frozen.key[:8]}",
        spec=spec.training.model_copy(update=plan),
        metric=spec.metric,
        metadata={"flightline_key": frozen.key, "mlflow_run": run_id},
    )
    runs.log(client, run_id, tags={runs.TUNING: experiment_id})
    return {
        "run_id": run_id,
        "experiment_id": experiment_id,
        "key": frozen.key,
        "frozen": frozen.model_dump(mode="json"),
    }


def _require_one_code(lake: Lake, spec: UseCase, frozen: Frozen) -> None:
    """Raise InvalidInput if other code made some of the window's days: features of two codes are not one feature."""
    at, window = frozen.snapshot_id, frozen.window
    days = [day for day in tables.days(lake, spec.gold, snapshot_id=at) if window.start <= day <= window.end]
    if other := made_by_other_code(lake, spec, days, snapshot_id=at):
        by = sorted({" ".join(part[:12] for part in maker.split()) for maker in other.values()})
        here = " ".join(part[:12] for part in made_by(spec).split())
        raise InvalidInput(
            f"{len(other)} of {len(days)} days of {spec.gold}, {min(other)} to {max(other)}, were made by other code "
            f"and spec ({', '.join(by[:3])}) than those of here ({here}): run {spec.name}.features with start_date "
            f"{min(other)} and end_date {max(other)}, then train again"
        )
