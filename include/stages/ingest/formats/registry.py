"""Which formats there are, by the spec's `format.type`."""

from collections.abc import Mapping

from include.stages.ingest.formats.csv_file import CsvFile
from include.stages.ingest.formats.format import Format
from include.stages.ingest.formats.json_lines import JsonLinesFile
from include.stages.ingest.formats.parquet_file import ParquetFile

FORMATS: Mapping[str, Format] = {"csv": CsvFile(), "jsonl": JsonLinesFile(), "parquet": ParquetFile()}
