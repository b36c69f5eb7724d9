"""Kafka, as one Connection says."""

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from include.foundation.echo import cause
from include.foundation.errors import InvalidInput, ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

# What may stand in a Deployment, and so in Git. Everything else stays with Airflow: it may be a secret.
PLAIN = (
    "bootstrap.servers",
    "security.protocol",
    "sasl.mechanism",
    "sasl.mechanisms",
    "ssl.ca.location",
    "ssl.endpoint.identification.algorithm",
)
REGISTRY = "schema.registry."
ANSWER_SECONDS = 15.0
MOST_BYTES = 64 << 20  # that are read at once


class KafkaHook(BaseHook):
    """Turn a Connection of type `kafka` into librdkafka's settings.

    The extra is these settings: `bootstrap.servers`, and for TLS and SASL `security.protocol`, `ssl.ca.location`,
    `sasl.mechanism`, `sasl.username`, `sasl.password`, ... (librdkafka's CONFIGURATION.md names all).
    Login and password, where given, are `sasl.username` and `sasl.password`. Settings of a schema registry stand beside
    them, as `schema.registry.url`, `schema.registry.basic.auth.user.info`, ... (`topics/schema_registry.py` names all).
    """

    conn_name_attr = "kafka_conn_id"
    default_conn_name = "kafka"
    hook_name = "Kafka"

    def __init__(self, kafka_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.kafka_conn_id = kafka_conn_id

    @cached_property
    def settings(self) -> "Mapping[str, str | int | float | bool]":
        """The settings.

        Raises:
            InvalidInput: the extra does not name the brokers, or has a value that is no setting.
        """
        connection = self.get_connection(self.kafka_conn_id)
        found = {name: value for name, value in connection.extra_dejson.items() if not name.startswith(REGISTRY)}
        if strange := [name for name, value in found.items() if not isinstance(value, str | int | float | bool)]:
            raise InvalidInput(f"Connection {self.kafka_conn_id}: {strange[0][:80]} in its extra is no plain value")
        if not found.get("bootstrap.servers"):
            raise InvalidInput(f"Connection {self.kafka_conn_id}: its extra lacks `bootstrap.servers` (host:port, ...)")
        given = {"sasl.username": connection.login, "sasl.password": connection.password}
        return {**found, **{name: value for name, value in given.items() if value}}

    @cached_property
    def registry(self) -> "Mapping[str, str | int | float | bool]":
        """The settings of the schema registry, without their prefix; none where the Connection names none."""
        extra = self.get_connection(self.kafka_conn_id).extra_dejson
        return {name.removeprefix(REGISTRY): value for name, value in extra.items() if name.startswith(REGISTRY)}

    @property
    def is_configured(self) -> bool:
        """Whether there is such a Connection."""
        try:
            self.get_connection(self.kafka_conn_id)
        except AirflowNotFoundException:
            return False
        return True

    @property
    def plain_settings(self) -> str:
        """The settings that are no secrets, as a JSON object; an empty one where there is no Connection."""
        found = {name: self.settings[name] for name in PLAIN if name in self.settings} if self.is_configured else {}
        return json.dumps(found, sort_keys=True)

    def create_topic(self, topic: str) -> None:
        """Make a topic as the brokers make them by default, unless it is there.

        Raises:
            ServiceUnavailable: no broker made it.
        """
        from confluent_kafka import KafkaError, KafkaException
        from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

        admin = AdminClient({**self.settings, "log_level": 0})  # what it was asked ends with it
        try:
            admin.create_topics([NewTopic(topic)], request_timeout=ANSWER_SECONDS)[topic].result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise ServiceUnavailable(f"the topic {topic} could not be made: {cause(error)}") from error

    def ends(self, topic: str) -> dict[str, int]:
        """Partition -> offset of its last message; see `topics.reader.Reader` for this and what it raises."""
        from include.stages.ingest.topics.reader import Reader

        with Reader(self.settings, topic) as reader:
            return reader.ends()

    def values(self, topic: str, after: "Mapping[str, int]", *, most: int) -> list[bytes]:
        """What was written to a topic behind these offsets, tombstones left out; `most` messages at most."""
        from include.stages.ingest.topics.reader import Reader

        found: list[bytes] = []
        with Reader(self.settings, topic) as reader:
            reader.seek(after)
            while len(found) < most and (messages := reader.read(most - len(found), MOST_BYTES)):
                found += [value for message in messages if isinstance(value := message.value(), bytes)]
        return found

    def get_conn(self) -> Any:
        """The settings."""
        return self.settings
