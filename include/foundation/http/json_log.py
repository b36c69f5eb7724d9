"""Log lines as JSON, one object a line, on standard output."""

import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import BinaryIO, TextIO

import orjson


class JsonFormatter(logging.Formatter):
    """Time, level, logger, message, the record's `fields` and, if there is one, the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


class AccessLog:
    """One line a request. Not a logger: one would cost as much as scoring the row.

    Args:
        stream: where to; None says nothing.
    """

    def __init__(self, stream: BinaryIO | None) -> None:
        self._stream = stream

    def write(self, fields: Mapping[str, str | float]) -> None:
        """Write a line with the time and `fields`."""
        if self._stream:
            line = {"time": datetime.now(UTC), "level": "info", "logger": "access", **fields}
            self._stream.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
            self._stream.flush()


def configure(stream: TextIO | None = None) -> None:
    """Send every logger's INFO and above to standard output, or another stream."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("botocore").setLevel(logging.WARNING)
