"""Times as the API writes them: RFC 3339 in UTC, to the second (`Time`) or to the microsecond (log lines)."""

import time
from datetime import UTC, datetime


def now() -> str:
    """The present, to the second."""
    return text(time.time())


def text(seconds: float) -> str:
    """Seconds since the epoch as `2026-01-31T23:59:59Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse(stamp: str) -> float:
    """Seconds since the epoch.

    Raises:
        ValueError: the text is not RFC 3339.
    """
    return datetime.fromisoformat(stamp).timestamp()
