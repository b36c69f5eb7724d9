import json

import pytest

from flightline.hooks.kafka import KafkaHook
from include.foundation.errors import InvalidInput


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
