"""What all sections of a spec are made of: the base of their parts, and the types of more than one section."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
Margin = Annotated[float, Field(ge=0, allow_inf_nan=False)]  # in a metric's unit
# Single underscores only: `__` parts use case and source in a table's name, and no DNS name ends in one.
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$", max_length=63)]
# One line, and nothing that Airflow would take for a template.
Line = Annotated[str, Field(pattern=r"^[^[:cntrl:]{}]+$", max_length=200)]

LONGEST = 36_500  # days that a length of time may have


class Part(BaseModel):
    """Base of all parts: unknown keys are errors, values do not change."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def distinct(what: str, names: Sequence[str]) -> None:
    """Raise ValueError if one of the names comes twice."""
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{what}: {', '.join(twice)} twice")
