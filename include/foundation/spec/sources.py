"""Read by `stages/ingest`: what lands."""

from typing import Literal

from pydantic import Field

from include.foundation.spec.part import Name, Part


class Source(Part):
    """One landed file per day, `<use case>/<name>/<YYYY-MM-DD>.csv` in the landing bucket.

    `every: snapshot` is a whole table that lands now and then: its absence on a day is no fault.
    """

    name: Name
    every: Literal["day", "snapshot"] = "day"
    contract: str = Field(description="class in contract.py that silver rows satisfy")
    null_values: tuple[str, ...] = ("", "NA")
