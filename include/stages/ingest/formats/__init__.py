"""Formats of landed files, read into frames of text a bounded number of bytes at a time; and of messages."""

from include.stages.ingest.formats.format import POSITION, Columns, Format, MessageFormat, NoRows
from include.stages.ingest.formats.registry import FORMATS, MESSAGES

__all__ = ["FORMATS", "MESSAGES", "POSITION", "Columns", "Format", "MessageFormat", "NoRows"]
