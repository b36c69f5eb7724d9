"""Read by `stages/features`: how far features and labels reach."""

from pydantic import Field

from include.foundation.spec.part import LONGEST, Part


class Online(Part):
    """The online table keeps `retention_days` of history (and always the newest row of a key)."""

    retention_days: int = Field(14, ge=1, le=LONGEST)


class Features(Part):
    """`lookback_days`: how far back history reaches. A run on a range also redoes that many days after it.

    `label_days`: on how many days after a request's own the facts land that make its label. A run on a range also
    redoes that many days before it.
    """

    lookback_days: int = Field(2, ge=0, le=LONGEST)
    label_days: int = Field(0, ge=0, le=LONGEST)
    late_hours: int | None = Field(
        None,
        ge=0,
        le=LONGEST,
        description="a row sees no earlier day of files that landed more than so many hours after the row's own day"
        " had; without it a fact counts from its own moment, whenever it landed",
    )
    online: Online = Online()
