"""The spec of one use case as frozen, validated objects. Thresholds are data: they live here, not in code."""

import hashlib
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from include.foundation.spec import cron

Fraction = Annotated[float, Field(ge=0, le=1)]
# Single underscores only: `__` parts use case and source in a table's name, and no DNS name ends in one.
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$", max_length=63)]
# One line, and nothing that Airflow would take for a template.
Line = Annotated[str, Field(pattern=r"^[^[:cntrl:]{}]+$", max_length=200)]
Cron = Annotated[str, AfterValidator(cron.check)]
TASKS = ("choose", "approve", "record_approval", "prepare", "crown", "revert")  # of `promote`, beside its stages


def _distinct(what: str, names: Sequence[str]) -> None:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{what}: {', '.join(twice)} twice")


class Part(BaseModel):
    """Base of all parts: unknown keys are errors, values do not change."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Schedule(Part):
    """When the ingest Dag runs. Data outside [start, end] do not exist, so nothing is scheduled for them."""

    cron: Cron = "@daily"
    start: date = Field(lt=date(2200, 1, 1))
    end: date | None = None

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> "Schedule":
        if self.end and self.end < self.start:
            raise ValueError(f"end {self.end} lies before start {self.start}")
        return self


class Source(Part):
    """One landed file per day, `<use case>/<name>/<YYYY-MM-DD>.csv` in the landing bucket.

    `every: snapshot` is a whole table that lands now and then: its absence on a day is no fault.
    """

    name: Name
    every: Literal["day", "snapshot"] = "day"
    contract: str = Field(description="class in contract.py that silver rows satisfy")
    null_values: tuple[str, ...] = ("", "NA")


class Quality(Part):
    """How many of a run's rows of one source may be quarantined before nothing is published."""

    quarantine_budget: Fraction = 0.05


class Online(Part):
    """The online table keeps `retention_days` of history (and always the newest row of a key)."""

    retention_days: int = Field(14, ge=1)


class Features(Part):
    """`lookback_days`: how far back history reaches. A run on a range also redoes that many days after it.

    `label_days`: on how many days after a request's own the facts land that make its label. A run on a range also
    redoes that many days before it.
    """

    lookback_days: int = Field(2, ge=0)
    label_days: int = Field(0, ge=0)
    online: Online = Online()


class Policy(Part):
    """When new gold data start a training run by themselves."""

    min_days: int = Field(ge=1, description="days of gold needed before the first training")
    every_days: int = Field(ge=1, description="new days of gold since the last trained version")


class Parameter(Part):
    """One tuned parameter, in SigOpt's words."""

    name: Name
    type: Literal["double", "int", "categorical"]
    bounds: dict[Literal["min", "max"], float] | None = None
    categorical_values: tuple[str, ...] | None = None
    transformation: Literal["log"] | None = None

    @model_validator(mode="after")
    def _says_its_values(self) -> "Parameter":
        if self.type == "categorical":
            if not self.categorical_values or self.bounds:
                raise ValueError(f"{self.name} is categorical: give categorical_values, and no bounds")
        elif not self.bounds or len(self.bounds) < 2 or self.bounds["min"] >= self.bounds["max"]:
            raise ValueError(f"{self.name} needs bounds: {{min: …, max: …}}, min below max")
        elif self.transformation and self.bounds["min"] <= 0:
            raise ValueError(f"{self.name}: only bounds above 0 have a log")
        return self


class Training(Part):
    """What a training run does unless its form says otherwise.

    The newest `holdout_days` of the window are never seen by tuning or fitting: gates judge on them. The
    `validation_days` before them score the trials; the final fit uses everything before the holdout.
    """

    policy: Policy
    window_days: int = Field(ge=2)
    holdout_days: int = Field(ge=1)
    validation_days: int = Field(ge=1)
    metric: Literal["auc"] = Field("auc", description="what tuning maximizes and gates judge")
    trials: int = Field(12, ge=1, le=500)
    parallelism: int = Field(2, ge=1, le=32)
    seed: int = Field(0, ge=0, le=2**31 - 1)
    parameters: tuple[Parameter, ...]
    fixed: dict[str, Any] = Field(default_factory=dict, description="parameters that are not tuned")

    @model_validator(mode="after")
    def _window_holds_its_parts(self) -> "Training":
        if self.holdout_days + self.validation_days >= self.window_days:
            raise ValueError("window_days must exceed holdout_days + validation_days")
        _distinct("parameters", [parameter.name for parameter in self.parameters])
        return self


class Slice(Part):
    """Per value of `by` with at least `min_rows` rows, the metric may fall at most `margin` below the reference."""

    by: Name
    margin: Fraction
    min_rows: int = Field(500, ge=1)


class Gates(Part):
    """What a version must show on the frozen holdout before it may be promoted."""

    floor: Fraction = Field(description="least value of the metric")
    confidence: float = Field(0.95, gt=0.5, lt=1)
    resamples: int = Field(1000, ge=100)
    champion_margin: Fraction = Field(0.0, description="how far the interval's lower end may lie below the champion")
    baseline_margin: Fraction = Field(0.01, description="how far the interval's lower end must lie above the baseline")
    slices: tuple[Slice, ...] = ()
    latency_p99_ms: float = Field(5.0, gt=0, description="features to answer, one row, one thread")


class Serving(Part):
    """What one serving pod may take; how many there are is said per stage."""

    memory: str = "512Mi"
    cpu: str = "500m"


class Stage(Part):
    """One place on the way to production: a namespace and an Argo CD Application."""

    name: Annotated[Name, Field(max_length=52, description="`flightline-<name>` is a namespace: 63 characters")]
    replicas: int = Field(1, ge=1)

    @property
    def namespace(self) -> str:
        """Its namespace in the cluster."""
        return f"flightline-{self.name.replace('_', '-')}"


class Promotion(Part):
    """The stages in order; the last one is production."""

    stages: tuple[Stage, ...] = (Stage(name="staging"), Stage(name="production", replicas=2))
    approval_hours: int = Field(24, ge=1, le=366 * 24)

    @model_validator(mode="after")
    def _stages_have_names_of_their_own(self) -> "Promotion":
        names = [stage.name for stage in self.stages]
        _distinct("stages", names)
        if not names or {*names} & {*TASKS}:
            raise ValueError(f"stages: at least one, and none named {', '.join(TASKS)}: {names}")
        return self


class UseCase(Part):
    """The whole spec (`use_case.yaml`)."""

    name: Name
    title: Line
    description: str
    owner: Line
    schedule: Schedule
    sources: tuple[Source, ...]
    quality: Quality = Quality()
    features: Features = Features()
    training: Training
    gates: Gates
    serving: Serving = Serving()
    promotion: Promotion = Promotion()

    @model_validator(mode="after")
    def _lands_daily(self) -> "UseCase":
        _distinct("sources", [source.name for source in self.sources])
        if not any(source.every == "day" for source in self.sources):
            raise ValueError("sources: at least one must land every day; its days are the days of features")
        return self

    @property
    def slug(self) -> str:
        """The name as Kubernetes, Argo CD and URLs want it."""
        return self.name.replace("_", "-")

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical spec, hex."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def source(self, name: str) -> Source:
        """The source of that name. Raises KeyError if there is none."""
        return {source.name: source for source in self.sources}[name]

    def application(self, stage: str) -> str:
        """Name of the Argo CD Application of a stage."""
        return f"{self.slug}-{stage.replace('_', '-')}"

    def table(self, layer: Literal["bronze", "silver", "quarantine"], source: str) -> str:
        """Iceberg identifier of a source's table in a layer."""
        return f"{layer}.{self.name}__{source}"

    @property
    def gold(self) -> str:
        """Iceberg identifier of the feature table."""
        return f"gold.{self.name}"
