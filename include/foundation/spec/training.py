"""Read by `stages/training` and `stages/tuning`: on what, how long and with what a model is trained."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from include.foundation.spec.part import LONGEST, Line, Name, Part, distinct

ParameterName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=63)]
Scalar = bool | int | float | Annotated[str, Field(max_length=200)]


class Policy(Part):
    """When new gold data start a training run by themselves."""

    min_days: int = Field(ge=1, description="days of gold needed before the first training")
    every_days: int = Field(ge=1, description="new days of gold since the last trained version")


class Parameter(Part):
    """One tuned parameter, in SigOpt's words; what the tuning service would refuse is refused here."""

    name: ParameterName
    type: Literal["double", "int", "categorical"]
    bounds: dict[Literal["min", "max"], float] | None = None
    categorical_values: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] | None = Field(
        None, max_length=200
    )
    transformation: Literal["log"] | None = None

    @model_validator(mode="after")
    def _says_its_values(self) -> "Parameter":
        if self.type == "categorical":
            if not self.categorical_values or self.bounds or self.transformation:
                raise ValueError(
                    f"{self.name} is categorical: give categorical_values, and no bounds or transformation"
                )
            distinct(f"{self.name}: categorical_values", self.categorical_values)
            if len(self.categorical_values) < 2:
                raise ValueError(f"{self.name} has one value only: say it in training.fixed")
            return self
        if self.categorical_values:
            raise ValueError(f"{self.name} is a number: give bounds, and no categorical_values")
        if not self.bounds or len(self.bounds) < 2 or self.bounds["min"] >= self.bounds["max"]:
            raise ValueError(f"{self.name} needs bounds: {{min: …, max: …}}, min below max")
        if self.type == "int":
            if any(bound != int(bound) or abs(bound) > 2**31 - 1 for bound in self.bounds.values()):
                raise ValueError(f"{self.name} is an int: its bounds must be whole numbers of 32 bits")
            if self.transformation:
                raise ValueError(f"{self.name} is an int: only a double may have a transformation")
        elif self.transformation and self.bounds["min"] <= 0:
            raise ValueError(f"{self.name}: only bounds above 0 have a log")
        return self


class Challenger(Part):
    """Another model of the use case: a module of its folder with `model.py`'s functions, fitted with `fixed`."""

    name: Name
    fixed: dict[ParameterName, Scalar | tuple[Scalar, ...]] = Field(default_factory=dict)


class Training(Part):
    """What a training run does unless its form says otherwise.

    The newest `holdout_days` of the window are never seen by tuning or fitting: gates judge on them. The
    `validation_days` before them score the trials; the final fit uses everything before the holdout.
    """

    policy: Policy
    backend: Name = Field(
        "pods", description="the system that the jobs of training run on, a member of `plugins/flightline/backends`"
    )
    runtime: Name = Field(
        "trainer",
        description="whose libraries fit: an environment (`requirements/<runtime>.in`) with a pod template of its name "
        "in each profile of `deploy/pods`",
    )
    one_job: bool = Field(
        False,
        description="trials, fit, registration and gate are one job, not a job each: on Kubeflow one pipeline of them, "
        "elsewhere one container that does them in turn",
    )
    pool: Line = Field(
        "default_pool",
        description="Airflow's pool in which the jobs of training wait for their turn, such as one with a slot a GPU",
    )
    window_days: int = Field(
        ge=3,
        le=LONGEST,
        title="Window",
        description="Days to learn from and to judge on: the newest are the holdout.",
    )
    max_rows: int | None = Field(
        None,
        ge=1000,
        description="rows that a model learns from at most: of more before the holdout a sample by the hash of `id` is "
        "taken, for trials too; gates judge on the whole holdout. Without it all are in memory",
    )
    holdout_days: int = Field(ge=1)
    validation_days: int = Field(ge=1)
    metric: str = Field("", description="what tuning optimizes and gates judge; the problem's first if none is named")
    trials: int = Field(
        12, ge=1, le=500, title="Trials", description="1 to 500: how many sets of parameters are tried."
    )
    parallelism: int = Field(2, ge=1, le=32, title="Workers", description="1 to 32 pods share the trials.")
    seed: int = Field(
        0,
        ge=0,
        le=2**31 - 1,
        title="Seed",
        description="Of every random choice: the same seed on the same input gives the same trials.",
    )
    parameters: tuple[Parameter, ...] = Field(min_length=1, max_length=50)
    fixed: dict[ParameterName, Scalar | tuple[Scalar, ...]] = Field(
        default_factory=dict, description="parameters that are not tuned"
    )

    models: tuple[Challenger, ...] = Field(
        (), max_length=10, description="challengers of `model.py`: the one that is best on validation goes on"
    )

    @model_validator(mode="after")
    def _window_holds_its_parts(self) -> "Training":
        if self.holdout_days + self.validation_days >= self.window_days:
            raise ValueError("window_days must exceed holdout_days + validation_days")
        names = [parameter.name for parameter in self.parameters]
        distinct("parameters", names)
        distinct("models", ["model", *(model.name for model in self.models)])
        if both := {*names} & {*self.fixed}:
            raise ValueError(f"{', '.join(sorted(both))}: either tuned (parameters) or fixed, not both")
        return self
