"""No row lost, none doubled: landed rows are silver rows plus quarantined rows, per source and day."""

from collections.abc import Collection
from datetime import date

from include.errors import PermanentError
from include.lake import Lake, tables
from include.spec import UseCase


def reconcile(lake: Lake, spec: UseCase, days: Collection[date]) -> dict[str, dict[str, int]]:
    """Compare the tables' row counts, from metadata alone.

    Returns:
        Rows per source: `landed` (bronze), `silver`, `quarantined`.

    Raises:
        PermanentError: they do not add up; the message names source, day and counts. A new run on the day mends it.
    """
    totals: dict[str, dict[str, int]] = {}
    faults = []
    for source in spec.sources:
        bronze, silver, quarantine = (
            tables.counts(lake, spec.table(layer, source.name), start=min(days), end=max(days))
            for layer in ("bronze", "silver", "quarantine")
        )
        totals[source.name] = {
            "landed": sum(bronze.get(day, 0) for day in days),
            "silver": sum(silver.get(day, 0) for day in days),
            "quarantined": sum(quarantine.get(day, 0) for day in days),
        }
        faults += [
            f"{source.name} {day}: {bronze.get(day, 0)} landed, {silver.get(day, 0)} in silver,"
            f" {quarantine.get(day, 0)} in quarantine"
            for day in sorted(days)
            if bronze.get(day, 0) != silver.get(day, 0) + quarantine.get(day, 0)
        ]
    if faults:
        raise PermanentError(f"{spec.name}: rows do not add up: {'; '.join(faults[:5])} ({len(faults)} in all)")
    return totals
