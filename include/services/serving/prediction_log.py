"""The prediction log: each answered row as a message of a topic of Kafka, and nobody waits for it.

A message's key is the request's id, its value one JSON object (docs/ARCHITECTURE.md, Layouts). Messages go into a
buffer of a bounded size, which librdkafka empties from threads of its own. What does not fit, and what no broker took,
is dropped and counted: an answer is worth more than its record.
"""

import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import orjson
from confluent_kafka import KafkaError, KafkaException, Producer
from numpy.typing import NDArray

from include.foundation.artifact import Metadata, named
from include.foundation.echo import cause
from include.foundation.errors import InvalidInput
from include.services.serving.few import FEW
from include.services.serving.metrics import Metrics

log = logging.getLogger(__name__)
Setting = str | int | float | bool
BUFFER = 10_000  # messages that wait for a broker
REQUESTS = 16  # of many rows, that wait to become messages
BUFFER_KIB = 32 << 10
FLUSH_SECONDS = 4.0  # with the drain and the requests in flight within a pod's grace of 30 s
SAID_SECONDS = 60.0
REASONS = ("full", "refused", "undelivered")


class PredictionLog:
    """Writes the log of one serving process. To be used on one event loop.

    Args:
        settings: librdkafka's (`bootstrap.servers`, ...).
        topic: its name.
        about: `use_case`, `version`, `model_digest` and `stage`, which every message says.
        metadata: of the model file.
        metrics: counts what is logged and what is dropped.

    Raises:
        InvalidInput: librdkafka does not take the settings.
    """

    def __init__(
        self,
        settings: Mapping[str, Setting],
        *,
        topic: str,
        about: Mapping[str, str],
        metadata: Metadata,
        metrics: Metrics,
    ) -> None:
        self._topic, self._about, self._metadata = topic, about, metadata
        self._logged = metrics.predictions_logged
        self._dropped = {reason: metrics.predictions_dropped.labels(reason) for reason in REASONS}
        self._said: dict[object, float] = {}  # fault -> when it was said last
        own = {
            "queue.buffering.max.messages": BUFFER,
            "queue.buffering.max.kbytes": BUFFER_KIB,
            "linger.ms": 50,
            "compression.type": "lz4",
            "delivery.report.only.error": True,
            "on_delivery": self._undelivered,
            "error_cb": self._say,
            "log_level": 0,  # standard error is no JSON; `error_cb` says the same
        }
        try:
            self._producer = Producer({**settings, **own})
        except (KafkaException, TypeError, ValueError) as error:
            raise InvalidInput(f"FLIGHTLINE_KAFKA: librdkafka refuses the settings: {cause(error)}") from error
        metrics.prediction_log.set(1)
        metrics.predictions_waiting.set_function(lambda: len(self._producer))
        self._many = ThreadPoolExecutor(1, thread_name_prefix="prediction-log")
        self._room = threading.Semaphore(REQUESTS)
        self._closed = threading.Event()
        self._poll = threading.Thread(target=self._report, name="prediction-log-report", daemon=True)
        self._poll.start()

    def write(
        self,
        request_id: str,
        records: Sequence[Mapping[str, Any] | None],
        matrix: Iterable[NDArray[Any]],
        answers: Iterable[Any],
    ) -> None:
        """Log the rows of one answered request. Never waits and never raises.

        Args:
            request_id: the request's.
            records: per row what was asked; None of a tensor's row, which has no record.
            matrix: per row the encoded features, float32 [k].
            answers: per row the model's answer, a NumPy number or [classes].
        """
        row = (request_id, datetime.now(UTC), records, matrix, answers)
        if len(records) <= FEW:
            self._write(*row)
        elif self._room.acquire(blocking=False):  # many rows at once would hold up the other callers
            self._many.submit(self._write, *row).add_done_callback(lambda _: self._room.release())
        else:
            self._dropped["full"].inc(len(records))

    def close(self) -> None:
        """Bring what waits to the broker, once nothing is answered any more. Waits for `FLUSH_SECONDS` at most."""
        self._many.shutdown()
        left = self._producer.flush(FLUSH_SECONDS)
        self._closed.set()
        if left:
            self._dropped["undelivered"].inc(left)
            log.error("prediction log: %d predictions are lost, no broker took them in %s s", left, FLUSH_SECONDS)

    def _write(
        self,
        request_id: str,
        at: datetime,
        records: Sequence[Mapping[str, Any] | None],
        matrix: Iterable[NDArray[Any]],
        answers: Iterable[Any],
    ) -> None:
        said = {
            "request_id": request_id,
            **self._about,
            "scored_at": at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        }
        for row, (record, features, answer) in enumerate(zip(records, matrix, answers, strict=True)):
            try:
                message = {
                    **said,
                    "row": row,
                    "record": record,
                    "features": named(self._metadata, features),
                    "answer": answer.tolist(),
                }
                self._producer.produce(self._topic, key=request_id, value=orjson.dumps(message, default=str))
            except BufferError:
                self._dropped["full"].inc()
            except Exception as error:  # noqa: BLE001 - the caller has his answer, whatever became of its record
                self._dropped["refused"].inc()
                self._say(error)
            else:
                self._logged.inc()

    def _report(self) -> None:
        """Hear what became of messages: librdkafka tells it to whoever polls."""
        while not self._closed.is_set():
            self._producer.poll(0.5)

    def _undelivered(self, error: KafkaError | None, _message: object) -> None:
        if error is not None:
            self._dropped["undelivered"].inc()
            self._say(error)

    def _say(self, error: KafkaError | Exception) -> None:
        """Each kind of fault once in `SAID_SECONDS`: a broker that is down fails many times a second."""
        kind = error.code() if isinstance(error, KafkaError) else type(error)
        now = time.monotonic()
        if now - self._said.get(kind, -SAID_SECONDS) >= SAID_SECONDS:
            self._said[kind] = now
            log.warning("prediction log: %s", str(error)[:300])
