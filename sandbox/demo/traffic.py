"""Clients that ask an endpoint all the time, and count what comes back."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from itertools import count
from types import TracebackType
from typing import Any, Self

import httpx

CLIENTS = 4
PAUSE_SECONDS = 0.1


class Traffic:
    """One record a request, each client after its last answer and a pause; ended by leaving the `with` block.

    Attributes:
        versions: answers by the version that gave them.
        failed: what else came, by what it was.
    """

    def __init__(self, url: str, name: str, records: Sequence[dict[str, Any]]) -> None:
        self.versions: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self._url = f"{url}/v1/models/{name}/predict"
        self._records, self._place, self._end = records, count(), threading.Event()
        self._clients = [threading.Thread(target=self._ask, daemon=True) for _ in range(CLIENTS)]

    def __enter__(self) -> Self:
        for client in self._clients:
            client.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        for client in self._clients:
            client.join(timeout=60)

    def __str__(self) -> str:
        """For people."""
        by = ", ".join(f"{number:,} by version {version}" for version, number in sorted(self.versions.items()))
        return f"{sum(self.versions.values()):,} requests answered ({by}), {sum(self.failed.values())} failed"

    def _ask(self) -> None:
        with httpx.Client(timeout=30) as http:
            while not self._end.is_set():
                record = self._records[next(self._place) % len(self._records)]
                try:
                    answer = http.post(self._url, json={"records": [record]})
                    if answer.is_success:
                        self.versions[answer.json()[0]["model"]["version"]] += 1
                    else:
                        self.failed[str(answer.status_code)] += 1
                except httpx.HTTPError as error:
                    self.failed[type(error).__name__] += 1
                time.sleep(PAUSE_SECONDS)
