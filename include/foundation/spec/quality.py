"""Read by `stages/ingest`: how much may fail the contract, and how unlike the days before it a day may be."""

from pydantic import Field, model_validator

from include.foundation.spec.part import Fraction, Name, Part


class Levels(Part):
    """Above `warn` it is said, above `stop` nothing is published; 1 is never reached."""

    warn: Fraction
    stop: Fraction

    @model_validator(mode="after")
    def _warns_before_it_stops(self) -> "Levels":
        if self.warn > self.stop:
            raise ValueError(f"warn {self.warn} lies above stop {self.stop}")
        return self


class Daily(Part):
    """A day against the median of the days of `weeks` before it, once there are `min_days` of them.

    `rows`: by which share of the larger number the day's rows differ. `nulls`: by how much the share of rows without a
    value in a column has risen. `new_values`: which share of the rows has a value, in a column of texts or whole
    numbers, that none of the days before has.
    """

    weeks: int = Field(4, ge=1, le=53)
    min_days: int = Field(7, ge=1)
    rows: Levels = Levels(warn=0.3, stop=0.45)
    nulls: Levels = Levels(warn=0.5, stop=0.8)
    new_values: dict[Name, dict[str, Levels]] = Field(
        default_factory=dict, description="source -> column -> levels; of sources whose files land every day or hour"
    )


class Quality(Part):
    """How many of a run's rows of one source may be quarantined before nothing is published; what a day must be."""

    quarantine_budget: Fraction = 0.05
    daily: Daily = Daily()
