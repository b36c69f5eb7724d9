"""Formats of landed files: each reads a stream into frames of text, a bounded number of bytes at a time."""

from include.stages.ingest.formats.format import POSITION, Columns, Format
from include.stages.ingest.formats.registry import FORMATS

__all__ = ["FORMATS", "POSITION", "Columns", "Format"]
