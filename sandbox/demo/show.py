"""What the demo prints while it runs."""

import sys
import time
from collections.abc import Sequence
from typing import Any

STILL_SECONDS = 15


class Show:
    """Prints each step once, with the seconds since the start."""

    def __init__(self) -> None:
        self._start = self._last = time.monotonic()
        self._seen: set[tuple[Any, ...]] = set()

    def say(self, text: str) -> None:
        """A line of progress."""
        self._last = time.monotonic()
        sys.stdout.write(f"{self._last - self._start:6.1f} s  {text}\n")
        sys.stdout.flush()

    def still(self, busy: Sequence[str]) -> None:
        """What is being waited for, when nothing was said for a while."""
        if busy and time.monotonic() - self._last > STILL_SECONDS:
            self.say(f"  still running: {', '.join(busy)}")

    def task(self, dag_id: str, run: dict[str, Any], task: dict[str, Any]) -> None:
        """A task instance that has ended, once."""
        key = (dag_id, run["dag_run_id"], task["task_id"], task["map_index"], task["try_number"], task["state"])
        if task["state"] in {"success", "failed", "upstream_failed", "up_for_retry"} and key not in self._seen:
            self._seen.add(key)
            part = f" {run['partition_key']}" if run.get("partition_key") else ""
            number = f"[{task['map_index']}]" if task["map_index"] >= 0 else ""
            self.say(f"{dag_id}{part}: {task['task_id']}{number} {task['state']} ({task['duration'] or 0:.1f} s)")
