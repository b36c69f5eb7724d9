import pytest

from include.foundation.errors import InvalidInput
from include.services.serving.settings import Settings

ENVIRON = {
    "FLIGHTLINE_USE_CASE": "flight_delays",
    "FLIGHTLINE_MODEL_URI": "s3://models/flight_delays/x/model.onnx",
    "FLIGHTLINE_MODEL_DIGEST": "a" * 64,
    "FLIGHTLINE_ONLINE_DSN": "postgresql://u:secret@db/online",
}


def test_settings_and_their_defaults() -> None:
    settings = Settings.from_env(ENVIRON | {"PORT": "9000", "PATH": "/bin", "FLIGHTLINE_ACCESS_LOG": "false"})
    assert (settings.use_case, settings.host, settings.port) == ("flight_delays", "127.0.0.1", 9000)
    assert (settings.max_body, settings.drain_seconds, settings.access_log) == (1 << 20, 5, False)
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"FLIGHTLINE_MODEL_DIGEST": "abc"}, "FLIGHTLINE_MODEL_DIGEST"),
        ({"FLIGHTLINE_MODEL_URI": "/tmp/model.onnx"}, "FLIGHTLINE_MODEL_URI"),
        ({"FLIGHTLINE_ONLINE_DSN": ""}, "FLIGHTLINE_ONLINE_DSN"),
        ({"PORT": "http"}, "PORT"),
        ({"FLIGHTLINE_MODEL_VERSION": "3 or so"}, "FLIGHTLINE_MODEL_VERSION"),
        ({"FLIGHTLINE_KAFKA": "a:9092"}, "FLIGHTLINE_KAFKA"),
    ],
)
def test_a_malformed_variable_is_named(change: dict[str, str], names: str) -> None:
    with pytest.raises(InvalidInput, match=names):
        Settings.from_env(ENVIRON | change)


def test_every_missing_variable_is_named() -> None:
    with pytest.raises(InvalidInput) as caught:
        Settings.from_env({})
    assert all(name in str(caught.value) for name in ENVIRON)


def test_brokers_are_the_settings_with_the_credentials_of_a_secret() -> None:
    assert Settings.from_env(ENVIRON | {"FLIGHTLINE_KAFKA_PASSWORD": "hidden"}).brokers == {}
    said = {"FLIGHTLINE_KAFKA": '{"bootstrap.servers": "a:9092"}', "FLIGHTLINE_KAFKA_USERNAME": "me"}
    settings = Settings.from_env(ENVIRON | said | {"FLIGHTLINE_KAFKA_PASSWORD": "hidden"})
    assert settings.brokers == {"bootstrap.servers": "a:9092", "sasl.username": "me", "sasl.password": "hidden"}
    assert "hidden" not in repr(settings)
