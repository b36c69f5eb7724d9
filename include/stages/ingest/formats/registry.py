"""Which formats there are, by the spec's `format.type`: of files, and of messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.stages.ingest.formats.csv_file import CsvFile
from include.stages.ingest.formats.json_lines import JsonLinesFile
from include.stages.ingest.formats.json_message import JsonMessage
from include.stages.ingest.formats.parquet_file import ParquetFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from include.foundation.spec.topics import Topic
    from include.stages.ingest.formats.avro_message import Schemas
    from include.stages.ingest.formats.format import Columns, Format, MessageFormat

FORMATS: Mapping[str, Format] = {"csv": CsvFile(), "jsonl": JsonLinesFile(), "parquet": ParquetFile()}


def _json(source: Topic, columns: Columns, _schemas: Schemas) -> MessageFormat:
    return JsonMessage(columns, nested=source.nested == "text")


def _avro(source: Topic, columns: Columns, schemas: Schemas) -> MessageFormat:
    from include.stages.ingest.formats.avro_message import AvroMessage

    read_as = source.format.read_as if source.format.type == "avro" else None
    return AvroMessage(columns, schemas, read_as=read_as, nested=source.nested == "text")


# Of a source, its columns and where schemas are; raises what the format's reader does.
MESSAGES: Mapping[str, Callable[[Topic, Columns, Schemas], MessageFormat]] = {"json": _json, "avro": _avro}
