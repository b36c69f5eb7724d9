"""Kafka, as one Connection says."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from include.foundation.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping


class KafkaHook(BaseHook):
    """Turn a Connection of type `kafka` into librdkafka's settings.

    The extra is these settings: `bootstrap.servers`, and for TLS and SASL `security.protocol`, `ssl.ca.location`,
    `sasl.mechanism`, `sasl.username`, `sasl.password`, ... (librdkafka's CONFIGURATION.md names all).
    Login and password, where given, are `sasl.username` and `sasl.password`.
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
        found = dict(connection.extra_dejson)
        if strange := [name for name, value in found.items() if not isinstance(value, str | int | float | bool)]:
            raise InvalidInput(f"Connection {self.kafka_conn_id}: {strange[0][:80]} in its extra is no plain value")
        if not found.get("bootstrap.servers"):
            raise InvalidInput(f"Connection {self.kafka_conn_id}: its extra lacks `bootstrap.servers` (host:port, ...)")
        given = {"sasl.username": connection.login, "sasl.password": connection.password}
        return {**found, **{name: value for name, value in given.items() if value}}

    def get_conn(self) -> Any:
        """The settings."""
        return self.settings
