"""Read by `stages/monitoring`: how a champion is watched, and what must be shown before it is trained again."""

from pydantic import Field, model_validator

from include.foundation.spec.part import LONGEST, Margin, Part

SIGNALS = ("performance", "features", "answers", "age")  # of what may not be ordinary in a window


class Retraining(Part):
    """When drift starts a training run. All of it must hold: signals, a pause since the last one, budget, and gain."""

    windows: int = Field(3, ge=1, le=100, description="windows that are looked at, the latest among them")
    signals: int = Field(2, ge=1, le=100, description="of these, how many must show a signal, the latest among them")
    pause_days: int = Field(28, ge=0, le=LONGEST, description="days after a training in which there is no other")
    per_year: int = Field(6, ge=0, le=366, description="trainings in 365 days after which drift starts no more")
    margin: Margin = Field(
        0.0, description="how far the lower end of the challenger's gain must lie above the champion"
    )
    confidence: float = Field(0.9, gt=0.5, lt=1, description="of the interval of that gain, two-sided")

    @model_validator(mode="after")
    def _signals_fit(self) -> "Retraining":
        if self.signals > self.windows:
            raise ValueError(f"signals: {self.signals} of {self.windows} windows cannot be")
        return self


class Monitoring(Part):
    """How the champion is watched on what arrives after its training."""

    window_days: int = Field(
        7,
        ge=1,
        le=LONGEST,
        description="days of one window: whole weeks, where days of the week differ; by default a third of the holdout,"
        " a week at most",
    )
    compare_days: int = Field(28, ge=1, le=LONGEST, description="newest days on which a challenger is compared")
    sigmas: float = Field(3.0, gt=0, le=10, description="how unusual a window is that shows a signal")
    features_share: float = Field(0.3, gt=0, le=1, description="share of the features that must have drifted")
    max_age_days: int = Field(
        28,
        ge=1,
        le=LONGEST,
        description="an older champion is a signal by itself: what no detector sees is asked about",
    )
    late_hours: int = Field(
        36, ge=1, le=LONGEST, description="how far gold's end may lie behind, before its owner is told"
    )
    run_hours: int = Field(
        6, ge=1, le=LONGEST, description="how long a run of ingest or features may take, before its owner is told"
    )
    retraining: Retraining = Retraining()
