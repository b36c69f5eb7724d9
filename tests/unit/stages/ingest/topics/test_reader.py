"""What a topic cannot give has a name, and the remedy is said."""

import pytest
from confluent_kafka import KafkaError

from include.foundation.errors import AccessRefused, InvalidInput, RetryableError, ServiceUnavailable
from include.stages.ingest.topics import reader
from include.stages.ingest.topics.reader import Reader


def test_messages_come_in_order_from_behind_the_offsets(broker):
    broker.send("reader-a", *({"n": n} for n in range(10)))
    with Reader(broker.settings, "reader-a") as one:
        assert one.seek({"reader-a/0": 3, "other/0": 99}) == []
        assert [message.offset() for message in one.read(4, 1 << 20)] == [4, 5, 6, 7]
        assert [message.offset() for message in one.read(4, 1 << 20)] == [8, 9]
        assert one.read(4, 1 << 20) == []


def test_a_batch_ends_with_its_bytes(broker):
    broker.send("reader-b", *(b"x" * 1000 for _ in range(50)))
    with Reader(broker.settings, "reader-b") as one:
        one.seek({})
        assert 1 <= len(one.read(1000, 1)) <= 50


def test_a_broker_that_does_not_answer_is_an_outage(monkeypatch):
    monkeypatch.setattr(reader, "ANSWER_SECONDS", 0.5)
    with (
        Reader({"bootstrap.servers": "127.0.0.1:1", "log_level": 0}, "t") as one,
        pytest.raises(ServiceUnavailable, match=r"127.0.0.1:1 does not let t be read now: "),
    ):
        one.seek({})


def test_settings_that_librdkafka_does_not_take_are_named():
    with pytest.raises(InvalidInput, match=r"Connection `kafka`: librdkafka refuses its extra: .*no.such.setting"):
        Reader({"bootstrap.servers": "x", "no.such.setting": "1"}, "t")


def test_a_topic_that_was_made_anew_is_not_taken_for_its_end(broker, monkeypatch):
    monkeypatch.setattr(reader, "SILENCE_SECONDS", 2.0)
    broker.send("reader-c", {"n": 1})
    with Reader(broker.settings, "reader-c") as one:
        one.seek({"reader-c/0": 99})
        with pytest.raises(
            InvalidInput, match=r"reader-c/0 ends at offset 0, and 99 was read before: it was made anew"
        ):
            one.read(10, 1 << 20)
        with pytest.raises(InvalidInput, match=r"no partition reader-c/77 any more: it was made anew"):
            one.seek({"reader-c/77": 0})


@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        (KafkaError._AUTHENTICATION, AccessRefused, "mend the credentials in the Connection `kafka`"),
        (KafkaError.SASL_AUTHENTICATION_FAILED, AccessRefused, "mend the credentials"),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, AccessRefused, "the topic's ACL"),
        (KafkaError._AUTO_OFFSET_RESET, RetryableError, "deleted messages while they were read"),
        (KafkaError._ALL_BROKERS_DOWN, ServiceUnavailable, "does not let t be read now"),
    ],
)
def test_each_error_of_the_client_has_a_name_and_a_remedy(broker, code, error, message):
    with Reader(broker.settings, "t") as one, pytest.raises(error, match=message):
        one._refuse(KafkaError(code))


def test_credentials_that_were_refused_are_not_called_an_outage(broker):
    # librdkafka tells of them by its callback alone; the request itself only times out.
    with Reader(broker.settings, "t") as one:
        one._errors.append(KafkaError(KafkaError._AUTHENTICATION))
        with pytest.raises(AccessRefused):
            one._refuse(KafkaError(KafkaError._TRANSPORT))
