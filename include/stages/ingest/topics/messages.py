"""Messages as rows of bronze: each one is a row, whatever it holds."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

from include.foundation.echo import quoted
from include.foundation.errors import InvalidInput
from include.stages.ingest import rows
from include.stages.ingest.formats import MESSAGES, POSITION, Columns
from include.stages.quality.contract import DAY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from confluent_kafka import Message

    from include.foundation.spec.topics import Topic
    from include.stages.ingest.formats.avro_message import Schemas

# Besides the columns of every source. The value is kept where it is no row, with the reason.
FAULT = "message_fault"
ADDED = pl.Schema(
    {"message_key": pl.Binary(), "message_headers": pl.String(), "message_value": pl.Binary(), FAULT: pl.String()}
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def schema(names: Sequence[str]) -> pl.Schema:
    """Bronze's columns.

    Args:
        names: the contract's names of the landed columns.

    Raises:
        InvalidInput: one of them is a column that every message has.
    """
    if taken := sorted({*ADDED} & {*names}):
        raise InvalidInput(f"the contract has a column {taken[0]}, which a topic adds: give it another under `columns`")
    return pl.Schema({**rows.schema(names), **ADDED})


def partition(topic: str, number: int) -> str:
    """What positions and `source_uri` call a partition."""
    return f"{topic}/{number}"


class Parser:
    """Messages of a source to a frame.

    Args:
        source: the source.
        names: the contract's names of the landed columns.
        schemas: where a format that needs them finds the schemas of messages.

    Raises:
        InvalidInput: the spec names a column that the contract does not have, or as the format says.
        AccessRefused, PermanentError, ServiceUnavailable: as `schemas` does; so does `frame`.
    """

    def __init__(self, source: Topic, names: Sequence[str], schemas: Schemas) -> None:
        self._source = source
        self._schema = schema(names)
        columns = Columns.of(source.as_lines(), names)
        self._format = MESSAGES[source.format.type](source, columns, schemas)
        if source.event_time is not None and source.event_time not in names:
            raise InvalidInput(
                f"source {source.name}: `event_time` {source.event_time!r} is no landed column of its contract"
            )

    def frame(self, messages: Sequence[Message], *, read_at: datetime) -> pl.DataFrame:
        """One row a message, in their order, as `schema` says.

        Args:
            messages: as the broker gave them, without errors.
            read_at: when that was: the moment from which the platform knew the rows.
        """
        values = [message.value() for message in messages]
        frame, found = self._format.frame(values)
        faults: list[str | None] = [None] * len(values)
        kept: list[bytes | None] = [None] * len(values)
        for place, fault in found.items():
            faults[place], kept[place] = fault, values[place]
        frame = frame.with_columns(
            pl.format(
                f"{self._source.topic}/{{}}", pl.Series([message.partition() for message in messages], dtype=pl.Int64)
            ).alias("source_uri"),
            pl.Series(POSITION, [message.offset() for message in messages], pl.Int64),
            pl.lit(read_at).dt.cast_time_unit("us").alias("ingested_at"),
            pl.Series("message_key", [message.key() for message in messages], pl.Binary),
            pl.Series("message_headers", [_headers(message) for message in messages], pl.String),
            pl.Series("message_value", kept, pl.Binary),
            pl.Series(FAULT, faults, pl.String),
            _days([message.timestamp()[1] for message in messages], read_at).alias("_own"),
        )
        return self._dated(frame).select(self._schema.names())

    def _dated(self, frame: pl.DataFrame) -> pl.DataFrame:
        """With the day of each row; where the event has none, that of the message."""
        if (name := self._source.event_time) is None:
            return frame.rename({"_own": DAY})
        # In one zone, so that the day is that of UTC; a moment without an offset has none.
        day = pl.col(name).str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False).dt.date()
        # Nobody knows of an event days before it: such a moment is wrong, and would make a day of its own.
        sound = day.is_between(pl.lit(EPOCH.date()), pl.col("_own") + timedelta(days=1)).fill_null(value=False)
        frame = frame.with_columns(pl.when(sound).then(day).otherwise(pl.col("_own")).alias(DAY), _sound=sound)
        faults = {
            index: f"{name}: {quoted(frame[name][index])} is no moment (ISO 8601, with an offset) up to a day after the"
            " message's own"
            for index in frame.select(pl.col(FAULT).is_null() & ~pl.col("_sound")).to_series().arg_true()
        }
        return frame.with_columns(frame[FAULT].scatter([*faults], [*faults.values()])) if faults else frame


def _headers(message: Message) -> str | None:
    """The headers as JSON, in their order; bytes that are not UTF-8 escaped."""
    headers: Sequence[tuple[str, str | bytes | None]] | None = message.headers()  # type: ignore[assignment]
    if not headers:
        return None
    return json.dumps([[key, None if value is None else _text(value)] for key, value in headers])


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "backslashreplace")


def _days(milliseconds: Sequence[int], read_at: datetime) -> pl.Series:
    """The days (UTC) of messages by their own times; that of reading where one has none or one that cannot be."""
    latest = int((read_at + timedelta(days=1)).timestamp() * 1000)
    found = pl.Series(milliseconds, dtype=pl.Int64)
    day = pl.from_epoch(found.clip(0, latest), time_unit="ms").dt.date()
    return day.zip_with(found.is_between(1, latest), pl.repeat(read_at.date(), len(day), dtype=pl.Date, eager=True))
