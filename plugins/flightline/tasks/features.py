"""Tasks of `<use case>.features`."""

from collections.abc import Mapping
from typing import Any

from airflow.sdk import task

from flightline import period
from flightline.failing import failing_fast
from include.spec import load


@task
@failing_fast
def span(use_case: str, params: Mapping[str, Any], partition_key: str | None = None) -> dict[str, str]:
    """First and last day of the run: of its form, else its month."""
    start, end = period.requested(params, load(use_case), month=partition_key)
    return {"start": start.isoformat(), "end": end.isoformat()}
