"""The contract of the prediction log, derived from the use case: what a message must be that its serving wrote.

Which features a row has is not judged: two versions that answer side by side may differ in them, and a version brings
the code that knows its own. What was asked, the features and the answer are kept as JSON.
"""

from datetime import date
from typing import Annotated

import pandera.polars as pa
import polars as pl

from include.foundation.problem import kind
from include.foundation.spec import UseCase
from include.stages.quality import Contract

UTC = Annotated[pl.Datetime, "us", "UTC"]
OBJECT = r"^\{.*\}$"


def contract(spec: UseCase) -> Contract:
    """The contract of a use case's log. An answer is a number, or a list of them where the problem kind has classes."""
    answers = r"^\[.*\]$" if kind(spec.problem).output.per_class else r"^-?[0-9][-+.0-9eE]*$"

    class Predictions(pa.DataFrameModel):
        """One answered row. A version's row that is asked twice under one id is two rows; one message twice is one."""

        request_id: str = pa.Field(str_length={"min_value": 1, "max_value": 128})
        row: int = pa.Field(ge=0)
        use_case: str = pa.Field(isin=[spec.name])
        version: str
        model_digest: str = pa.Field(str_matches=r"^sha256:[0-9a-f]{64}$")
        stage: str
        scored_at: UTC
        record: str = pa.Field(nullable=True, str_matches=OBJECT)
        features: str = pa.Field(str_matches=OBJECT)
        answer: str = pa.Field(str_matches=answers)
        event_date: date

        class Config:
            """One row of a request, by one version."""

            unique = ("event_date", "request_id", "row", "version", "stage", "scored_at")

    return Contract.of(Predictions)
