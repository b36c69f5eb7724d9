"""`quarantine.gaps`: messages that a broker deleted before they were read. They are lost, and it is said where."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from include.foundation.errors import MissingInput, Superseded
from include.foundation.lake import tables
from include.foundation.lake.change import Append
from include.foundation.lake.commit import TableWriter
from include.foundation.lake.commit_log import positions
from include.foundation.spec.topics import GAPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.foundation.lake import Lake
    from include.foundation.spec import UseCase
    from include.foundation.spec.topics import Topic
    from include.stages.ingest.topics.reader import Gap

SCHEMA = pl.Schema(
    {
        "event_date": pl.Date(),  # when it was found: when the messages were of is not known any more
        "found_at": pl.Datetime("us", "UTC"),
        "use_case": pl.String(),
        "source": pl.String(),
        "source_uri": pl.String(),
        "first_position": pl.Int64(),
        "last_position": pl.Int64(),
        "run_id": pl.String(),
    }
)


def note(lake: Lake, spec: UseCase, source: Topic, found: Sequence[Gap], *, run_id: str) -> None:
    """Note gaps, each once: also when a run is cut off and repeated, or two runs find it."""
    for gap in found:
        while True:
            # The table's own positions say which gaps it knows.
            name = f"{spec.name}/{source.name}/{gap.partition}"
            known = _known(lake).get(name)
            if known is not None and known >= gap.last:
                break
            change = Append(positions={name: gap.last}, after={} if known is None else {name: known})
            now = datetime.now(UTC)
            row = (now.date(), now, spec.name, source.name, gap.partition, gap.first, gap.last, run_id)
            writer = TableWriter(lake, GAPS, schema=SCHEMA, change=change)
            try:
                writer.write(pl.DataFrame([row], schema=SCHEMA, orient="row"))
                writer.commit({"run_id": run_id})
            except Superseded:
                continue
            finally:
                writer.discard()
            break


def _known(lake: Lake) -> dict[str, int]:
    try:
        return positions(tables.load(lake, GAPS))
    except MissingInput:
        return {}
