"""Read by `stages/gates`: what a version must show."""

from pydantic import Field

from include.foundation.spec.part import Fraction, Name, Part


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
