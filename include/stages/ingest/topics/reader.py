"""Reading a topic of Kafka from given offsets on, with partitions assigned by hand: no group, no committed offsets."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from include.foundation.echo import cause
from include.foundation.errors import AccessRefused, InvalidInput, MissingInput, RetryableError, ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from confluent_kafka import Message

Setting = str | int | float | bool
ANSWER_SECONDS = 15.0
CALLBACKS = 10
GOING_ON_SECONDS = 1.0  # after which a topic that is written to all the time was read to its end
SILENCE_SECONDS = 60.0  # without a word of the broker, though there is more, or an end to be told
# The reader's own: where it reads is said by the lake, and so is what is done.
OWN: Mapping[str, Setting] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "error",
}
REFUSED = {
    KafkaError._AUTHENTICATION,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}
OUT_OF_RANGE = {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}


@dataclass(frozen=True)
class Gap:
    """Messages that the broker deleted before they were read: offsets `first` to `last` of a partition (`topic/0`)."""

    partition: str
    first: int
    last: int


class Reader:
    """A topic, read as far as it goes. Close it, or use it in a `with` block.

    Args:
        settings: librdkafka's (`bootstrap.servers`, `security.protocol`, `sasl.username`, ...).
        topic: its name.

    Raises:
        InvalidInput: librdkafka does not take the settings.
    """

    def __init__(self, settings: Mapping[str, Setting], topic: str) -> None:
        self._topic = topic
        self._servers = str(settings.get("bootstrap.servers", "no `bootstrap.servers`"))[:200]
        self._errors: deque[KafkaError] = deque(maxlen=100)
        self._left: dict[int, int] = {}  # partition -> where reading began, of those not read to their end
        self._began = 0.0
        ours = {"group.id": "flightline", **settings, **OWN, "error_cb": self._errors.append}
        try:
            self._consumer = Consumer(ours)
        except (KafkaException, TypeError, ValueError) as error:
            raise InvalidInput(f"Connection `kafka`: librdkafka refuses its extra: {cause(error)}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

    def ends(self) -> dict[str, int]:
        """Partition (such as `topic/0`) -> offset of the last message, where there is one, as far as the broker knows.

        Raises:
            ServiceUnavailable, AccessRefused, MissingInput: as `seek`.
        """
        return {
            f"{self._topic}/{number}": end - 1 for number in self._partitions() if (end := self._ends(number)[1]) > 0
        }

    def seek(self, after: Mapping[str, int]) -> list[Gap]:
        """Go behind these offsets; partitions that are not named are read from their first message on.

        Args:
            after: partition (such as `topic/0`) -> offset of the last message that was read.

        Returns:
            What the broker does not have any more of the messages that follow. Reading goes on behind them.

        Raises:
            ServiceUnavailable: no broker answers.
            AccessRefused: it refuses the credentials, or does not let them read the topic.
            MissingInput: there is no such topic.
            InvalidInput: the topic lacks a partition that was read before.
        """
        gaps, assigned = [], []
        self._left, self._began = {}, time.time()
        partitions = {f"{self._topic}/{number}": number for number in self._partitions()}
        if gone := [name for name in after if name.rpartition("/")[0] == self._topic and name not in partitions]:
            raise InvalidInput(f"there is no partition {gone[0]} any more: {_ANEW}")
        for name, partition in partitions.items():
            low, high = self._ends(partition)
            start = after[name] + 1 if name in after else low
            if start < low:
                gaps.append(Gap(name, start, low - 1))
                start = low
            # Where there is nothing, nothing is told. A broker may know less of its end than it gave out before, so
            # only reading shows whether the topic goes on where it should.
            if not low == start == high:
                self._left[partition] = start
            assigned.append(TopicPartition(self._topic, partition, start))
        self._consumer.assign(assigned)
        return gaps

    def read(self, most: int, most_bytes: int, seconds: float = SILENCE_SECONDS) -> list[Message]:
        """The next messages, of each partition in order; none where every partition was read to its end.

        A partition that is written to all the time has no end that reading comes to: it is where messages are younger
        than `seek`, by their own time.

        Args:
            most: so many at most.
            most_bytes: about so many bytes of values at most.
            seconds: about so long at most, if there are any.

        Raises:
            ServiceUnavailable: no broker answers, or it is silent.
            AccessRefused: see `seek`.
            RetryableError: the broker deleted messages that were about to be read.
            InvalidInput: the topic ends before the place where reading is to go on.
        """
        found: list[Message] = []
        size, began = 0, time.monotonic()
        heard = began
        while self._left and len(found) < most and size < most_bytes:
            if found and time.monotonic() - began > seconds:
                break
            goes_on = time.time() - self._began > GOING_ON_SECONDS
            for message in self._consumer.consume(min(most - len(found), 10_000), timeout=0.1):
                heard = time.monotonic()
                if (error := message.error()) is None:
                    found.append(message)
                    size += len(message.value() or b"")
                    if goes_on and message.timestamp()[1] >= self._began * 1000:
                        self._left.pop(message.partition() or 0, None)
                elif error.code() == KafkaError._PARTITION_EOF:
                    self._left.pop(message.partition() or 0, None)
                else:
                    self._refuse(error)
            if time.monotonic() - heard > SILENCE_SECONDS:
                self._refuse(None)
        return found

    def _partitions(self) -> list[int]:
        try:
            there = self._consumer.list_topics(self._topic, timeout=ANSWER_SECONDS).topics[self._topic]
        except KafkaException as error:
            self._refuse(error.args[0])
        if there.error is not None:
            self._refuse(there.error)
        return sorted(there.partitions)

    def _ends(self, partition: int) -> tuple[int, int]:
        """Offset of the first message, and the one behind the last, as far as the broker knows."""
        try:
            found: tuple[int, int] = self._consumer.get_watermark_offsets(
                TopicPartition(self._topic, partition), timeout=ANSWER_SECONDS
            )
        except KafkaException as error:
            self._refuse(error.args[0])
        return found

    def _lost_place(self) -> None:
        """Raise InvalidInput if a partition ends before the place where reading is to go on."""
        for partition, start in self._left.items():
            if start > (high := self._ends(partition)[1]):
                raise InvalidInput(
                    f"{self._topic}/{partition} ends at offset {high - 1}, and {start - 1} was read before: {_ANEW}"
                )

    def _refuse(self, error: KafkaError | None) -> NoReturn:
        """Raise what an error means, in the light of those that librdkafka told before."""
        for _ in range(CALLBACKS):  # librdkafka keeps what it has to tell until it is asked
            self._consumer.poll(0)
        said = [each for each in (error, *self._errors) if each is not None]
        for each in said:
            # A broker that goes away while it asks for credentials has refused none.
            if each.code() in REFUSED and "transport failure" not in each.str():
                raise AccessRefused(
                    f"{self._servers} refuses to let {self._topic} be read: {cause(_Said(each))}; mend the credentials"
                    " in the Connection `kafka`, or the topic's ACL"
                )
        if error is not None and error.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC):
            raise MissingInput(
                f"{self._servers} has no topic {self._topic} (yet): make it, or mend `topic` in the spec"
            )
        if error is None or error.code() in OUT_OF_RANGE:
            self._lost_place()
        if error is not None and error.code() in OUT_OF_RANGE:
            raise RetryableError(
                f"{self._topic}: the broker deleted messages while they were read; the retry notes which"
            )
        why = cause(_Said(said[-1])) if said else f"no message for {SILENCE_SECONDS:.0f} s, though there are more"
        raise ServiceUnavailable(f"{self._servers} does not let {self._topic} be read now: {why}")


class _Said(Exception):
    """An error's own words."""

    def __init__(self, error: KafkaError) -> None:
        super().__init__(error.str())


_ANEW = (
    "it was made anew or restored. Give the source another name in the spec; or, if its rows may go, drop its tables in"
    " bronze, quarantine and silver"
)
