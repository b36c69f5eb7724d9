"""Read by `stages/training` and `stages/tuning`: on what, how long and with what a model is trained."""

from typing import Any, Literal

from pydantic import Field, model_validator

from include.foundation.spec.part import Name, Part, distinct


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
    metric: str = Field("", description="what tuning optimizes and gates judge; the problem's first if none is named")
    trials: int = Field(12, ge=1, le=500)
    parallelism: int = Field(2, ge=1, le=32)
    seed: int = Field(0, ge=0, le=2**31 - 1)
    parameters: tuple[Parameter, ...]
    fixed: dict[str, Any] = Field(default_factory=dict, description="parameters that are not tuned")

    @model_validator(mode="after")
    def _window_holds_its_parts(self) -> "Training":
        if self.holdout_days + self.validation_days >= self.window_days:
            raise ValueError("window_days must exceed holdout_days + validation_days")
        distinct("parameters", [parameter.name for parameter in self.parameters])
        return self
