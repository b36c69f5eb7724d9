"""Freeze what a training run works on, so that every worker, retry and gate sees the same rows."""

from datetime import date, timedelta
from typing import Any

from include.foundation.errors import InvalidInput, MissingInput
from include.foundation.evidence.code import digest, environment
from include.foundation.evidence.manifest import Part, Window, content_key
from include.foundation.lake import Lake
from include.foundation.spec import UseCase
from include.foundation.spec.training import Training


class Frozen(Part):
    """The input of one training run; plain JSON, so that it travels in a tag.

    Attributes:
        use_case: name.
        spec_digest: SHA-256 of what training reads of the spec and no other field says.
        code_digest: SHA-256 of the code that fits.
        environment: SHA-256 of the lock of the libraries that fit.
        snapshot_id: Iceberg snapshot of the gold table.
        window: its days.
        rows: rows of the window, labelled or not.
        trials: budget of the tuning experiment.
        seed: of every random choice.
        fixed: parameters that are not tuned.
        image: what trains; not in the key, for the same code and libraries are in every image with these digests.
        serving_image: what will serve the version; not in the key either.
        rerun: raised by who trains the same input once more.
    """

    use_case: str
    spec_digest: str
    code_digest: str
    environment: str
    snapshot_id: int
    window: Window
    rows: int
    trials: int
    seed: int
    fixed: dict[str, Any]
    image: str
    serving_image: str = "none"
    rerun: int = 0

    @property
    def key(self) -> str:
        """Content key: names the tuning experiment and the MLflow run, so that a retry rejoins them."""
        return content_key(**self.model_dump(mode="json", exclude={"image", "serving_image"}))

    @property
    def tag(self) -> str:
        """Name of the Iceberg tag that keeps the gold table's snapshot from expiring: who drops it, frees the rows."""
        return f"train-{self.key}"


def split_days(start: date, end: date, training: Training) -> Window:
    """Cut the days [start, end] into training, validation and holdout, as the spec says.

    A window shorter than the spec's keeps the proportions, with a day at least for each part.

    Raises:
        InvalidInput: fewer than three days.
    """
    days = (end - start).days + 1
    if days < 3:
        raise InvalidInput(f"{start} to {end} is too short: training, validation and holdout need a day each")
    share = min(1.0, days / training.window_days)
    holdout = max(1, min(days - 2, round(training.holdout_days * share)))
    validation = max(1, min(days - 1 - holdout, round(training.validation_days * share)))
    holdout_start = end - timedelta(days=holdout - 1)
    return Window(
        start=start, validation_start=holdout_start - timedelta(days=validation), holdout_start=holdout_start, end=end
    )


def spec_read(spec: UseCase) -> str:
    """SHA-256 of what training reads of the spec; trials, seed, window and fixed parameters are named one by one."""
    # What came later counts where it is said: a spec that does not say it keeps its digest.
    said = [name for name in ("models", "max_rows") if getattr(spec.training, name)]
    later = (f"training.{name}" for name in said)
    return spec.digest_of("problem", "training.metric", "training.parameters", "export", *later)


def fitting_code(spec: UseCase) -> str:
    """SHA-256 of the code that turns frozen rows into a model file."""
    names = ("features", "model", *(model.name for model in spec.training.models))
    parts = (f"include.use_cases.{spec.name}.{part}" for part in names)
    return digest("include.stages.training.dataset", "include.stages.training.fitting", "include.stages.export", *parts)


def freeze(
    lake: Lake,
    spec: UseCase,
    *,
    image: str,
    serving_image: str = "none",
    start: date | None = None,
    end: date | None = None,
    trials: int | None = None,
    seed: int | None = None,
    rerun: int = 0,
) -> Frozen:
    """Pin the gold table's current snapshot, by a tag named after the content key, and the days to work on.

    The same input again finds the tag that is there.

    Args:
        lake: the lake.
        spec: the use case.
        image: what will train.
        serving_image: what will serve the version.
        start: first day; None is `window_days` before the end, or gold's first day if that is later.
        end: last day, inclusive; None is gold's newest day.
        trials: tuning budget; None is the spec's.
        seed: None is the spec's.
        rerun: raised by who trains the same input once more.

    Raises:
        MissingInput: gold has no rows in the window, or none up to its end (yet).
        InvalidInput: the window is too short.
    """
    from include.foundation.lake import tables
    from include.foundation.lake.tags import ensure_tag

    snapshot_id = tables.current_snapshot_id(lake, spec.gold)
    counts = tables.counts(lake, spec.gold, snapshot_id=snapshot_id)
    days = sorted(counts)
    if snapshot_id is None or not days:
        raise MissingInput(f"{spec.gold} has no rows yet: run {spec.name}.features first")
    end = end or days[-1]
    if end > days[-1]:
        raise MissingInput(f"{spec.gold} ends on {days[-1]}: there are no rows yet for a window that ends on {end}")
    start = start or max(days[0], end - timedelta(days=spec.training.window_days - 1))
    rows = sum(count for day, count in counts.items() if start <= day <= end)
    if not rows:
        raise MissingInput(f"{spec.gold} has no rows from {start} to {end}; it has {days[0]} to {days[-1]}")
    frozen = Frozen(
        use_case=spec.name,
        spec_digest=spec_read(spec),
        code_digest=fitting_code(spec),
        environment=environment(spec.training.runtime),
        snapshot_id=snapshot_id,
        window=split_days(start, end, spec.training),
        rows=rows,
        trials=trials or spec.training.trials,
        seed=spec.training.seed if seed is None else seed,
        fixed=dict(spec.training.fixed),
        image=image,
        serving_image=serving_image,
        rerun=rerun,
    )
    ensure_tag(lake, spec.gold, frozen.tag, snapshot_id)
    return frozen
