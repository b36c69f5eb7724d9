import json

import pytest

from flightline.hooks import kafka
from flightline.hooks.kafka import KafkaHook
from include.foundation.errors import InvalidInput, ServiceUnavailable


def settings(monkeypatch, **fields):
    monkeypatch.setenv("AIRFLOW_CONN_KAFKA", json.dumps({"conn_type": "kafka", **fields}))
    return KafkaHook().settings


def test_the_extra_is_librdkafkas_settings(monkeypatch):
    extra = {"bootstrap.servers": "a:9092,b:9092", "security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512"}
    assert settings(monkeypatch, extra=extra) == extra
    assert settings(monkeypatch, extra=extra, login="me", password="secret") == {
        **extra,
        "sasl.username": "me",
        "sasl.password": "secret",
    }


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({}, "lacks `bootstrap.servers`"),
        ({"bootstrap.servers": "a", "x": {"y": 1}}, "x in its extra is no plain value"),
    ],
)
def test_what_is_no_setting_is_named(monkeypatch, extra, message):
    with pytest.raises(InvalidInput, match=message):
        settings(monkeypatch, extra=extra)


def test_settings_of_a_schema_registry_are_kept_apart(monkeypatch):
    extra = {"bootstrap.servers": "a:9092", "schema.registry.url": "http://r", "schema.registry.bearer.auth.token": "t"}
    assert settings(monkeypatch, extra=extra) == {"bootstrap.servers": "a:9092"}
    assert KafkaHook().registry == {"url": "http://r", "bearer.auth.token": "t"}
    assert json.loads(KafkaHook().plain_settings) == {"bootstrap.servers": "a:9092"}


def test_only_what_is_no_secret_leaves_airflow(monkeypatch):
    extra = {"bootstrap.servers": "a:9092", "sasl.mechanism": "PLAIN", "ssl.key.password": "secret", "x": 1}
    settings(monkeypatch, extra=extra, login="me", password="secret")
    assert KafkaHook().is_configured
    assert json.loads(KafkaHook().plain_settings) == {"bootstrap.servers": "a:9092", "sasl.mechanism": "PLAIN"}


def test_without_a_connection_there_are_no_settings(monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_KAFKA", raising=False)
    assert not KafkaHook().is_configured
    assert KafkaHook().plain_settings == "{}"


def test_a_topic_that_no_broker_makes_is_said(monkeypatch):
    settings(monkeypatch, extra={"bootstrap.servers": "127.0.0.1:1"})
    monkeypatch.setattr(kafka, "ANSWER_SECONDS", 1.0)
    with pytest.raises(ServiceUnavailable, match="the topic t could not be made"):
        KafkaHook().create_topic("t")
