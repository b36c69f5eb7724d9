"""Messages to bronze: each micro-batch is one commit, whose summary says up to which offsets it goes.

Nothing else says how far a topic was read, so a batch and its offsets are there together or not at all: no message is
lost and none comes twice, wherever a run is cut off and however many runs there are at once.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from include.foundation.errors import MissingInput, Superseded
from include.foundation.lake import tables
from include.foundation.lake.change import Append
from include.foundation.lake.commit import TableWriter
from include.foundation.lake.commit_log import positions
from include.stages.ingest.contracts import contract_of
from include.stages.ingest.topics import gaps
from include.stages.ingest.topics.messages import Parser, partition, schema
from include.stages.ingest.topics.reader import Reader
from include.stages.ingest.topics.schema_registry import SchemaRegistry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from include.foundation.lake import Lake
    from include.foundation.spec import UseCase
    from include.foundation.spec.topics import Topic
    from include.stages.ingest.topics.reader import Gap, Setting

BATCH = 100_000  # messages of one commit
BATCH_BYTES = 64 << 20
BATCH_SECONDS = 30.0
MOST = 20_000_000  # messages of one run; the next run goes on
MOST_SECONDS = 1800.0


def consume(
    lake: Lake,
    spec: UseCase,
    source: Topic,
    settings: Mapping[str, Setting],
    *,
    run_id: str,
    batch: int = BATCH,
    registry: Mapping[str, Setting] = MappingProxyType({}),
) -> tuple[int, list[Gap]]:
    """Read a topic from where bronze ends to its own end.

    Args:
        lake: the lake.
        spec: the use case.
        source: its source.
        settings: of the broker, as `Reader` takes them.
        run_id: the run, as people look it up.
        batch: messages of one commit.
        registry: settings of the schema registry, as `SchemaRegistry` takes them.

    Returns:
        How many messages this run committed; and what the broker had deleted before, noted in `quarantine.gaps`.

    Raises:
        InvalidInput: the contract and the source do not fit each other, the settings are wrong, or the topic is not the
            one that was read before.
        AccessRefused, MissingInput, RetryableError, ServiceUnavailable: as `Reader.seek`, `Reader.read` and
            `SchemaRegistry.by_id` do.
    """
    contract = contract_of(spec, source.contract)
    parser, bronze = Parser(source, contract.landed, SchemaRegistry(registry)), spec.table("bronze", source.name)
    taken, until = 0, time.monotonic() + MOST_SECONDS
    lost: list[Gap] = []
    while True:
        after = read_up_to(lake, bronze)
        with Reader(settings, source.topic) as reader:
            found = reader.seek(after)
            gaps.note(lake, spec, source, found, run_id=run_id)
            lost += found
            try:
                while taken < MOST and time.monotonic() < until:
                    if not (messages := reader.read(batch, BATCH_BYTES, BATCH_SECONDS)):
                        break
                    ends = {partition(source.topic, m.partition() or 0): m.offset() or 0 for m in messages}
                    change = Append(positions=ends, after=after)
                    writer = TableWriter(lake, bronze, schema=schema(contract.landed), change=change)
                    try:
                        writer.write(parser.frame(messages, read_at=datetime.now(UTC)))
                        writer.commit({"run_id": run_id, "landed": str(len(messages))})
                    finally:
                        writer.discard()
                    after |= ends
                    taken += len(messages)
            except Superseded:  # another run was faster: go on where it ends
                continue
        return taken, lost


def read_up_to(lake: Lake, bronze: str) -> dict[str, int]:
    """Per partition the offset of the last message in bronze."""
    try:
        return positions(tables.load(lake, bronze))
    except MissingInput:
        return {}
