"""Log lines as JSON, one object a line, on standard output."""

import logging
import sys
from datetime import UTC, datetime

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


def configure(*, access: bool) -> None:
    """Send every logger's INFO and above to standard output; the access log only if `access`."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("include.serving.asgi.access").setLevel(logging.INFO if access else logging.WARNING)
    logging.getLogger("botocore").setLevel(logging.WARNING)
