"""Tasks of `platform.maintain`."""

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk import task

from flightline import notes
from flightline.failing import failing_fast
from include.foundation.spec import load_all

log = logging.getLogger(__name__)


@task
@failing_fast
def tables() -> list[str]:
    """The tables of all use cases that exist."""
    from flightline.hooks.lake import LakeHook
    from include.stages.maintenance.maintain import existing

    found = existing(LakeHook().lake, load_all())
    log.info("%d tables", len(found))
    return found


@task(map_index_template="{{ table }}")
@failing_fast
def maintain(table: str, params: Mapping[str, Any], ti: Any = None) -> dict[str, Any]:
    """Merge small files, expire snapshots and delete orphans of one table; its rows stay as they are.

    Raises:
        AirflowFailException: another program changed the table's layout, or rows are not as before.
    """
    from airflow.sdk import get_current_context

    from flightline.hooks.lake import LakeHook
    from include.stages.maintenance.maintain import maintain as upkeep

    get_current_context()["table"] = table  # type: ignore[typeddict-unknown-key]
    done = upkeep(
        LakeHook().lake,
        table,
        keep=timedelta(days=params["keep_days"]),
        orphan_age=timedelta(days=params["orphan_days"]),
        min_files=params["min_files"],
        dry_run=params["dry_run"],
    )
    notes.say(
        ti,
        "%s: %d rows; %s %d small files merged, %d snapshots expired, %d orphans deleted",
        *(table, done.rows, "in a dry run:" if done.dry_run else "done:", done.merged, done.expired, done.orphans),
    )
    for file in done.examples:
        log.info("orphan %s", file)
    return done.model_dump(mode="json")
