"""Read by `dags/ingest.py` and `flightline.period`: when data are ingested."""

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from include.foundation.spec import cron
from include.foundation.spec.part import Part

Cron = Annotated[str, AfterValidator(cron.check)]


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
