from types import SimpleNamespace

import pytest

from flightline.hooks.mlflow import MlflowHook
from flightline.hooks.modzy import ModzyHook
from flightline.tasks import marketplace
from include.foundation.errors import DigestMismatch
from include.stages import registry

CHOSEN = {"version": "3", "digest": "a" * 64}


@pytest.fixture
def registered(monkeypatch):
    """Version 3, its report, its sample, and a Connection that names the repository of images."""

    def check_report(path, text):
        if text != "| all | passed |":
            raise DigestMismatch(f"{path} was changed")
        return text

    found = SimpleNamespace(
        version="3",
        digest="a" * 64,
        run_id="r",
        manifest=lambda: SimpleNamespace(digest="b" * 64),
        verdict=lambda: SimpleNamespace(check_report=check_report),
    )
    said = {"report": "| all | passed |"}
    monkeypatch.setattr(registry, "get", lambda client, use_case, version: found)
    monkeypatch.setattr("include.stages.registry.description.describe", lambda manifest: "Flights of May.")
    monkeypatch.setattr(MlflowHook, "get_conn", lambda _: None)
    monkeypatch.setattr(MlflowHook, "read_text", lambda _, run, path: said["report"])
    monkeypatch.setattr(ModzyHook, "image", "registry.example/market")
    monkeypatch.setattr(marketplace.own_code, "sample", lambda use_case, chosen: ([{"carrier": "UA"}], [0.5]))
    return said


def card():
    return marketplace.card.function("flight_delays", CHOSEN, {"name": "flight-delays-v3-abc"})


def test_the_card_is_made_of_what_the_gates_and_the_manifest_say(registered):
    found = card()
    assert found["image"] == "registry.example/market:flight-delays-v3-abc"
    assert found["metadata"]["performanceSummary"] == "| all | passed |"
    assert found["mark"] == f"model sha256:{'a' * 64}, run manifest sha256:{'b' * 64}"
    assert found["expected"] == [0.5]


def test_a_report_that_was_changed_is_not_published(registered):
    registered["report"] = "| all | passed, really |"
    with pytest.raises(Exception, match="was changed"):
        card()
