"""Read by `stages/gates`: what a version must show."""

from pydantic import Field

from include.foundation.spec.part import Margin, Name, Part


class Slice(Part):
    """Per value of `by` with at least `min_rows` rows, it may be `margin` worse than the reference at most."""

    by: Name
    margin: Margin
    min_rows: int = Field(500, ge=1)


class Gates(Part):
    """What a version must show on the frozen holdout before it may be promoted. Margins are in the metric's unit."""

    floor: float = Field(description="worst value of the metric that may pass: the least, or the most of an error")
    confidence: float = Field(0.95, gt=0.5, lt=1)
    resamples: int = Field(1000, ge=100, le=100_000)
    champion_margin: Margin = Field(0.0, description="how far the gain's lower end may lie below the champion")
    baseline_margin: Margin = Field(0.01, description="how far the gain's lower end must lie above the baseline")
    slices: tuple[Slice, ...] = ()
    latency_p99_ms: float = Field(5.0, gt=0, description="features to answer, one row, one thread")
